"""What people want of a call, fitted to where it stands: the table of wishes and phases.

An event of the API's that comes late changes nothing and nobody minds. A person is owed an answer: what the
table does not allow is refused, in a sentence that says why.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from runner.call.machine.intent import End, Intent
from runner.call.machine.phase import LIVE, NOT_GONE, TRANSFERRING, UNANSWERED, CallPhase, Phase
from runner.call.records.deeds import Deeds
from runner.model.event import Steered
from runner.model.steering import AddNote, DeedResult, EndCall, name_of
from runner.model.values import Instant


def why_not(phase: Phase) -> str:
    """Why a person's act does not fit a call that stands here."""
    if phase in UNANSWERED:
        return "the call is not answered yet"
    if phase in TRANSFERRING:
        return "the call is being transferred"
    if phase in {Phase.SAYING_GOODBYE, Phase.HANGING_UP}:
        return "the call is being ended"
    if phase in {Phase.DRAINING_REQUESTS, Phase.OVER}:
        return "the call is over"
    return "the call is not there yet"


def refuse(deeds: Deeds, steered: Steered, phase: Phase, now: Instant) -> None:
    """Refuse an act that does not fit a call that stands here."""
    deeds.settle(steered.id, DeedResult.REFUSED, now, f'no "{name_of(steered.wish)}" now: {why_not(phase)}')


class Steering:
    """Carries out what people want of one call."""

    def __init__(self, *, phase: CallPhase, deeds: Deeds) -> None:
        self._phase = phase
        self._deeds = deeds

    def steered(self, steered: Steered, now: Instant) -> list[Intent]:
        """A person's act: carried out once, or refused."""
        if not self._deeds.open(steered, now):
            return []
        handler = TABLE.get((type(steered.wish), self._phase.now))
        if handler is None:
            refuse(self._deeds, steered, self._phase.now, now)
            return []
        return handler(self, steered, steered.wish, now)

    def _end_call(self, steered: Steered, wish: EndCall, now: Instant) -> list[Intent]:
        self._deeds.settle(steered.id, DeedResult.DONE, now)
        return [End(reason="person", at_once=True)]

    def _add_note(self, steered: Steered, _: AddNote, now: Instant) -> list[Intent]:
        self._deeds.settle(steered.id, DeedResult.DONE, now)
        return []


Handler: TypeAlias = Callable[[Steering, Steered, Any, Instant], list[Intent]]
# Any: each row pairs a type of wish with a handler of just that type, which no signature can say.

ROWS: tuple[tuple[type, tuple[Phase, ...], Handler], ...] = (
    (EndCall, LIVE, Steering._end_call),
    (AddNote, (*NOT_GONE, Phase.DRAINING_REQUESTS), Steering._add_note),
)

TABLE: Mapping[tuple[type, Phase], Handler] = {
    (wish, phase): handler for wish, phases, handler in ROWS for phase in phases
}
