"""Turns a recorded call into a scenario: the text of a `*.test.yaml` that passes unchanged.

A record does not hold everything: headers that no route uses and what `record.redact` masks are missing. So
the scenario expects what must follow from the rest (who answers, which requests are made, how the call ends),
and nothing besides.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import assert_never

from runner.call.addresses.address import read_address
from runner.call.examples.boundaries import boundaries
from runner.call.examples.matching_values import compiled, header_value
from runner.call.routes.matcher import Subject
from runner.config.reading.yaml_slips import CONTROL
from runner.model.call import Role, Transport
from runner.model.record import Attempt, CallRecord, Deed, ToolUse, Turn
from runner.model.route import Route
from runner.model.scenario import NoReply, TransferEnd
from runner.model.steering import DeedResult
from runner.model.values import Instant, Json
from runner.scenario.update import flow

NOT_TRANSCRIBED = "(not transcribed)"
_LONG = "2h"
"""Longer than any call: by then the end of a silent call has come."""
_MASK = re.compile(r"\[(redacted|payment_card|ssn|phone|email)\]")
_UNWRITABLE = re.compile("[^\n -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_TAKES_LEAVE = frozenset(
    {"guardrail", "max_cost", "max_duration", "max_tool_calls", "model_failed", "silence"}
)
"""Ends at which the agent says goodbye by itself."""
_MAIN = {"note": "text", "handoff": "agent", "transfer": "to", "vars": "set", "say": "say", "tell": "tell"}
"""The field of an act that is the value of its key in a scenario."""


def scenario_of(record: CallRecord, route: Route | None = None) -> str:
    """The scenario of a call, as YAML: a list with this one scenario.

    It has who called whom and when, what the caller said, what the model said and called, what endpoints
    answered, what people did, and how it ended. What the record has masked stays masked. `record` is the
    record as it was saved; that of a call that is still live gives the call so far. The text ends with a line
    break, and can be put behind those of a file that has scenarios already.

    `route` is the one by which the call was taken, where that is known: a value that it takes stands for a
    masked header.
    """
    steps = _Steps(record).all()
    masked = dict.fromkeys(_masked(record))
    stand_ins = {name: value for name in masked if (value := _matching_value(route, name)) is not None}
    record = replace(record, headers={**record.headers, **stand_ins})
    lines = [
        *(_about_masked(name, stand_ins.get(name)) for name in masked),
        f"- name: {_flow(f'call {record.id}')}",
        f"  at: {datetime.fromtimestamp(record.created_at, UTC).isoformat(timespec='seconds')}",
        f"  call: {_flow(_parties(record))}",
        *_busy(record),
        # What it answered is not in the record, so it answers nothing.
        *(["  replies: {lookup: timeout}"] if record.lookup_s is not None else []),
        f"  expect: {_flow({'agent': record.agent})}",
        *(["  steps:"] if steps else []),
        *(line for step in steps for line in _written(step)),
    ]
    return _UNWRITABLE.sub(_escaped, "\n".join(lines) + "\n")


def _about_masked(name: str, stand_in: str | None) -> str:
    if stand_in is None:
        return f"# {name} is masked in the record. If a route asks for it, write what it was."
    return f"# {name} is masked in the record: {flow(stand_in)} stands for it, which the same route takes."


def _masked(record: CallRecord) -> list[str]:
    """The headers with unknown values."""
    return [name for name, value in record.headers.items() if _MASK.search(value)]


def _matching_value(route: Route | None, name: str) -> str | None:
    """A value of this header that the route takes; None where it does not ask for one."""
    for header, matcher in route.conditions.headers if route is not None else ():
        for piece in boundaries(matcher) if header.lower() == name.lower() else ():
            value = header_value([piece], None)
            if value is not None and compiled(matcher).find([Subject.header(value, None)]):
                return value
    return None


def _parties(record: CallRecord) -> dict[str, Json]:
    if record.transport == Transport.WEBRTC.value:
        subject = (record.caller or "").removeprefix("web:")
        return {"transport": record.transport, "sub": subject or "somebody", "agent": record.agent}
    caller = {} if record.caller is None else {"from": record.caller}
    headers = {"headers": record.headers} if record.headers else {}
    # Of callers who withhold their number, a route's `share` is chosen by the call.
    is_withheld = record.caller is None or read_address(record.caller).anonymous
    call_id = {"id": record.id} if is_withheld else {}
    return {**call_id, **caller, "to": record.called or "unknown", **headers}


def _busy(record: CallRecord) -> Iterator[str]:
    """How many calls the agents without room have."""
    for key, limit in (("live_calls", "concurrent_calls"), ("calls_today", "calls_per_day")):
        full = {agent: reached[limit] for agent, reached in record.busy.items() if limit in reached}
        if full:
            yield f"  {key}: {_flow(full)}"


def _written(step: dict[str, Json]) -> Iterator[str]:
    """The lines of one step."""
    for number, (key, value) in enumerate(step.items()):
        yield f"    {'  ' if number else '- '}{key}: {_flow(value)}"


def _flow(value: Json) -> str:
    """A value in one line, without the control characters that no configuration file may have."""
    return flow(_printable(value))


def _printable(value: Json) -> Json:
    match value:
        case str():
            return CONTROL.sub("\ufffd", value)
        case list() | tuple():
            return [_printable(entry) for entry in value]
        case Mapping():
            return {_printable(key): _printable(entry) for key, entry in value.items()}
        case _:
            return value


def _escaped(match: re.Match[str]) -> str:
    """Such characters can only be written in quotes. Half of a surrogate pair has no form at all."""
    character = match[0]
    return "?" if "\ud800" <= character <= "\udfff" else f"\\u{ord(character):04x}"


class _Steps:
    """The events of a call, as steps of a scenario."""

    def __init__(self, record: CallRecord) -> None:
        self._record = record
        self._deeds = [deed for deed in record.deeds if deed.result != DeedResult.REFUSED.value]
        sentences = {deed.given.get("say") for deed in self._deeds}
        self._sentences = {sentence for sentence in sentences if isinstance(sentence, str)}
        self._expects_requests = record.lookup_s is None and not any(map(_is_unsure, record.tools))

    def all(self) -> list[dict[str, Json]]:
        """The steps, in order. The last one expects how the call ended, where that must follow."""
        steps: list[dict[str, Json]] = []
        caller_has_spoken = is_led = False
        lease_s = 0.0
        for moment in self._moments():
            match moment:
                case Turn(role=Role.CALLER.value, text=text):
                    caller_has_spoken = True
                    steps.append({"caller": text or NOT_TRANSCRIBED})
                case Turn(text=str() as text) if text and caller_has_spoken and text not in self._sentences:
                    if is_led:
                        # The lease has run out, or the agent would have said nothing.
                        steps.append({"silence": f"{lease_s:g}s"})
                        is_led = False
                    steps.append({"model_says": text})
                case ToolUse():
                    steps.append(self._called(moment))
                    caller_has_spoken = True
                case Deed(what=what):
                    steps.append({"person": _act(moment)})
                    is_led = what == "take-over" or (is_led and what != "give-back")
                    lease_s = float(moment.given.get("for_s", lease_s))
                case Turn():
                    pass
                case _:
                    assert_never(moment)
            if moment is self._last_word:
                return [*steps[:-1], {**steps[-1], "expect": {"ended": self._record.ended}}]
        return [*steps, *self._end()]

    def _moments(self) -> list[Turn | ToolUse | Deed]:
        """Everything that can become a step, in order; without the goodbye, which comes by itself."""
        turns = list(self._record.turns)
        if self._record.ended in _TAKES_LEAVE and turns and turns[-1].role == Role.AGENT.value:
            turns.pop()
        tools = [use for use in self._record.tools if not (use.error or "").startswith("there is no tool ")]
        moments: list[tuple[Instant, Turn | ToolUse | Deed]] = [
            *((turn.at, turn) for turn in turns),
            *((use.started_at, use) for use in tools),
            *((deed.at, deed) for deed in self._deeds),
        ]
        return [moment for _, moment in sorted(moments, key=lambda each: each[0])]

    @property
    def _last_word(self) -> ToolUse | Deed | None:
        """The tool call or the act that has ended the call: the agent's words after it were a goodbye."""
        match self._record.ended:
            case "hangup":
                ending = [
                    use
                    for use in self._record.tools
                    if use.status == "ok" and not use.tries and use.reply is None
                ]
                return ending[-1] if ending else None
            case "transferred":
                completed = [use for use in self._record.tools if use.status == "completed"]
                moved = [deed for deed in self._deeds if deed.result == DeedResult.COMPLETED.value]
                return completed[0] if completed else next(iter(moved), None)
            case "person":
                return next((deed for deed in self._deeds if deed.what == "hangup"), None)
            case _:
                return None

    def _end(self) -> list[dict[str, Json]]:
        """How the call ends where neither a tool nor a person has ended it."""
        expect: dict[str, Json] = {"expect": {"ended": self._record.ended}}
        match self._record.ended:
            case "caller_hung_up":
                return [{"caller_hangs_up": True, **expect}]
            case "silence":
                return [{"silence": _LONG, **expect}]
            case "ghost":
                return [{"nothing_heard": _LONG, **expect}]
            case _:
                return []

    def _called(self, use: ToolUse) -> dict[str, Json]:
        step: dict[str, Json] = {"model_calls": {use.name: {} if use.arguments is None else use.arguments}}
        if use.status == TransferEnd.NOT_COMPLETED.value:
            step["replies"] = {use.name: TransferEnd.NOT_COMPLETED.value}
        elif use.tries:
            replies = [_reply(use, attempt) for attempt in use.tries]
            step["replies"] = {use.name: replies if len(replies) > 1 else replies[0]}
            if self._expects_requests:
                step["expect"] = {"requests": [{"tool": use.name}]}
        return step


def _is_unsure(use: ToolUse) -> bool:
    """Whether it is unknown that such a call repeats its request, and at once."""
    return len(use.tries) > 1 or use.took_s is None or bool(_MASK.search(flow(use.arguments)))


def _reply(use: ToolUse, attempt: Attempt) -> Json:
    """The endpoint's reply to one attempt, as far as the output for the model shows it."""
    if attempt.http_status is None:
        timed_out = attempt.error in {"timeout", None}
        return (NoReply.TIMEOUT if timed_out else NoReply.CONNECTION_REFUSED).value
    if attempt is not use.tries[-1]:
        return {"status": attempt.http_status}
    body = use.reply
    if use.status == "error":
        body = body.get("reply") if isinstance(body, dict) else None
        return {"status": attempt.http_status, **({} if body is None else _body(body))}
    status = {} if attempt.http_status == 200 else {"status": attempt.http_status}
    return {**status, **_body(body)}


def _body(value: Json) -> dict[str, Json]:
    return {"text": value} if isinstance(value, str) else {"json": value}


def _act(deed: Deed) -> dict[str, Json]:
    """A person's act, in a scenario's form."""
    fields = dict(deed.given)
    ends = {"ends": deed.result} if deed.result == TransferEnd.NOT_COMPLETED.value else {}
    match deed.what:
        case "instructions":
            return {deed.what: fields}
        case "take-over":
            return {deed.what: f"{fields.get('for_s', 60.0):g}s"}
        case what if what in _MAIN:
            return {what: fields.pop(_MAIN[what]), **fields, **ends}
        case what:
            return {what: True, **fields}
