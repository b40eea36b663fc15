"""The parts of a live call as the admin API shows them: who speaks, who serves it, turns and tool calls."""

from runner.call.machine.floor import Floor
from runner.call.machine.machine import CallMachine
from runner.call.machine.phase import TRANSFERRING, Phase
from runner.call.machine.session import Session
from runner.call.view.live_mask import LiveMask
from runner.model.record import Attempt, ToolUse, Turn
from runner.model.values import Instant, Json, JsonObject

PHASES = {
    Phase.WAITING: "connecting",
    Phase.TALKING: "talking",
    **dict.fromkeys(TRANSFERRING, "transferring"),
    Phase.SAYING_GOODBYE: "leaving",
    Phase.HANGING_UP: "leaving",
    Phase.DRAINING_REQUESTS: "over",
    Phase.OVER: "over",
}
"""The names of phases in the admin API; a call in any other phase rings."""
_CALLER_SPEAKS = frozenset({Floor.CALLER, Floor.CONTESTED, Floor.OVERLAP})


def floor_of(machine: CallMachine, now: Instant) -> JsonObject:
    """Who speaks, and what else goes on."""
    session = machine.session
    speech = session.speech if session is not None else None
    uses = session.builder.tools.values() if session is not None else ()
    return {
        "phase": PHASES.get(machine.phase, "ringing"),
        "caller": speech is not None and speech.floor in _CALLER_SPEAKS,
        "agent": speech is not None and speech.playback.is_playing(now),
        "tools": sum(use.took_s is None for use in uses),
        "led_by": session.lead.by if session is not None else None,
        "is_attached": speech is not None and not speech.is_closed,
    }


def limits_of(session: Session | None) -> JsonObject:
    """How much of its limits the call has used."""
    limits = session.agent.limits if session is not None else None
    return {
        "max_duration_s": limits.max_duration_s if limits is not None else 0.0,
        "cost_usd": session.consumption.bill.cost_usd if session is not None else None,
        "max_cost_usd": limits.max_cost_usd if limits is not None else None,
        "tool_calls": session.consumption.tool_calls if session is not None else 0,
        "max_tool_calls": limits.max_tool_calls if limits is not None else None,
        "lead_until": session.lead.until if session is not None else None,
    }


def agent_of(session: Session | None, mask: LiveMask | None, variables: Json) -> JsonObject:
    """Who serves the call, its variables (masked), and what a person may choose from."""
    if session is None or mask is None:
        return {
            "agent": "",
            "because": "",
            "at": None,
            "vars": {},
            "choices": {"transfer_to": [], "handoff": [], "vars": []},
        }
    last = session.builder.handoffs[-1] if session.builder.handoffs else None
    agent = session.agent
    return {
        "agent": agent.id,
        "because": mask.text(last.because) if last is not None else "",
        "at": last.at if last is not None else None,
        "vars": variables,
        "choices": {
            "transfer_to": list(session.steering.may_transfer_to),
            "handoff": list(session.serving.others),
            "vars": list(session.steering.may_set),
        },
    }


def turn_of(item_id: str, after: str | None, turn: Turn, mask: LiveMask) -> JsonObject:
    """A turn, which stands after the turn `after`."""
    return {
        "id": item_id,
        "after": after,
        "role": turn.role,
        "text": mask.turn(turn.text),
        "at": turn.at,
        "heard_ms": turn.heard_ms,
        "waited_s": turn.waited_s,
        "is_whole": turn.text is not None,
    }


def tool_of(use: ToolUse, mask: LiveMask, *, is_over: bool) -> JsonObject:
    """A tool call, but for the turn after which it began."""
    runs = use.took_s is None and use.status == "unfinished" and not is_over
    return {
        "call_id": use.call_id,
        "name": use.name,
        "arguments": mask.arguments(use.arguments),
        "started_at": use.started_at,
        "took_s": use.took_s,
        "status": "running" if runs else use.status,
        "http_status": use.http_status,
        "attempts": [_attempt(attempt, mask) for attempt in use.tries],
        "error": mask.text(use.error) if use.error is not None else None,
        "reply": mask.reply(use.reply),
    }


def _attempt(attempt: Attempt, mask: LiveMask) -> JsonObject:
    return {
        "at": attempt.at,
        "took_s": attempt.took_s,
        "http_status": attempt.http_status,
        "error": mask.text(attempt.error) if attempt.error is not None else None,
    }
