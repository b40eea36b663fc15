"""Makes a scenario of a call that was: the text of a `*.test.yaml` that passes as it is."""

from collections.abc import Iterator
from datetime import UTC, datetime

from runner.model.call import Role, Transport
from runner.model.record import CallRecord, ToolUse, Turn
from runner.model.values import Instant
from runner.scenario.update import flow


def scenario_of(record: CallRecord) -> str:
    """The scenario of a call, as YAML: a list with this one scenario.

    It has who called whom and when, what the caller said, what the model said and called, what people did,
    and how it ended. What the record has masked stays masked. `record` is the record as it was saved; that
    of a call that is still live gives the call so far. The text ends with a line break, and can be put
    behind those of a file that has scenarios already.
    """
    called = {
        key: value for key, value in (("from", record.caller), ("to", record.called)) if value is not None
    }
    if record.transport != Transport.SIP.value:
        called["transport"] = record.transport
    lines = [
        f"- name: {flow(f'call {record.id}')}",
        f"  at: {datetime.fromtimestamp(record.created_at, UTC).isoformat(timespec='seconds')}",
        f"  call: {flow(called)}",
        f"  expect: {flow({'agent': record.agent})}",
        "  steps:",
        *(f"    {line}" for line in _steps(record)),
    ]
    return "\n".join(lines) + "\n"


def _steps(record: CallRecord) -> Iterator[str]:
    """What happened, in its order, and how it ended."""
    moments: list[tuple[Instant, Turn | ToolUse]] = [
        *((turn.at, turn) for turn in record.turns),
        *((use.started_at, use) for use in record.tools),
    ]
    caller_has_spoken = False
    for _, each in sorted(moments, key=lambda moment: moment[0]):
        match each:
            case Turn(role=Role.CALLER.value, text=str() as text):
                caller_has_spoken = True
                yield f"- caller: {flow(text)}"
            case Turn(role=Role.AGENT.value, text=str() as text) if caller_has_spoken:
                yield f"- model_says: {flow(text)}"
            case ToolUse(name=name, arguments=arguments):
                yield f"- model_calls: {flow({name: {} if arguments is None else arguments})}"
            case _:
                pass
    if record.ended == "caller_hung_up":
        yield "- caller_hangs_up: true"
        yield f"  expect: {flow({'ended': record.ended})}"
