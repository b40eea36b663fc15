"""Puts the parts of a difference into words: calls, answers, changed values. Prints nothing itself."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from difflib import unified_diff
from enum import Enum

from runner.call.examples.example_call import ExampleCall
from runner.cli.revision import Side
from runner.difference.call_changes import MovedCall, Verdict
from runner.difference.configurations import Difference
from runner.difference.tree import ABSENT, Change
from runner.model.settings import Configuration
from runner.model.values import Json

MOST_EXAMPLES = 3
"""Of one group of calls; the others are counted."""

MOST_LINES = 60
"""Of one change."""

_WIDEST = 80
"""Two values share a line up to this many characters."""

_MARKS = "\"'[]{}#&*!|>%@`-"
"""A plain text of YAML does not begin with any of these."""


class Mark(Enum):
    """The kind of a line in a comparison."""

    OLD = "-"
    NEW = "+"
    SAME = " "
    PLACE = "@"


MarkedLine = tuple[Mark, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two sides and their difference: everything to show."""

    old: Side
    new: Side
    old_configuration: Configuration
    new_configuration: Configuration
    difference: Difference

    def when(self, call: ExampleCall) -> str | None:
        """When the call comes; None where that decides nothing."""
        if not self.difference.calls.has_schedules:
            return None
        at = datetime.fromtimestamp(call.at, self._zone())
        return f"{at:%A} {at.isoformat(timespec='minutes')}"

    def call(self, call: ExampleCall, quoted: Callable[[str], str] = str) -> str:
        """A call in words that `phone-agents route` accepts."""
        parts = [f"from {quoted(call.caller)} to {quoted(call.called)}"]
        parts += [f"with {quoted(f'{name}: {value}')}" for name, value in call.headers]
        when = self.when(call)
        parts += [when] if when else []
        return ", ".join(parts)

    def why(self, example: MovedCall) -> tuple[str, str]:
        """Why it was answered as it was, and why it is now."""
        return self.old.shown(example.old.why), self.new.shown(example.new.why)

    def alike(self) -> Mapping[tuple[str, ...], list[Change]]:
        """The changes of agents, each with all agents that share it: one default changes many."""
        agents: dict[str, tuple[Change, list[str]]] = {}
        for name, found in self.difference.agents.items():
            for change in found:
                agents.setdefault(repr(change), (change, []))[1].append(name)
        groups: dict[tuple[str, ...], list[Change]] = {}
        for change, names in agents.values():
            groups.setdefault(tuple(names), []).append(change)
        return dict(sorted(groups.items(), key=lambda group: (-len(group[0]), group[0])))

    def count(self) -> int:
        """How many changes there are."""
        difference = self.difference
        in_agents = sum(map(len, difference.agents.values()))
        calls = len(difference.calls.moved) + len(difference.calls.without_example)
        return calls + len(difference.added) + len(difference.removed) + in_agents + len(difference.settings)

    def _zone(self) -> tzinfo:
        """The time zone of the first schedule with a condition on it."""
        for configuration in (self.new_configuration, self.old_configuration):
            all_conditions = [
                route.conditions for agent in configuration.agents.values() for route in agent.routes
            ]
            all_conditions += [rule.conditions for rule in configuration.settings.routing.reject]
            for conditions in all_conditions:
                if conditions.during is not None:
                    return configuration.settings.schedules[conditions.during].timezone
        return UTC


def verdict_words(verdict: Verdict) -> str:
    """An agent's id, or `reject 404`."""
    return verdict if isinstance(verdict, str) else f"reject {verdict}"


def path_words(change: Change) -> str:
    """The path of a change, e.g. `tools.find_slots.http.timeout`."""
    return ".".join(change.path).replace(".[", "[")


def on_one_line(change: Change) -> tuple[str, str] | None:
    """Both values, if short enough to be read side by side; None where one is missing or long."""
    if ABSENT in (change.old, change.new) or not (_is_short(change.old) and _is_short(change.new)):
        return None
    old, new = value_words(change.old), value_words(change.new)
    return (old, new) if len(old) + len(new) <= _WIDEST else None


def lines_of(change: Change) -> list[MarkedLine]:
    """The change line by line: a diff of texts and lists, both values of anything else."""
    lines = list(_lines(change.old, change.new))
    hidden = len(lines) - MOST_LINES
    return lines if hidden <= 0 else [*lines[:MOST_LINES], (Mark.PLACE, f"… {hidden} more lines")]


def _lines(old: Json, new: Json) -> Iterator[MarkedLine]:
    if isinstance(old, str) and isinstance(new, str):
        yield from _text_lines(old, new)
    elif isinstance(old, list) and isinstance(new, list):
        yield from ((Mark.OLD, value_words(entry)) for entry in old if entry not in new)
        yield from ((Mark.NEW, value_words(entry)) for entry in new if entry not in old)
        if sorted(map(value_words, old)) == sorted(map(value_words, new)):
            yield Mark.SAME, "the same entries in another order"
    else:
        yield from ((Mark.OLD, line) for line in _block(old))
        yield from ((Mark.NEW, line) for line in _block(new))


def _text_lines(old: str, new: str) -> Iterator[MarkedLine]:
    if "\n" not in old + new:
        yield from ((Mark.OLD, old), (Mark.NEW, new))
        return
    diff_lines = unified_diff(old.split("\n"), new.split("\n"), n=1, lineterm="")
    for line in list(diff_lines)[2:]:
        mark = Mark.PLACE if line.startswith("@@") else Mark(line[:1])
        yield mark, line if mark is Mark.PLACE else line[1:]


def _block(value: Json, indent: str = "") -> Iterator[str]:
    """A value as a YAML block; nothing for a missing value."""
    if value is ABSENT:
        return
    if isinstance(value, str) and "\n" in value:
        yield from (indent + line for line in value.split("\n"))
    elif isinstance(value, Mapping) and value:
        for key, inner in value.items():
            if _is_short(inner):
                yield f"{indent}{key}: {value_words(inner)}"
            else:
                yield f"{indent}{key}:{' |' if isinstance(inner, str) else ''}"
                yield from _block(inner, f"{indent}  ")
    elif isinstance(value, list) and not _is_short(value):
        for entry in value:
            first, *rest = _block(entry)
            yield from (f"{indent}- {first}", *(f"{indent}  {line}" for line in rest))
    else:
        yield indent + value_words(value)


def _is_short(value: Json) -> bool:
    """Whether it is read best on one line."""
    if isinstance(value, str):
        return "\n" not in value
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    is_flat = not any(isinstance(entry, (Mapping, list)) for entry in inner)
    return not inner or (isinstance(value, list) and is_flat and len(value_words(value)) <= _WIDEST)


def value_words(value: Json) -> str:
    """A value on one line, as YAML would have it."""
    if isinstance(value, list):
        return f"[{', '.join(map(_entry_words, value))}]"
    if isinstance(value, str) and value.isprintable() and not _needs_quotes(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _entry_words(entry: Json) -> str:
    needs_quotes = isinstance(entry, str) and any(mark in entry for mark in ",[]{}")
    return json.dumps(entry, ensure_ascii=False) if needs_quotes else value_words(entry)


def _needs_quotes(text: str) -> bool:
    """Whether, without quotes, it would read as something else or its end would be invisible."""
    if text != text.strip() or text in ("", "true", "false", "null") or text[0] in _MARKS or ": " in text:
        return True
    try:
        float(text)
    except ValueError:
        return False
    return not text.startswith("+")  # a telephone number
