"""Writes a difference as Markdown, for a comment on a pull request or the summary of a job."""

import re
from collections.abc import Iterable, Iterator

from runner.cli.difference_words import (
    MOST_EXAMPLES,
    Comparison,
    Mark,
    lines_of,
    path_words,
    verdict_words,
)
from runner.cli.summary import answer_of, asks
from runner.cli.terminal import printable
from runner.difference.tree import Change


def markdown(compared: Comparison) -> str:
    """The whole comment. Texts of the users' files are quoted, so that none is read as Markdown."""
    return "\n".join(_page(compared)) + "\n"


def _page(compared: Comparison) -> Iterator[str]:
    difference = compared.difference
    between = f"between {_code(compared.old.label)} and {_code(compared.new.label)}"
    if difference.is_empty:
        yield f"### Nothing changes for callers {between}"
        return
    yield f"### What changes for callers {between}"
    if difference.calls.moved:
        yield from _calls(compared)
    if difference.calls.without_example:
        yield from _without_example(compared)
    if difference.added or difference.removed:
        yield from ("", "#### Agents", "")
        yield from (f"- {_code(name)} is new" for name in difference.added)
        yield from (f"- {_code(name)} is gone" for name in difference.removed)
    for names, changes in compared.alike().items():
        yield from ("", f"#### {'Agent' if len(names) == 1 else 'Agents'} {', '.join(map(_code, names))}", "")
        yield from _fenced(changes)
    if difference.settings:
        yield from ("", "#### Settings", "")
        yield from _fenced(difference.settings)


def _calls(compared: Comparison) -> Iterator[str]:
    yield from ("", "#### Calls that go elsewhere", "", "| a call | was answered by | is answered by |")
    yield "| --- | --- | --- |"
    for moved in compared.difference.calls.moved:
        old, new = (f"**{_code(verdict_words(verdict))}**" for verdict in (moved.old, moved.new))
        for example in moved.examples[:MOST_EXAMPLES]:
            was, now = compared.why(example)
            call = compared.call(example.call, _code)
            yield f"| {call} | {old}: {_code(was)} | {new}: {_code(now)} |"
        hidden = len(moved.examples) - MOST_EXAMPLES
        if hidden > 0:
            yield f"| and {hidden} more | {old} | {new} |"


def _without_example(compared: Comparison) -> Iterator[str]:
    yield from ("", "#### Routes written otherwise, without a call to show that it matters", "")
    for one in compared.difference.calls.without_example:
        side = compared.new if one.is_new else compared.old
        rule = one.rule
        words = f"{answer_of(rule)}: {asks(rule.conditions)}"
        yield f"- {'new' if one.is_new else 'gone'}: {_code(words)} at {_code(side.place(rule.place))}"


def _fenced(changes: Iterable[Change]) -> Iterator[str]:
    """Changes as a patch, which is shown in colour."""
    lines: list[str] = []
    for change in changes:
        lines.append(f"@@ {path_words(change)} @@")
        # A mark stands for the omitted lines of a long text.
        lines += (text if mark is Mark.PLACE else f"{mark.value} {text}" for mark, text in lines_of(change))
    # A character that turns the direction of writing would show a reviewer another change.
    lines = list(map(printable, lines))
    longest = max((len(ticks) for line in lines for ticks in re.findall("`{3,}", line)), default=2)
    fence = "`" * (longest + 1)
    yield f"{fence}diff"
    yield from lines
    yield fence


def _code(text: str) -> str:
    """The text as code, on one line, also within a table."""
    shown = printable(" ".join(text.split())).replace("|", "\\|")
    longest = max(map(len, re.findall("`+", shown)), default=0)
    ticks = "`" * (longest + 1)
    space = " " if longest else ""
    return f"{ticks}{space}{shown}{space}{ticks}"
