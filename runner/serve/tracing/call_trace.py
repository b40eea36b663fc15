"""Traces one call while it is served: the call, its agents, lookup, tools and takeovers.

Names and attributes are those of OpenTelemetry's conventions for generative AI where they have one,
https://opentelemetry.io/docs/specs/semconv/gen-ai/. They contain no words, arguments, replies or numbers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from runner.call.machine.machine import CallMachine
from runner.call.trace_context import span_id, trace_id
from runner.model.action import Action, SendRequest
from runner.model.event import CallEvent, CallGone, Replied, SidebandOpened, TakenOver, Unreachable
from runner.model.reception import RingResult
from runner.model.record import CallRecord, ToolUse
from runner.model.values import Instant
from runner.serve.call_watch import UNKNOWN_TOOL, ServedAgents
from runner.serve.tracing.span import Attribute, Moment, SpanKind, TraceSpan

BROKEN_ENDS = frozenset({"failed", "model_failed", "lost"})
FAILED_TOOLS = frozenset({"error", "refused", "unfinished", "not_completed"})
UNANSWERED = frozenset({RingResult.FAILED, RingResult.UNAVAILABLE})


_TRACED = (TakenOver, SidebandOpened, CallGone, Unreachable, Replied)
"""Events that are traced whatever the machine does about them."""


@dataclass(slots=True)
class _Open:
    """A span that has begun."""

    name: str
    span_id: str
    began_at: Instant


class CallTrace:
    """The trace of one call; a `CallWatch`. Spans are handed on as they end, the call's own last."""

    def __init__(self, take: Callable[[TraceSpan], None], *, provider: str) -> None:
        self._take = take
        self._provider = provider
        self._machine: CallMachine | None = None
        self._began_at: Instant = 0.0
        self._agents = ServedAgents()
        self._agent: _Open | None = None
        self._takeover: _Open | None = None
        self._lookup: _Open | None = None
        self._lookup_is_traced = False
        self._attempts: dict[str, list[Moment]] = {}
        self._tools_traced = 0

    def begins(self, machine: CallMachine, now: Instant) -> None:
        self._machine = machine
        self._began_at = machine.call.created_at
        self._tools_traced = len(machine.tools_ended)
        self._lookup_is_traced = machine.reception.looked_up is not None

    def handled(self, event: CallEvent, actions: Sequence[Action], now: Instant) -> None:
        machine = self._machine
        if machine is None or not (actions or isinstance(event, _TRACED)):
            return
        if self._agents.note(machine):
            self._end_agent(now)
            self._agent = self._open(f"invoke_agent {machine.agent.id if machine.agent else ''}", now)
        match event:
            case TakenOver():
                self._takeover = self._open("takeover", now)
            case SidebandOpened() | CallGone() | Unreachable():
                self._end_takeover(event, now)
            case Replied():
                self._note_attempt(event, now)
            case _:
                pass
        for action in actions:
            if isinstance(action, SendRequest) and action.call_id == machine.call.id and self._lookup is None:
                self._lookup = _Open("lookup", span_id(machine.call.id, machine.call.id), now)
        self._trace_lookup(machine, now)
        self._trace_tools(machine)

    def ends(self, record: CallRecord | None, now: Instant) -> None:
        machine = self._machine
        if machine is None:
            return
        self._trace_tools(machine)
        self._end_takeover(None, now)
        self._end_agent(now)
        result = machine.reception.result
        if record is None and result is RingResult.ACCEPTED:
            return  # Another runner serves the call, and will report its span.
        self._take(
            TraceSpan(
                name=f"call {machine.reception.agent or ''}".rstrip(),
                trace_id=trace_id(machine.call.id),
                span_id=self._root,
                parent_id=None,
                kind=SpanKind.SERVER,
                began_at=self._began_at,
                ended_at=record.ended_at or now if record is not None else now,
                attributes=self._of_call(record) if record is not None else self._of_unanswered(result),
                error=_error(record, result),
            )
        )

    # Agents and takeovers

    def _end_agent(self, now: Instant) -> None:
        opened, self._agent = self._agent, None
        if opened is not None:
            self._close(opened, now, attributes=self._of_agent(opened.name.partition(" ")[2]))

    def _end_takeover(self, event: CallEvent | None, now: Instant) -> None:
        opened, self._takeover = self._takeover, None
        if opened is not None:
            error = None if isinstance(event, SidebandOpened) else "not_attached"
            self._close(opened, now, parent=self._root, error=error)

    # The lookup and tools

    def _note_attempt(self, replied: Replied, now: Instant) -> None:
        reply = replied.reply
        attributes: dict[str, Attribute] = {"phone_agents.attempt": replied.attempt}
        if reply.status is not None:
            attributes["http.response.status_code"] = reply.status
        if reply.failure is not None:
            attributes["error.type"] = reply.failure.value
        attempt = Moment(name="attempt", at=now, attributes=attributes)
        self._attempts.setdefault(replied.call_id, []).append(attempt)

    def _trace_lookup(self, machine: CallMachine, now: Instant) -> None:
        lookup = machine.reception.looked_up
        if self._lookup is None or lookup is None or self._lookup_is_traced:
            return
        self._lookup_is_traced = True
        self._close(
            self._lookup,
            now,
            parent=self._root,
            kind=SpanKind.CLIENT,
            attributes={"phone_agents.lookup.default_used": lookup.fault is not None},
            moments=tuple(self._attempts.pop(machine.call.id, ())),
            error=None if lookup.fault is None else "default_used",
        )

    def _trace_tools(self, machine: CallMachine) -> None:
        ended = machine.tools_ended
        for use in ended[self._tools_traced :]:
            declared = self._agents.that_declares(use.name) is not None
            opened = _Open(
                f"execute_tool {use.name if declared else UNKNOWN_TOOL}",
                span_id(machine.call.id, use.call_id),
                use.started_at,
            )
            self._close(
                opened,
                use.started_at + (use.took_s or 0.0),
                attributes=_of_tool(use, declared=declared),
                moments=tuple(self._attempts.pop(use.call_id, ())),
                error=use.status if use.status in FAILED_TOOLS else None,
            )
        self._tools_traced = len(ended)

    # Spans

    @property
    def _root(self) -> str:
        """The span of the whole call, whose id every process that serves it knows."""
        return span_id(self._machine.call.id, "") if self._machine is not None else ""

    def _open(self, name: str, now: Instant) -> _Open:
        call_id = self._machine.call.id if self._machine is not None else ""
        return _Open(name, span_id(call_id, f"{name} {now}"), now)

    def _close(
        self,
        opened: _Open,
        now: Instant,
        *,
        parent: str | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: dict[str, Attribute] | None = None,
        moments: tuple[Moment, ...] = (),
        error: str | None = None,
    ) -> None:
        """Export a span. Without `parent` it belongs to the agent that serves the call, if any does."""
        if self._machine is None:
            return
        agent = self._agent.span_id if self._agent is not None else self._root
        span = TraceSpan(
            name=opened.name,
            trace_id=trace_id(self._machine.call.id),
            span_id=opened.span_id,
            parent_id=parent or agent,
            kind=kind,
            began_at=opened.began_at,
            ended_at=max(now, opened.began_at),
            attributes={"gen_ai.conversation.id": self._machine.call.id, **(attributes or {})},
            moments=moments,
            error=error,
        )
        self._take(span)

    def _of_agent(self, agent_id: str) -> dict[str, Attribute]:
        return {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.provider.name": self._provider,
            "gen_ai.agent.id": agent_id,
            "gen_ai.agent.name": agent_id,
        }

    def _of_call(self, record: CallRecord) -> dict[str, Attribute]:
        usage = record.usage
        cached = usage.text_cached + usage.audio_cached + usage.image_cached
        attributes: dict[str, Attribute | None] = {
            "gen_ai.conversation.id": record.id,
            "gen_ai.provider.name": self._provider,
            "gen_ai.agent.id": record.agent,
            "gen_ai.request.model": record.model,
            "gen_ai.response.model": record.served_by,
            "gen_ai.usage.input_tokens": usage.text_in + usage.audio_in + usage.image_in,
            "gen_ai.usage.output_tokens": usage.text_out + usage.audio_out,
            "gen_ai.usage.cache_read.input_tokens": cached,
            "phone_agents.call.ended": record.ended,
            "phone_agents.call.route": record.route,
            "phone_agents.call.turns": len(record.turns),
            "phone_agents.call.cost_usd": record.cost_usd,
        }
        return {name: value for name, value in attributes.items() if value is not None}

    def _of_unanswered(self, result: RingResult | None) -> dict[str, Attribute]:
        call_id = self._machine.call.id if self._machine is not None else ""
        return {
            "gen_ai.conversation.id": call_id,
            "phone_agents.call.result": (result or RingResult.FAILED).value,
        }


def _of_tool(use: ToolUse, *, declared: bool) -> dict[str, Attribute]:
    attributes: dict[str, Attribute | None] = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": use.name if declared else UNKNOWN_TOOL,
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": use.call_id,
        "phone_agents.tool.status": use.status,
        "phone_agents.tool.attempts": use.attempts,
        "http.response.status_code": use.http_status,
    }
    return {name: value for name, value in attributes.items() if value is not None}


def _error(record: CallRecord | None, result: RingResult | None) -> str | None:
    if record is not None:
        return record.ended if record.ended in BROKEN_ENDS else None
    return (result or RingResult.FAILED).value if result is None or result in UNANSWERED else None
