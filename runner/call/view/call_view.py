"""One live call as the admin API shows it: as a row, whole, and as changes since the last look."""

from bisect import bisect_right
from collections.abc import Iterator
from typing import TypeAlias

from runner.call.machine.machine import CallMachine
from runner.call.machine.session import Session
from runner.call.view.live_mask import LiveMask, MaskedParts
from runner.call.view.parts import PHASES, agent_of, floor_of, limits_of, tool_of, turn_of
from runner.model.conversation_event import TranscriptGrew
from runner.model.record import CallRecord, Deed, ToolUse
from runner.model.values import Instant, Json, JsonObject

ViewChange: TypeAlias = tuple[str, JsonObject]
"""The name of an event in the admin API's streams, and its data."""

MOST_SHOWN = 500
"""Turns and tool calls of one call, the last of each: all of them are compared whenever something changes."""


class CallView:
    """The view of one live call. It only reads."""

    def __init__(self, machine: CallMachine, runner: str) -> None:
        """`runner` is the id of the one that serves the call."""
        self._machine = machine
        self._runner = runner
        self._mask: LiveMask | None = None
        self._mask_key: tuple[Json, ...] = ()
        self._shown: dict[str, dict[str, JsonObject]] = {}
        """What was shown last: for each kind of event, by its key."""
        self._masked = MaskedParts(4 * MOST_SHOWN)
        self._spans: dict[tuple[str, Instant], JsonObject] = {}

    def row(self, now: Instant) -> dict[str, Json]:
        """The call as a row of a list."""
        call, session = self._machine.call, self._machine.session
        floor = floor_of(self._machine, now)
        speaking = {
            (True, True): "both",
            (True, False): "caller",
            (False, True): "agent",
            (False, False): "nobody",
        }[floor["caller"], floor["agent"]]
        agent = self._machine.agent
        return {
            "id": call.id,
            "agent": agent.id if agent is not None else "",
            "caller": call.caller.number or call.caller.uri or None,
            "called": call.called.number or call.called.uri or None,
            "transport": call.transport.value,
            "created_at": call.created_at,
            "accepted_at": (session.consumption.since or None) if session is not None else None,
            "phase": floor["phase"],
            "speaking": speaking,
            "tools_running": floor["tools"],
            "led_by": floor["led_by"],
            "trouble": self._trouble(session),
            "cost_usd": session.consumption.bill.cost_usd if session is not None else None,
            "max_cost_usd": agent.limits.max_cost_usd if agent is not None else None,
            "max_duration_s": agent.limits.max_duration_s if agent is not None else 0.0,
            "last_words": self._last_words(session),
            "runner": self._runner,
        }

    def mask_ahead(self) -> Iterator[None]:
        """Mask what `whole` and `changes` are about to show, with a pause after each text and reply: all of
        them together take seconds.
        """
        session, mask = self._machine.session, None
        while session is not None and mask is not self._masking(session):
            mask = self._masking(session)
            for _, turn in session.builder.transcript.latest(MOST_SHOWN):
                mask.turn(turn.text)
                yield
            for use in [*session.builder.tools.values()][-MOST_SHOWN:]:
                self._tool(use, mask)
                yield
            for deed in self._machine.deeds:
                self._deed(deed)
                yield
            self._variables(session)
            yield

    def whole(self, now: Instant) -> dict[str, Json]:
        """The whole call. `changes` counts from here."""
        self._shown, self._spans = self._parts(now), self._all_spans()
        session = self._machine.session
        record = self._record()
        return {
            **self.row(now),
            "route": record.route,
            "why": record.why,
            "attached_at": record.attached_at,
            "ended_at": record.ended_at,
            "ended": record.ended,
            "detail": self._text(record.detail),
            "turns": list(self._shown["turn"].values()),
            "tools": list(self._shown["tool"].values()),
            "handoffs": [
                {"agent": each.agent, "because": self._text(each.because), "at": each.at}
                for each in record.handoffs
            ],
            "spans": list(self._spans.values()),
            "deeds": list(self._shown["deed"].values()),
            "lookup_s": record.lookup_s,
            "faults": [self._text(fault) for fault in record.faults],
            "model": record.model,
            "served_by": record.served_by,
            "called_found_in": self._machine.call.called_found_in,
            "floor": {**self._shown["floor"][""], "at": now},
            "limits": self._shown["limits"][""],
            "vars": self._shown["agent"][""]["vars"],
            "choices": self._shown["agent"][""]["choices"],
            "shows_words": session is not None and self._masking(session).shows_words,
        }

    def changes(self, now: Instant) -> Iterator[ViewChange]:
        """What is new since the last look."""
        before, self._shown = self._shown, self._parts(now)
        spans_before, self._spans = self._spans, self._all_spans()
        spans = [span for key, span in self._spans.items() if spans_before.get(key) != span]
        for kind, parts in self._shown.items():
            known = before.get(kind, {})
            for key, part in parts.items():
                if kind == "floor" and (spans or known.get(key) != part):
                    yield kind, {**part, "at": now, "spans": spans}
                elif known.get(key) != part:
                    yield kind, part

    def words(self, grew: TranscriptGrew, now: Instant) -> ViewChange | None:
        """More words of a turn; None where words are not shown as they come."""
        session = self._machine.session
        if session is None or not self._masking(session).shows_words:
            return None
        return "words", {"id": grew.item_id, "role": grew.role.value, "text": grew.text, "at": now}

    @property
    def wants_words(self) -> bool:
        """Whether words as they come would be shown."""
        session = self._machine.session
        return session is not None and self._masking(session).shows_words

    def end(self) -> JsonObject:
        """How the call ended, as far as it is known."""
        record = self._record()
        return {
            "id": self._machine.call.id,
            "ended": record.ended or None,
            "detail": self._text(record.detail),
            "ended_at": record.ended_at,
        }

    # The parts of a call

    def _parts(self, now: Instant) -> dict[str, dict[str, JsonObject]]:
        session = self._machine.session
        deeds = {deed.id: self._deed(deed) for deed in self._machine.deeds}
        turns, tools = ({}, {}) if session is None else self._said_and_done(session)
        # In the order in which a client can make use of them: who serves, who speaks, what was said.
        return {
            "agent": {"": self._agent(session)},
            "floor": {"": {**floor_of(self._machine, now), "trouble": self._trouble(session)}},
            "turn": turns,
            "tool": tools,
            "deed": deeds,
            "limits": {"": limits_of(session)},
        }

    def _said_and_done(self, session: Session) -> tuple[dict[str, JsonObject], dict[str, JsonObject]]:
        mask = self._masking(session)
        turns: dict[str, JsonObject] = {}
        times: list[Instant] = []
        after: str | None = None
        for item_id, turn in session.builder.transcript.latest(MOST_SHOWN):
            turns[item_id] = turn_of(item_id, after, turn, mask)
            times.append(turn.at)
            after = item_id
        ids = list(turns)
        tools: dict[str, JsonObject] = {}
        for use in [*session.builder.tools.values()][-MOST_SHOWN:]:
            before = bisect_right(times, use.started_at)
            tools[use.call_id] = self._placed(self._tool(use, mask), ids[before - 1] if before else None)
        return turns, tools

    def _tool(self, use: ToolUse, mask: LiveMask) -> JsonObject:
        """A tool call, but for its place."""
        is_over = PHASES.get(self._machine.phase) == "over"
        made_of = use, mask, is_over and use.took_s is None
        return self._masked.of(f"tool {use.call_id}", made_of, lambda: tool_of(use, mask, is_over=is_over))

    def _placed(self, tool: JsonObject, turn: str | None) -> JsonObject:
        """A tool call that began after this turn."""
        return self._masked.of(f"placed {tool['call_id']}", (tool, turn), lambda: {**tool, "turn": turn})

    def _agent(self, session: Session | None) -> JsonObject:
        if session is None:
            return agent_of(None, None, {})
        return agent_of(session, self._masking(session), self._variables(session))

    def _variables(self, session: Session) -> Json:
        mask, variables = self._masking(session), dict(session.texts.variables)
        return self._masked.of("vars", (variables, mask), lambda: mask.data(variables))

    def _all_spans(self) -> dict[tuple[str, Instant], JsonObject]:
        session = self._machine.session
        return {
            (span.who, span.since): {
                "who": span.who,
                "from": span.since,
                "to": span.until,
                "interrupted": span.interrupted,
            }
            for span in (session.builder.spans.all() if session is not None else ())
        }

    def _deed(self, deed: Deed) -> JsonObject:
        session = self._machine.session
        mask = self._masking(session) if session is not None else None
        return self._masked.of(f"deed {deed.id}", (deed, mask), lambda: self._deed_of(deed, mask))

    def _deed_of(self, deed: Deed, mask: LiveMask | None) -> JsonObject:
        fields, detail = mask.deed(deed) if mask is not None else ({}, deed.detail)
        return {
            "id": deed.id,
            "by": deed.by,
            "what": deed.what,
            "given": fields,
            "at": deed.at,
            "result": deed.result,
            "detail": detail,
            "settled_at": deed.settled_at,
        }

    def deed(self, deed_id: str) -> JsonObject | None:
        """A person's act as it stands now, masked."""
        deed = self._machine.deed(deed_id)
        return self._deed(deed) if deed is not None else None

    def _trouble(self, session: Session | None) -> str | None:
        if session is None:
            return None
        phase = PHASES.get(self._machine.phase)
        if session.speech.is_closed and phase in {"talking", "transferring", "leaving"}:
            return "the sideband is lost; the call goes on without tools and limits until it is back"
        for last in [*session.builder.tools.values()][-1:]:
            if last.status != "error":
                break
            return self._text(f'tool "{last.name}" has failed: {last.error or last.http_status}')
        return None

    def _last_words(self, session: Session | None) -> str | None:
        if session is None:
            return None
        last = session.builder.transcript.last()
        return self._masking(session).turn(last.text) if last is not None else None

    def _record(self) -> CallRecord:
        session = self._machine.session
        if session is not None:
            return session.builder.outline()  # unmasked: what is shown of it is masked field by field
        call = self._machine.call
        return CallRecord(
            id=call.id,
            agent="",
            route=None,
            why="",
            caller=None,
            called=None,
            transport=call.transport.value,
            created_at=call.created_at,
        )

    def _text(self, text: str) -> str:
        session = self._machine.session
        return self._masking(session).text(text) if session is not None else text

    def _masking(self, session: Session) -> LiveMask:
        """Built again whenever there may be more to mask."""
        builder = session.builder
        learns = any(agent.record.arguments or agent.record.results for agent in session.serving.served)
        key = (len(session.serving.served), len(builder.private), len(builder.tools) if learns else 0)
        if self._mask is None or self._mask_key != key:
            redactor = session.redactor()
            redactor.learn(builder.tools.values())
            self._mask, self._mask_key = LiveMask(redactor), key
        return self._mask
