"""Masks what is shown of a live call: as strictly as its record, and more strictly where a value is not
complete yet.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from runner.call.records.digit_runs import digit_runs
from runner.call.records.redaction import Redactor
from runner.model.record import Deed
from runner.model.values import Json, JsonObject

HIDDEN = "•••"
"""Stands for digits that may turn out to be sensitive."""
FEWEST_DIGITS = 3
Part = TypeVar("Part")


class LiveMask:
    """What is known to be masked at one moment. Remembers the texts that it has masked: they are shown
    often."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._texts: dict[str, str] = {}

    @property
    def shows_words(self) -> bool:
        """Whether words may be shown as they come: where anything is masked, only whole texts can be."""
        return self._redactor.changes_nothing

    def turn(self, text: str | None) -> str | None:
        """What caller or agent said."""
        return self.text(text) if text is not None and self._redactor.keeps_transcript else None

    def text(self, text: str) -> str:
        """Any text."""
        masked = self._texts.get(text)
        if masked is None:
            masked = self._texts[text] = self._hidden(self._redactor.text(text))
        return masked

    def arguments(self, value: Json) -> Json:
        """A tool call's arguments."""
        return self._all_hidden(self._redactor.arguments(value))

    def reply(self, value: Json) -> Json:
        """A tool's reply."""
        return self._all_hidden(self._redactor.result(value)) if self._redactor.keeps_transcript else None

    def data(self, value: Json) -> Json:
        """Any JSON value."""
        return self._all_hidden(self._redactor.data(value))

    def deed(self, deed: Deed) -> tuple[JsonObject, str]:
        """The fields of a person's act, and its detail."""
        masked = self._redactor.deed(deed)
        return self._all_hidden(masked.given), self._hidden(masked.detail)

    def _hidden(self, text: str) -> str:
        if not self._redactor.learns:
            return text
        parts, at = [], 0
        for run in digit_runs(text):
            if len(run.digits) >= FEWEST_DIGITS:
                start, end = run.span
                parts += [text[at:start], HIDDEN]
                at = end
        return "".join([*parts, text[at:]])

    def _all_hidden(self, value: Json) -> Json:
        if not self._redactor.learns:
            return value
        if isinstance(value, str):
            return self._hidden(value)
        if isinstance(value, Mapping):
            return {self._hidden(key): self._all_hidden(entry) for key, entry in value.items()}
        if isinstance(value, list | tuple):
            return [self._all_hidden(entry) for entry in value]
        if isinstance(value, int | float):
            return HIDDEN if sum(map(str.isdecimal, str(value))) >= FEWEST_DIGITS else value
        return value


class MaskedParts:
    """The masked parts of one call, each with what it was made of: to mask a long reply takes up to 70 ms."""

    __slots__ = ("_known", "_most")

    def __init__(self, most: int) -> None:
        """`most` parts are kept, the last ones."""
        self._most = most
        self._known: dict[str, tuple[tuple[Any, ...], Any]] = {}

    def of(self, key: str, made_of: tuple[Any, ...], make: Callable[[], Part]) -> Part:
        """The part of this key, made anew when it is made of something else."""
        known = self._known.get(key)
        if known is not None and known[0] == made_of:
            part: Part = known[1]
            return part
        part = make()
        self._known[key] = made_of, part
        if len(self._known) > self._most:
            del self._known[next(iter(self._known))]
        return part
