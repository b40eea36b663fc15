"""Shows a difference on a terminal."""

from collections.abc import Iterable

from runner.cli.difference_words import (
    MOST_EXAMPLES,
    Comparison,
    Mark,
    lines_of,
    on_one_line,
    path_words,
    verdict_words,
)
from runner.cli.summary import answer_of, asks
from runner.cli.terminal import Style, Terminal, printable
from runner.difference.call_changes import MovedCalls
from runner.difference.tree import ABSENT, Change

_STYLES = {Mark.OLD: Style.REMOVED, Mark.NEW: Style.GOOD, Mark.PLACE: Style.NAME}


def show_difference(compared: Comparison, terminal: Terminal) -> None:
    """Print every section that is not empty; nothing at all for no difference."""
    _Page(compared, terminal).show()


class _Page:
    def __init__(self, compared: Comparison, terminal: Terminal) -> None:
        self._compared = compared
        self._terminal = terminal
        self._is_first = True

    def show(self) -> None:
        difference = self._compared.difference
        if difference.calls.moved:
            self._title("calls that go elsewhere")
            for moved in difference.calls.moved:
                self._moved(moved)
        if difference.calls.without_example:
            self._title("routes written otherwise, without a call to show that it matters")
            self._without_example()
        if difference.added or difference.removed:
            self._title("agents")
            for name in difference.added:
                self._line(f"  + {name}", Style.GOOD)
            for name in difference.removed:
                self._line(f"  - {name}", Style.REMOVED)
        for names, changes in self._compared.alike().items():
            self._title(f"{'agent' if len(names) == 1 else 'agents'} {', '.join(names)}")
            self._changes(changes)
        if difference.settings:
            self._title("settings")
            self._changes(difference.settings)

    def _title(self, text: str) -> None:
        if not self._is_first:
            self._line("")
        self._is_first = False
        self._line(text, Style.BOLD)

    def _line(self, text: str, style: Style | None = None) -> None:
        shown = printable(text)
        self._terminal.line(self._terminal.styled(shown, style) if style else shown)

    def _moved(self, moved: MovedCalls) -> None:
        self._line(f"  {verdict_words(moved.old)} → {verdict_words(moved.new)}", Style.NAME)
        for example in moved.examples[:MOST_EXAMPLES]:
            was, now = self._compared.why(example)
            self._line(f"    {self._compared.call(example.call)}")
            self._line(f"      was: {was}", Style.REMOVED)
            self._line(f"      now: {now}", Style.GOOD)
        hidden = len(moved.examples) - MOST_EXAMPLES
        if hidden > 0:
            self._line(f"    and {hidden} more; --format json names them all", Style.DIM)

    def _without_example(self) -> None:
        for one in self._compared.difference.calls.without_example:
            side = self._compared.new if one.is_new else self._compared.old
            mark, style = ("+", Style.GOOD) if one.is_new else ("-", Style.REMOVED)
            rule = one.rule
            self._line(
                f"  {mark} {answer_of(rule)}  {side.place(rule.place)}  {asks(rule.conditions)}", style
            )

    def _changes(self, changes: Iterable[Change]) -> None:
        for change in changes:
            path, both = path_words(change), on_one_line(change)
            if both is not None:
                self._line(f"  {path}: {both[0]} → {both[1]}")
                continue
            if change.new is ABSENT:
                self._line(f"  - {path}", Style.REMOVED)
                continue
            is_new = change.old is ABSENT
            lines = lines_of(change)
            if is_new and len(lines) == 1:
                self._line(f"  + {path}: {lines[0][1]}", Style.GOOD)
                continue
            self._line(f"  {'+ ' if is_new else ''}{path}:", Style.GOOD if is_new else None)
            for mark, text in lines:
                prefix = "" if mark is Mark.PLACE else f"{mark.value} "
                self._line(f"    {prefix}{text}".rstrip(), _STYLES.get(mark))
