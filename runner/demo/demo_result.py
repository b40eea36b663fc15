"""The result of a played call, and what went wrong in it."""

from dataclasses import dataclass, field

from runner.demo.default_script import DefaultScript
from runner.demo.timeline import TimelineEntry
from runner.model.record import CallRecord
from runner.model.values import Json

GOOD_ENDS = frozenset({"hangup", "caller_hung_up", "transferred"})
GOOD_STATUSES = frozenset({"ok", "completed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SentRequest:
    """A request of a tool, of the lookup, or of a delivery; masked."""

    tool: str
    tool_call_id: str
    method: str
    url: str


@dataclass(slots=True)
class DemoResult:
    """The result of the call."""

    entries: list[TimelineEntry] = field(default_factory=list)
    requests: list[SentRequest] = field(default_factory=list)
    deliveries: list[SentRequest] = field(default_factory=list)
    outcome: Json = None
    """The text model's answer about the call, checked against the schema."""
    unfinished: list[str] = field(default_factory=list)
    """What was not done after the call, each as a sentence."""
    violations: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    record: CallRecord | None = None
    webhook_status: int = 0
    ended_in_time: bool = True


def problems_of(play: DefaultScript, result: DemoResult) -> list[str]:
    """What went wrong, in sentences; none for a good call. A transfer that was meant to fail is not a
    problem.
    """
    problems = [*result.violations, *result.unfinished]
    if not result.ended_in_time:
        problems.append("the call did not come to its end, and was ended")
    record = result.record
    if record is None:
        return [*problems, f"the call was not answered (the webhook got {result.webhook_status})"]
    if record.ended not in GOOD_ENDS:
        problems.append(
            f"the call ended with {record.ended}" + (f": {record.detail}" if record.detail else "")
        )
    to_fail = list(play.failing)
    for tool in record.tools:
        if tool.status == "not_completed" and tool.name in to_fail:
            to_fail.remove(tool.name)
        elif tool.status not in GOOD_STATUSES:
            problems.append(
                f'tool "{tool.name}" is {tool.status}' + (f": {tool.error}" if tool.error else "")
            )
    called = {tool.name for tool in record.tools}
    return problems + [
        f'tool "{name}" was never called' for name in dict.fromkeys(play.tools) if name not in called
    ]
