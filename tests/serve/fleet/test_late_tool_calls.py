"""What runners could not write of calls that others have taken: its tools run, whoever dies meanwhile."""

from collections.abc import Sequence

import pytest

from runner.errors import StoreError
from runner.model.conversation_event import CallerSpeaks, Outcome, OutputTaken, ResponseEnded, ToolCalled
from runner.model.event import ToolCallMissed
from runner.serve.fleet.late_tool_calls import LateToolCalls
from runner.serve.latch import Latch
from runner.store.journal.sealed import SealedEntries
from tests.call.machine.playing import RINGING
from tests.serve.fleet.test_left_calls import LIVED, SEAL, Shelf, piece

CALLED = [ToolCalled(response_id="r", call_id=f"c{each}", name="f", arguments="{}") for each in (1, 2, 3)]
LATE = piece(7, (CALLED[0],))


class Served:
    """A call that is served here, and the tool calls that it was given."""

    def __init__(self) -> None:
        self.called: list[ToolCalled] = []
        self.written = Latch()

    def take_up(self, called: Sequence[ToolCalled]) -> Latch:
        self.called += called
        return self.written


class Desk:
    """The calls that are served here, and what has come late for them."""

    def __init__(self, *journal: SealedEntries) -> None:
        self.shelf = Shelf(*journal)
        self.served: Served | None = Served()
        self.late = LateToolCalls(self.shelf, SEAL, lambda call_id: self.served)

    async def takes_up(self, *late: SealedEntries) -> list[SealedEntries]:
        return await self.late.take_up(late)

    @property
    def called(self) -> list[ToolCalled]:
        assert self.served is not None
        return self.served.called


@pytest.fixture
def desk() -> Desk:
    return Desk(piece(0, LIVED))


async def test_the_tool_calls_without_an_output_are_taken_up(desk: Desk) -> None:
    ended = ResponseEnded(response_id="r", outcome=Outcome.COMPLETED, calls=tuple(CALLED[:2]))
    taken = OutputTaken(call_id="c3", item_id="i")
    await desk.takes_up(piece(7, (CallerSpeaks(began=True), CALLED[0], ended, CALLED[2], taken)))
    assert desk.called == CALLED[:2]


async def test_they_stay_in_the_store_until_the_journal_of_the_call_has_them(desk: Desk) -> None:
    assert await desk.takes_up(LATE) == []
    assert await desk.takes_up(LATE) == []
    assert desk.called == CALLED[:1], "it is told once, however often the store is looked at"
    assert desk.served is not None
    desk.served.written.set()
    assert await desk.takes_up(LATE) == [LATE]
    assert await desk.takes_up() == []


async def test_what_comes_while_others_are_written_is_taken_up_after_them(desk: Desk) -> None:
    later = piece(8, (CALLED[1],))
    await desk.takes_up(LATE)
    assert desk.served is not None
    desk.served.written.set()
    desk.served.written = Latch()
    assert await desk.takes_up(LATE, later) == [LATE]
    assert await desk.takes_up(later) == []
    assert desk.called == CALLED[:2]


async def test_those_of_a_call_that_cannot_be_served_yet_wait(desk: Desk) -> None:
    served, desk.served = desk.served, None
    assert await desk.takes_up(LATE) == []
    desk.served = served
    await desk.takes_up(LATE)
    assert desk.called == CALLED[:1]


async def test_a_call_that_went_and_came_back_before_it_was_written_is_told_again(desk: Desk) -> None:
    await desk.takes_up(LATE)
    desk.served = Served()
    assert await desk.takes_up(LATE) == []
    assert desk.called == CALLED[:1]


async def test_what_a_runner_has_taken_up_and_could_not_write_either_is_taken_up(desk: Desk) -> None:
    await desk.takes_up(piece(9, (ToolCallMissed(called=CALLED[0]),)))
    assert desk.called == CALLED[:1]


async def test_what_tells_of_no_tool_is_not_needed(desk: Desk) -> None:
    late = piece(7, (CallerSpeaks(began=True),))
    assert await desk.takes_up(late) == [late]
    assert desk.called == []


async def test_a_journal_that_has_come_late_as_a_whole_has_its_own_key() -> None:
    desk = Desk()
    await desk.takes_up(piece(0, LIVED), LATE)
    assert desk.called == CALLED[:1]


@pytest.mark.parametrize(
    ("journal", "late", "reason"),
    [
        ([piece(0, LIVED)], LATE._replace(first_seq=8), "it was changed or damaged after it was written"),
        ([], LATE, "the beginning of the journal is missing"),
    ],
)
async def test_what_cannot_be_read_is_logged_once_and_goes(
    caplog: pytest.LogCaptureFixture, journal: list[SealedEntries], late: SealedEntries, reason: str
) -> None:
    desk = Desk(*journal)
    assert await desk.takes_up(late) == [late]
    (entry,) = caplog.records
    assert entry.message == "late journal entries cannot be read"
    assert (entry.__dict__["call_id"], entry.__dict__["reason"]) == (RINGING.call_id, reason)


async def test_a_store_that_is_away_is_asked_again(desk: Desk) -> None:
    desk.shelf.trouble = StoreError("no answer")
    with pytest.raises(StoreError):
        await desk.takes_up(LATE)
    desk.shelf.trouble = None
    await desk.takes_up(LATE)
    assert desk.called == CALLED[:1]
