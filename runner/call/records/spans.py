"""Records who was heard when, and how long callers waited for an answer.

A long call has thousands of spans, and many calls are live at once, so they are stored as numbers.
"""

from array import array
from collections.abc import Callable
from math import isnan, nan

from runner.model.record import Span
from runner.model.values import Instant

_WHO = ("caller", "agent", "person")
_CALLER, _AGENT, _PERSON = range(3)
_INTERRUPTED = 4


class Spans:
    """Follows caller and agent through one call."""

    __slots__ = (
        "_caller",
        "_caller_stopped_at",
        "_is_persons",
        "_last",
        "_marks",
        "_playing",
        "_since",
        "_until",
    )

    def __init__(self, is_persons: Callable[[str], bool]) -> None:
        """`is_persons`: whether a response says what a person wanted said."""
        self._is_persons = is_persons
        self._since = array("d")
        self._until = array("d")
        self._marks = bytearray()
        """Who was heard, and whether they were interrupted."""
        self._caller: int | None = None
        """The span in which the caller speaks now."""
        self._caller_stopped_at: Instant | None = None
        self._playing: dict[str, int] = {}
        """The spans of the responses that play now."""
        self._last = ""
        """The response that played last."""

    def caller_speaks(self, *, began: bool, now: Instant) -> None:
        """The caller starts or stops speaking."""
        if began and self._caller is None:
            self._caller = self._open(_CALLER, now)
        elif not began:
            self._caller_stopped_at = now
            if self._caller is not None:
                self._until[self._caller] = now
                self._caller = None

    def heard(self, response_id: str, now: Instant) -> float | None:
        """A response begins to play. Returns how long the caller waited for it since they spoke.

        None for a response that answers nothing. The first report counts.
        """
        if response_id in self._playing or response_id == self._last:
            return None
        self._playing[response_id] = self._open(_PERSON if self._is_persons(response_id) else _AGENT, now)
        stopped_at, self._caller_stopped_at = self._caller_stopped_at, None
        return None if stopped_at is None or self._caller is not None else round(now - stopped_at, 3)

    def ended(self, response_id: str, now: Instant, *, is_interrupted: bool) -> None:
        """The caller has heard a response to the end, or has interrupted it."""
        number = self._playing.pop(response_id, None)
        if number is not None:
            self._playing = self._playing or {}  # An emptied one keeps its table.
            self._last = response_id
            self._until[number] = now
            self._marks[number] |= _INTERRUPTED * is_interrupted

    def all(self) -> tuple[Span, ...]:
        """Every span, in the order of their beginnings."""
        return tuple(
            Span(
                who=_WHO[mark & ~_INTERRUPTED],
                since=since,
                until=None if isnan(until) else until,
                interrupted=bool(mark & _INTERRUPTED),
            )
            for since, until, mark in zip(self._since, self._until, self._marks, strict=True)
        )

    def _open(self, who: int, now: Instant) -> int:
        self._since.append(now)
        self._until.append(nan)
        self._marks.append(who)
        return len(self._marks) - 1
