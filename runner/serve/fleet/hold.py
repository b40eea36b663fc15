"""This process's hold on one call: its claim, its journal, and the right to act for it."""

import asyncio
from contextlib import suppress

from runner.model.action import ClaimCall
from runner.model.call import Ringing, WebRtcOrigin
from runner.model.entry import Lived
from runner.model.event import ClaimReplied
from runner.model.live_call import CallState, ClaimLimits, HeldCall, Owner
from runner.model.values import Instant
from runner.serve.fleet.call_journal import CallJournal
from runner.serve.fleet.member import Member
from runner.store.journal.sealed import SealedEntries


class CallHold:
    """What a live call needs to know about other runners: whether it is theirs, and where its journal is."""

    __slots__ = (
        "_configuration",
        "_is_held",
        "_is_known",
        "_journal",
        "_keeper",
        "_member",
        "_ring",
        "_ringing",
    )

    def __init__(
        self,
        member: Member,
        journal: CallJournal | None,
        ringing: Ringing,
        *,
        configuration: str,
        is_held: bool = False,
    ) -> None:
        """Without a `journal` nothing is written: the call was taken over without one.

        `is_held`: this process holds the call already, since it has taken it over.
        """
        self._member = member
        self._keeper = member.keeper
        self._journal = journal
        self._ringing = ringing
        self._configuration = configuration
        self._is_held = is_held
        self._ring: SealedEntries | None = None
        """Waits for the claim."""
        self._is_known = False

    async def claim(self, claim: ClaimCall) -> ClaimReplied:
        """Claim the call, and a slot among its agent's calls at all runners.

        The ring is written with the claim: a repeated webhook is answered once the call is claimed, so
        nothing else would tell a runner that takes the claim over.
        """
        origin = self._ringing.origin
        made_as = origin.made_as if isinstance(origin, WebRtcOrigin) else None
        call = HeldCall(
            id=self._ringing.call_id,
            agent=claim.agent,
            configuration=self._configuration,
            began_at=self._ringing.created_at,
            # A call that a page has made itself is answered already.
            state=CallState.RINGING if made_as is None else CallState.ANSWERED,
            api_call_id=made_as,
        )
        limits = ClaimLimits(concurrent_calls=claim.concurrent_calls, calls_per_day=claim.calls_per_day)
        ring, self._ring = self._ring, None
        answer = await self._member.claim(call, limits, ring)
        self._is_known = ring is not None and answer.ours is not None and answer.is_written
        is_taken = answer.ours is None and answer.reached is None
        if self._journal is not None:
            if is_taken:
                # The call has a journal already, perhaps of this process.
                self._journal.close()
            if not answer.is_written:
                self._journal.keep()
            if ring is not None and (answer.reached is not None or not answer.is_written):
                self._journal.put(ring)
        self._is_held = answer.ours is not None
        return ClaimReplied(agent=claim.agent, reached=answer.reached, taken=is_taken)

    async def known(self, within_s: float) -> None:
        """Wait so long until the store has the ring and the claim."""
        if self._is_known:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self.written()
                # A claim that the store has not confirmed: a journal alone tells nobody that there is a call.
                await self._keeper.told()

    async def answered(self, api_call_id: str) -> None:
        """The API has answered the call for us, under this id: others serve it when this process is lost."""
        call_id = self._ringing.call_id
        await self._member.answered(call_id, None if api_call_id == call_id else api_call_id)

    @property
    def fence(self) -> int:
        """Counts up whenever another runner takes the call."""
        return self._keeper.calls.fence(self._ringing.call_id)

    def lost(self) -> None:
        """Another runner acts for the call under a higher fence: drop it."""
        self._member.lose(self._ringing.call_id)

    @property
    def was_paused(self) -> bool:
        """Whether another runner may have taken the call while this process stood still."""
        return self._keeper.was_paused

    async def looked(self) -> None:
        """Wait until the store has said whose the call is."""
        await self._keeper.looked()

    async def may_act(self) -> None:
        """Wait until it is certain that no other runner acts for the call."""
        await self._keeper.acting()

    def append(self, at: Instant, event: Lived) -> None:
        """Write the event soon, so that another process can take the call over. Never waits."""
        if self._journal is None:
            return
        if isinstance(event, Ringing):
            self._ring = self._journal.sealed(at, event)
        else:
            self._journal.append(at, event)

    async def written(self) -> None:
        """Wait until the store has everything that was appended so far."""
        if self._journal is not None:
            await self._journal.written()

    @property
    def owner(self) -> Owner | None:
        """The runner and the fence under which the record is saved; None where no other could save it."""
        return self._member.over(self._ringing.call_id)

    async def release(self, *, was_served: bool) -> None:
        """Give up the hold; a call that was not served may be claimed again."""
        if self._journal is not None:
            self._journal.close()
        if not self._is_held:
            # Another runner has the call, or this one under another hold: it is not ours to release.
            return
        if was_served:
            self._member.forget(self._ringing.call_id)
        else:
            await self._member.unclaim(self._ringing.call_id)
