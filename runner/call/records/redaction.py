"""Masks what a record may not hold: numbers and addresses by their form, values by the paths to them.

Everything that was said is searched, and so are arguments, errors and faults:

- `payment_card`, `ssn`, `phone`, `email`: by form; see `runner.call.records.sensitive_spans`. Caller and
  dialled number of the call itself stay: a record must say who called whom.
- `args.…`, `result.…`: the value at that place in any tool's arguments or JSON reply, there and wherever else
  it is written the same, or in the same digits.

Only digits are found: a transcript that says "four one one one" is not understood. Redacting twice changes
nothing.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from runner.call.records.digit_runs import digit_runs
from runner.call.records.known_values import KnownValues
from runner.call.records.sensitive_spans import TextRange, sensitive_spans
from runner.model.agent import Recording, Sensitive
from runner.model.json_text import read_json
from runner.model.record import CallRecord, Deed, ToolUse
from runner.model.values import Json, JsonObject

MASKED = "[redacted]"
"""Replaces the value at a path."""
LONGEST_SEARCHED = 10_000
"""Characters of one text that is searched for numbers and addresses by their form, which takes up to 50 ms. A
longer text is masked as a whole.
"""
MOST_SEARCHED = 2_000
"""Texts and numbers of one value, such as a tool's reply, that are searched so. A value with more of them is
masked as a whole.
"""
DEED_TEXTS = frozenset({"say", "tell", "text", "add", "replace", "set"})
"""The fields of a person's act that hold words."""
_SHORTEST = 4
_SHORTEST_NUMBER = 3
"""A shorter value at a path is masked only in its own place: "yes" and "12" stand everywhere."""

FieldPath: TypeAlias = tuple[str, ...]


class Redactor:
    """Masks what any of these agents declares.

    A call that is handed off is kept as strictly as the strictest of its agents wants.
    """

    def __init__(self, recordings: Iterable[Recording], values: Iterable[str] = ()) -> None:
        """`values` are known to be sensitive, however short: values at result paths, private keys."""
        recordings = tuple(recordings)
        self.keeps_transcript = all(recording.transcript for recording in recordings)
        """Whether what was said is kept at all."""
        self._kinds = [kind for kind in Sensitive if any(kind in each.kinds for each in recordings)]
        self._argument_paths = {path for recording in recordings for path in recording.arguments}
        self._result_paths = {path for recording in recordings for path in recording.results}
        self._country = next((each.country for each in recordings if each.country), "US")
        self._values = {value for value in values if value}
        self._known: KnownValues | None = None

    @property
    def changes_nothing(self) -> bool:
        """Whether nothing is declared."""
        return self.keeps_transcript and not (
            self._kinds or self._argument_paths or self._result_paths or self._values
        )

    @property
    def learns(self) -> bool:
        """Whether more values to mask may become known later in the call."""
        return bool(self._argument_paths or self._result_paths)

    def learn(self, tools: Iterable[ToolUse]) -> None:
        """Remember the values at argument paths in all of these: they may be said earlier or later."""
        if not self._argument_paths:
            return
        for use in tools:
            self._learn(_as_object(use.arguments), self._argument_paths)

    def record(self, record: CallRecord) -> CallRecord:
        """The record, masked."""
        if self.changes_nothing:
            return record
        self.learn(record.tools)
        return replace(
            record,
            turns=tuple(
                replace(turn, text=self._turn(turn.text) if turn.text is not None else None)
                for turn in record.turns
            ),
            tools=tuple(
                replace(
                    use,
                    arguments=self.arguments(use.arguments),
                    error=self.text(use.error) if use.error is not None else None,
                    reply=self.result(use.reply) if self.keeps_transcript else None,
                )
                for use in record.tools
            ),
            handoffs=tuple(replace(each, because=self.text(each.because)) for each in record.handoffs),
            deeds=tuple(self.deed(deed) for deed in record.deeds),
            headers=self.data(record.headers),
            faults=tuple(self.text(fault) for fault in record.faults),
            detail=self.text(record.detail),
        )

    def arguments(self, value: Json) -> Json:
        """A tool call's arguments, as an object or as the model's text."""
        if not isinstance(value, str) or not self._argument_paths:
            return self._at_paths(value, self._argument_paths)
        arguments = _as_object(value)
        if arguments is None:
            # The paths cannot be applied, so all of it may be sensitive.
            return MASKED if value else value
        return json.dumps(self._at_paths(arguments, self._argument_paths), ensure_ascii=False)

    def result(self, reply: Json) -> Json:
        """A tool's reply, as JSON."""
        return self._at_paths(reply, self._result_paths)

    def data(self, value: Json) -> Json:
        """Any JSON value; every text, key and number in it is masked where necessary."""
        return MASKED if self._kinds and _has_more(value, MOST_SEARCHED) else self._data(value)

    def _data(self, value: Json) -> Json:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(key): self._data(entry) for key, entry in value.items()}
        if isinstance(value, list | tuple):
            return [self._data(entry) for entry in value]
        if isinstance(value, int | float) and not isinstance(value, bool):
            written = str(value)
            masked = self.text(written)
            return value if masked == written else masked
        return value

    def names(self, names: JsonObject) -> dict[str, Json]:
        """What templates may name after the call, masked as strictly as the record; its parties stay too."""
        call = {**names["call"], "headers": self.data(names["call"]["headers"])}
        variables = {self.text(name): self.data(value) for name, value in names["vars"].items()}
        return {**names, "vars": variables, "lookup": self.data(names["lookup"]), "call": call}

    def text(self, text: str) -> str:
        """Any text."""
        if not (self._values or self._kinds):
            return text
        if self._kinds and len(text) > LONGEST_SEARCHED:
            return MASKED
        if self._known is None:
            self._known = KnownValues(self._values)
        runs = digit_runs(text)
        spans = [(span, MASKED) for span in self._known.spans(text, runs)]
        for kind in self._kinds:
            mark = f"[{kind.value}]"
            spans += [(span, mark) for span in sensitive_spans(kind, text, runs, self._country)]
        return _masked(text, spans)

    def deed(self, deed: Deed) -> Deed:
        """Mask what a person said, wrote or set as what caller and agent say."""
        fields = self.data(deed.given)
        if not self.keeps_transcript:
            fields = {key: MASKED if key in DEED_TEXTS else value for key, value in fields.items()}
        return replace(deed, given=fields, detail=self.text(deed.detail))

    def _turn(self, text: str) -> str | None:
        return self.text(text) if self.keeps_transcript else None

    def _at_paths(self, value: Json, paths: Collection[FieldPath]) -> Json:
        self._learn(value, paths)
        return self.data(_without(value, paths))

    def _learn(self, value: Json, paths: Collection[FieldPath]) -> None:
        known = len(self._values)
        self._values |= values_at(value, paths)
        if len(self._values) > known:
            self._known = None


def _as_object(arguments: Json) -> JsonObject | None:
    """A tool call's arguments as an object, or None."""
    if isinstance(arguments, str):
        try:
            arguments = read_json(arguments)
        except ValueError:
            return None
    return arguments if isinstance(arguments, dict) else None


def values_at(value: Json, paths: Iterable[FieldPath]) -> set[str]:
    """Everything at or below these paths, as text, except values too short to be sensitive.

    Every entry of a list is searched.
    """
    leaves = {leaf for path in paths for inner in _at(value, path) for leaf in _leaves(inner)}
    return {leaf for leaf in leaves if len(leaf) >= (_SHORTEST_NUMBER if leaf.isdecimal() else _SHORTEST)}


def _at(value: Json, path: FieldPath) -> Iterator[Json]:
    if isinstance(value, list | tuple):
        for entry in value:
            yield from _at(entry, path)
    elif not path:
        yield value
    elif isinstance(value, Mapping) and path[0] in value:
        below = value[path[0]]
        yield from [below] if len(path) == 1 else _at(below, path[1:])


def _leaves(value: Json) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for entry in value:
            yield from _leaves(entry)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)


def _has_more(value: Json, most: int) -> bool:
    """Whether there are more texts, keys and numbers in a value."""
    left, level = most, [value]
    while level and left >= 0:
        below: list[Json] = []
        for each in level:
            if isinstance(each, Mapping):
                left -= len(each)
                below += each.values()
            elif isinstance(each, list | tuple):
                below += each
            else:
                left -= 1
            if left < 0:
                break
        level = below
    return left < 0


def _without(value: Json, paths: Collection[FieldPath]) -> Json:
    """The value with a mark at each of the paths; null stays, since it gives nothing away."""
    if isinstance(value, list | tuple):
        return [_without(entry, paths) for entry in value]
    if not isinstance(value, Mapping):
        return value
    masked = dict(value)
    for key, entry in value.items():
        below = [path[1:] for path in paths if path[0] == key]
        if () in below:
            masked[key] = None if entry is None else MASKED
        elif below:
            masked[key] = _without(entry, below)
    return masked


def _masked(text: str, masks: Sequence[tuple[TextRange, str]]) -> str:
    """The text with a mark in place of each span. Where spans meet, the first one names the mark."""
    merged: list[tuple[TextRange, int]] = []
    for order in sorted(range(len(masks)), key=lambda order: masks[order][0]):
        start, end = masks[order][0]
        if merged and start < merged[-1][0][1]:
            (first_start, first_end), first = merged.pop()
            merged.append(((first_start, max(first_end, end)), min(first, order)))
        else:
            merged.append(((start, end), order))
    parts, at = [], 0
    for (start, end), order in merged:
        parts += [text[at:start], masks[order][1]]
        at = end
    return "".join([*parts, text[at:]])
