"""Who was heard when, and how long callers waited for an answer: what the record holds of time."""

from collections.abc import Callable
from dataclasses import dataclass

from runner.model.record import Span
from runner.model.values import Instant

CALLER, AGENT, PERSON = "caller", "agent", "person"


@dataclass(slots=True)
class _Open:
    """Somebody begins to be heard."""

    who: str
    since: Instant
    until: Instant | None = None
    is_interrupted: bool = False
    waited_s: float | None = None


class Spans:
    """Follows caller and agent through one call."""

    def __init__(self, is_persons: Callable[[str], bool]) -> None:
        """`is_persons`: whether a response says what a person wanted said."""
        self._is_persons = is_persons
        self._spans: list[_Open] = []
        self._caller: _Open | None = None
        self._caller_stopped_at: Instant | None = None
        self._of_response: dict[str, _Open] = {}

    def caller_speaks(self, *, began: bool, now: Instant) -> None:
        """The caller begins or stops to speak."""
        if began and self._caller is None:
            self._caller = _Open(CALLER, now)
            self._spans.append(self._caller)
        elif not began:
            self._caller_stopped_at = now
            if self._caller is not None:
                self._caller.until = now
                self._caller = None

    def heard(self, response_id: str, now: Instant) -> None:
        """The caller begins to hear a response. Told twice, it began when it was told first."""
        if response_id in self._of_response:
            return
        span = _Open(PERSON if self._is_persons(response_id) else AGENT, now)
        if self._caller_stopped_at is not None and self._caller is None:
            span.waited_s = round(now - self._caller_stopped_at, 3)
        self._caller_stopped_at = None
        self._of_response[response_id] = span
        self._spans.append(span)

    def ended(self, response_id: str, now: Instant, *, is_interrupted: bool) -> None:
        """The caller has heard a response, or has interrupted it."""
        span = self._of_response.get(response_id)
        if span is not None and span.until is None:
            span.until, span.is_interrupted = now, is_interrupted

    def waited_s(self, response_id: str | None) -> float | None:
        """How long the caller waited for this response; None where it answers nothing that was heard."""
        span = self._of_response.get(response_id) if response_id is not None else None
        return span.waited_s if span is not None else None

    def all(self) -> tuple[Span, ...]:
        """Every span, in the order in which they began."""
        return tuple(
            Span(who=span.who, since=span.since, until=span.until, interrupted=span.is_interrupted)
            for span in self._spans
        )
