"""The hold on one call: who rings is written down before the call is claimed."""

import asyncio
from collections.abc import Sequence

import pytest

from runner.model.action import ClaimCall
from runner.model.event import ClaimReplied
from runner.model.live_call import Lease
from runner.serve.fleet import hold as call_hold
from runner.serve.fleet.hold import CallHold
from runner.serve.fleet.journal_writer import CallJournal, JournalWriter
from runner.store.journal.seal import Seal
from runner.store.journal.sealed import HeldPiece, SealedEntries
from tests.call.machine.playing import RINGING
from tests.serve.fleet.test_member import Shelf, joined


class Journals:
    """A store of journals that notes what it is asked beside the other questions."""

    def __init__(self, shelf: Shelf, *, is_stuck: bool) -> None:
        self._shelf = shelf
        self._is_stuck = is_stuck

    async def append(self, lease: Lease, pieces: Sequence[SealedEntries]) -> set[str]:
        if self._is_stuck:
            await asyncio.Event().wait()
        self._shelf.asked += [f"append {piece.first_seq}" for piece in pieces]
        return set()

    async def append_late(self, pieces: Sequence[HeldPiece]) -> set[str]:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("is_stuck", "asked"),
    [(False, ["join", "append 0", "claim"]), (True, ["join", "claim"])],
    ids=["written", "the store takes nothing down"],
)
async def test_who_rings_is_written_down_before_the_call_is_claimed(
    monkeypatch: pytest.MonkeyPatch, is_stuck: bool, asked: list[str]
) -> None:
    monkeypatch.setattr(call_hold, "RING_S", 0.05)
    member, shelf, _, _ = await joined()
    seal = Seal(lambda: ("whsec_secret",))
    writer = JournalWriter(Journals(shelf, is_stuck=is_stuck), seal, lambda: member.lease, held=member.held)
    writing = asyncio.create_task(writer.run())
    try:
        hold = CallHold(member, CallJournal(writer, RINGING.call_id), RINGING, configuration="c1")
        hold.append(1.0, RINGING)
        assert await hold.claim(ClaimCall(agent="desk")) == ClaimReplied(agent="desk")
    finally:
        writing.cancel()
    assert shelf.asked == asked
