"""The hold on one call: the ring is written with the claim, and otherwise before the call is answered."""

import asyncio
from collections.abc import Sequence

from runner.errors import StoreError
from runner.model.action import ClaimCall
from runner.model.conversation_event import KeyPressed
from runner.model.event import AnswerReplied, ClaimReplied, Decided, Limit
from runner.model.live_call import Claim, Lease
from runner.serve.fleet.call_journal import CallJournal
from runner.serve.fleet.hold import CallHold
from runner.serve.fleet.journal_writer import JournalWriter
from runner.serve.fleet.member import Member
from runner.store.journal.seal import Seal
from runner.store.journal.sealed import HeldPiece, SealedEntries
from tests.call.machine.playing import RINGING
from tests.patience import PATIENCE_S
from tests.serve.fleet.shelf import Shelf, joined

CLAIM = ClaimCall(agent="desk")


class NotedPieces:
    """A store of journals that notes what it is asked beside the other questions."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def append(self, lease: Lease, pieces: Sequence[SealedEntries]) -> set[str]:
        self._shelf.asked += [f"append {piece.first_seq}" for piece in pieces]
        return set()

    async def append_late(self, pieces: Sequence[HeldPiece], *, were_lost: bool = False) -> set[str]:
        raise NotImplementedError


class Ringing:
    """A call that rings, and the writer of its journal."""

    @classmethod
    async def new(cls) -> "Ringing":
        ringing = cls()
        member, ringing.shelf, _, _ = await joined()
        seal = Seal(lambda: ("whsec_secret",))
        writer = JournalWriter(
            NotedPieces(ringing.shelf), seal, lambda: member.keeper.lease, claims=member.keeper.calls
        )
        ringing.member = member
        ringing._writing = asyncio.create_task(writer.run())
        ringing.hold = CallHold(member, CallJournal(writer, RINGING.call_id), RINGING, configuration="c1")
        ringing.hold.append(1.0, RINGING)
        return ringing

    member: Member
    shelf: Shelf
    hold: CallHold
    _writing: asyncio.Task[None]

    async def known(self) -> list[str]:
        """What the store was asked until it knows the call."""
        try:
            await self.hold.known(PATIENCE_S)
        finally:
            self._writing.cancel()
        return self.shelf.asked


async def test_who_rings_is_written_with_the_claim() -> None:
    call = await Ringing.new()
    assert await call.hold.claim(CLAIM) == ClaimReplied(agent="desk")
    assert await call.known() == ["join", "claim with 0"]


async def test_who_rings_is_written_before_the_answer_when_the_claim_could_not_be_made() -> None:
    call = await Ringing.new()
    call.shelf.trouble = StoreError("no answer")
    assert await call.hold.claim(CLAIM) == ClaimReplied(agent="desk")
    call.shelf.trouble = None
    knowing = asyncio.create_task(call.known())
    while "append 0" not in call.shelf.asked:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0)
    # A journal alone tells no runner that there is a call.
    assert not knowing.done()
    await call.member.keeper.look()
    assert await knowing == ["join", "claim with 0", "append 0", "renew", "assert"]


async def test_who_rings_is_written_before_another_agent_answers() -> None:
    call = await Ringing.new()
    call.shelf.claim_answer = Claim(reached=Limit.CONCURRENT_CALLS)
    reached = await call.hold.claim(CLAIM)
    assert reached == ClaimReplied(agent="desk", reached=Limit.CONCURRENT_CALLS)
    call.hold.append(1.0, reached)
    call.shelf.claim_answer = None
    assert await call.hold.claim(ClaimCall(agent="night")) == ClaimReplied(agent="night")
    assert sorted(await call.known()) == ["append 0", "append 1", "claim", "claim with 0", "join"]


async def test_nobody_writes_who_rings_for_a_call_that_another_has() -> None:
    call = await Ringing.new()
    call.shelf.claim_answer = Claim()
    assert await call.hold.claim(CLAIM) == ClaimReplied(agent="desk", taken=True)
    assert await call.known() == ["join", "claim with 0"]


async def test_what_a_call_lives_through_that_another_has_is_not_written_into_its_journal() -> None:
    call = await Ringing.new()
    call.shelf.claim_answer = Claim()
    call.hold.append(1.0, await call.hold.claim(CLAIM))
    assert await call.known() == ["join", "claim with 0"]


async def test_a_journal_is_written_again_once_a_claim_without_the_store_is_confirmed() -> None:
    call = await Ringing.new()
    call.shelf.trouble = StoreError("no answer")
    claimed = await call.hold.claim(CLAIM)
    call.shelf.trouble = None
    call.hold.append(1.0, claimed)
    await call.hold.written()
    await call.hold.answered(RINGING.call_id)
    call.hold.append(2.0, AnswerReplied(decided=Decided.DONE))
    await call.hold.written()
    call.hold.append(3.0, KeyPressed(key="1"))
    await call.member.keeper.look()
    await call.known()
    assert [asked for asked in call.shelf.asked if asked.startswith("append")] == [
        *("append 0", "append 1"),
        *("append 0", "append 1", "append 2"),
        "append 3",
    ]
