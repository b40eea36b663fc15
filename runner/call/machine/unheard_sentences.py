"""Knows which response says which sentence until the caller has heard it, and reports how each one ended."""

from dataclasses import replace

from runner.call.machine.sentence import Request, Sentence, SentenceEnd
from runner.model.action import Action, ClearTimer, Timer, TimerKind


class UnheardSentences:
    """The sentences of one call that a response says, by response."""

    __slots__ = ("_requests", "ends")

    def __init__(self) -> None:
        self._requests: dict[str, Request] = {}
        self.ends: tuple[tuple[str, SentenceEnd], ...] = ()
        """How keyed sentences have ended, until they are taken."""

    def __contains__(self, response_id: str) -> bool:
        return response_id in self._requests

    def of(self, response_id: str) -> Request | None:
        """What the response was requested for; None where nobody waits for its end."""
        return self._requests.get(response_id)

    @property
    def has_persons(self) -> bool:
        """Whether any of them is a person's."""
        return any(request.is_persons for request in self._requests.values())

    def add(self, response_id: str, request: Request) -> None:
        """The sentences of this request end with this response, besides those that already do."""
        known = self._requests.get(response_id)
        sentences = known.sentences if known is not None else ()
        self._requests[response_id] = replace(request, sentences=(*sentences, *request.sentences))

    def take(self, response_id: str) -> Request | None:
        """The response did not say them: forget that it should."""
        return self._requests.pop(response_id, None)

    def close(self, response_id: str, end: SentenceEnd) -> list[Action]:
        """The response has ended for the caller."""
        request = self._requests.pop(response_id, None)
        if request is None:
            return []
        self._requests = self._requests or {}  # An emptied one keeps its table.
        self.report(request.sentences, end)
        return [ClearTimer(timer=Timer(TimerKind.HEARD, response_id))]

    def lose(self) -> None:
        """It is unknown what the caller hears of any of them."""
        for request in self._requests.values():
            self.report(request.sentences, SentenceEnd.LOST)
        self._requests.clear()

    def report(self, sentences: tuple[Sentence, ...], end: SentenceEnd) -> None:
        """These sentences have ended this way, said or not."""
        self.ends += tuple((sentence.key, end) for sentence in sentences if sentence.key)

    def take_ends(self) -> tuple[tuple[str, SentenceEnd], ...]:
        """How keyed sentences have ended since the last call."""
        ends, self.ends = self.ends, ()
        return ends
