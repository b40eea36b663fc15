"""Shows a call on a terminal as it happens: who speaks, which tool is called, and finally the record."""

import json
import textwrap
from collections.abc import Iterable

from runner.cli.terminal import Style, Terminal, printable
from runner.demo.timeline import EntryKind, TimelineEntry
from runner.model.record import CallRecord, ToolUse

NARROWEST = 30
WIDEST = 110
"""Longer lines are hard to read, however wide the terminal is."""
MOST_LINES = 4
"""Of a long JSON text only the beginning is shown."""
TIME_WIDTH = 7
LABEL_WIDTH = 9

_LABELS = {
    EntryKind.RINGS: ("rings", Style.BOLD),
    EntryKind.ANSWERED: ("answered", Style.GOOD),
    EntryKind.REJECTED: ("rejected", Style.ERROR),
    EntryKind.AGENT: ("agent", Style.NAME),
    EntryKind.CALLER: ("caller", Style.BOLD),
    EntryKind.TOOL: ("tool", Style.WARNING),
    EntryKind.REQUEST: ("", Style.DIM),
    EntryKind.OUTPUT: ("", Style.DIM),
    EntryKind.TRANSFER: ("transfer", Style.WARNING),
    EntryKind.HANDOFF: ("hand-off", Style.NAME),
    EntryKind.PERSON: ("person", Style.WARNING),
    EntryKind.HANGUP: ("hangs up", Style.BOLD),
    EntryKind.ERROR: ("error", Style.ERROR),
    EntryKind.ENDED: ("ended", Style.BOLD),
    EntryKind.OUTCOME: ("outcome", Style.GOOD),
    EntryKind.DELIVERY: ("delivers", Style.DIM),
}
_ENDED = {
    "hangup": "the agent hung up",
    "person": "a person hung up",
    "caller_hung_up": "the caller hung up",
    "transferred": "the caller was transferred",
    "max_duration": "limits.max_duration was reached",
    "max_cost": "limits.max_cost was reached",
    "max_tool_calls": "limits.max_tool_calls was reached",
    "silence": "the caller said nothing",
    "ghost": "nothing at all was heard",
    "guardrail": "a guardrail ended it",
    "model_failed": "the model failed again and again",
    "session_expired": "the API ended the session",
    "failed": "the call failed",
    "lost": "it ended while no runner served it",
    "shutdown": "the runner was stopped",
}


class CallPrinter:
    """Writes a call to a terminal of `columns` columns."""

    def __init__(self, terminal: Terminal, columns: int) -> None:
        self._terminal = terminal
        self._width = max(NARROWEST, min(columns - 1, WIDEST))

    def introduce(self, title: str, facts: Iterable[str]) -> None:
        """Say which agent answers, and what is known of the call."""
        self._terminal.line()
        for line in self._wrapped(title, self._width):
            self._terminal.line(self._terminal.styled(line, Style.BOLD))
        for text in facts:
            for line in self._wrapped(text, self._width):
                self._terminal.line(self._terminal.styled(line, Style.DIM))
        self._terminal.line()

    def show(self, entry: TimelineEntry) -> None:
        """One entry, on one line or a few."""
        label, style = _LABELS[entry.what]
        text, time = self._worded(entry), _clock(entry.at_s)
        lines = self._wrapped(text, self._width - TIME_WIDTH - LABEL_WIDTH - 2)
        if entry.what in (EntryKind.TOOL, EntryKind.REQUEST, EntryKind.OUTPUT):
            lines = _shortened(lines)
        detail = entry.what in (EntryKind.REQUEST, EntryKind.OUTPUT)
        # The model sees a tool's error and continues; any other is a fault of the call.
        failed = Style.WARNING if detail else Style.ERROR
        text_style = failed if not entry.ok else Style.DIM if detail else None
        self._rows("" if detail else time, label, style, lines, text_style)

    def conclude(self, record: CallRecord | None, lasted_s: float) -> None:
        """Show the record, as a table."""
        self._terminal.line()
        self._terminal.line(self._terminal.styled("record", Style.BOLD))
        if record is None:
            self._rows("", "", Style.DIM, ["no record was written"], Style.ERROR)
            return
        for label, text in _rows_of(record, lasted_s):
            width = self._width - LABEL_WIDTH - 3
            lines = self._wrapped(text, width)
            self._rows(None, label, Style.DIM, lines, None)

    def remark(self, label: str, texts: Iterable[str], style: Style) -> None:
        """Show remarks, one paragraph each."""
        for text in texts:
            lines = self._wrapped(f"{label}: {text}", self._width - 2)
            for number, line in enumerate(lines):
                head = self._terminal.styled(line, style) if number == 0 and style is Style.ERROR else line
                self._terminal.line(head if number == 0 else f"  {head}")

    def _worded(self, entry: TimelineEntry) -> str:
        match entry.what:
            case EntryKind.REQUEST | EntryKind.DELIVERY:
                return f"→ {entry.text}"
            case EntryKind.OUTPUT:
                return f"← {_spaced(entry.text)}{_in_ms(entry.took_s)}"
            case EntryKind.ANSWERED:
                return f"by {entry.text}{_in_ms(entry.took_s)}"
            case EntryKind.REJECTED:
                return f"with {entry.text}"
            case EntryKind.TRANSFER:
                return f"to {entry.text}"
            case _:
                return entry.text

    def _rows(
        self, time: str | None, label: str, style: Style, lines: list[str], text_style: Style | None
    ) -> None:
        for number, line in enumerate(lines or [""]):
            first = number == 0
            margin = "  " if time is None else f"{time if first else '':>{TIME_WIDTH}} "
            head = f"{label if first else '':<{LABEL_WIDTH}}"
            body = self._terminal.styled(line, text_style) if text_style else line
            shown = f"{self._terminal.styled(margin, Style.DIM)}{self._terminal.styled(head, style)} {body}"
            self._terminal.line(shown.rstrip())

    def _wrapped(self, text: str, width: int) -> list[str]:
        flat = printable(" ".join(text.split()))
        return textwrap.wrap(flat, width, break_on_hyphens=False)


def _rows_of(record: CallRecord, lasted_s: float) -> list[tuple[str, str]]:
    usage = record.usage
    ended = _ENDED.get(record.ended, record.ended)
    cached = usage.text_cached + usage.audio_cached
    tokens_in, tokens_out = usage.text_in + usage.audio_in, usage.text_out + usage.audio_out
    cost = "unknown" if record.cost_usd is None else f"${record.cost_usd:.4f}, an estimate"
    rows = [
        ("ended", f"{record.ended}: {ended} after {_clock(lasted_s)}"),
        ("detail", record.detail),
        ("turns", str(len(record.turns))),
        ("tools", "; ".join(_tool(tool) for tool in record.tools) or "none"),
        ("tokens", f"{tokens_in} in ({cached} of them cached), {tokens_out} out"),
        ("cost", f"{cost}, at the prices of {record.model}" if record.cost_usd is not None else cost),
    ]
    return [(label, text) for label, text in rows if text]


def _tool(tool: ToolUse) -> str:
    tries = f", {tool.attempts} attempts" if tool.attempts > 1 else ""
    return f"{tool.name} {tool.status}{_in_ms(tool.took_s)}{tries}"


def _spaced(text: str) -> str:
    """JSON with spaces, so that it can be broken into lines; other text unchanged."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False)
    except ValueError:
        return text


def _shortened(lines: list[str]) -> list[str]:
    if len(lines) <= MOST_LINES:
        return lines
    return [*lines[: MOST_LINES - 1], f"{lines[MOST_LINES - 1][:-2]} …"]


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds, 1), 60)
    return f"{int(minutes)}:{rest:04.1f}"


def _in_ms(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f" ({seconds * 1000:.0f} ms)" if seconds < 1 else f" ({seconds:.1f} s)"
