"""A runner as the store knows it, for tests of leases, claims and take-overs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from runner.model.live_call import CallState, Claim, ClaimLimits, HeldCall, Lease, RunnerInfo
from runner.store.journal.sealed import SealedEntries
from runner.store.store import Store
from tests.store.engines import Engine

HOUR_S = 3600.0
NO_LIMITS = ClaimLimits()


def ringing(call_id: str = "rtc_1", **fields: Any) -> HeldCall:
    return HeldCall(**{"id": call_id, "agent": "desk", "configuration": "c1", "began_at": 1000.0, **fields})


def piece(call_id: str = "rtc_1", first_seq: int = 0, entries: bytes = b"sealed") -> SealedEntries:
    return SealedEntries(call_id=call_id, first_seq=first_seq, entries=entries)


@dataclass
class Member:
    """A runner, with a store of its own."""

    store: Store
    info: RunnerInfo
    lease: Lease

    @property
    def id(self) -> str:
        return self.info.id

    async def claim(
        self, call: HeldCall, limits: ClaimLimits = NO_LIMITS, ring: SealedEntries | None = None
    ) -> Claim:
        return await self.store.claim(self.lease, call, limits, ring)

    async def holds(self, call_id: str = "rtc_1", **fields: Any) -> HeldCall:
        claimed = await self.claim(ringing(call_id, **fields))
        assert claimed.ours is not None
        return claimed.ours

    async def answers(self, call: HeldCall) -> int:
        return await self.store.set_state(self.lease, replace(call, state=CallState.ANSWERED))

    async def append(self, *pieces: SealedEntries) -> set[str]:
        return await self.store.append(self.lease, pieces)

    async def take_over(self) -> list[HeldCall]:
        return await self.store.take_over(self.lease)

    async def assert_calls(self, calls: Sequence[HeldCall], lease_s: float = HOUR_S) -> set[str]:
        """Returns the ids of those that are lost."""
        self.lease, fences = await self.store.assert_calls(self.info, self.lease, lambda: calls, lease_s)
        return {call.id for call in calls} - set(fences)

    async def leave(self) -> None:
        await self.store.leave(self.lease)


async def journal(member: Member, call_id: str) -> list[SealedEntries]:
    """All pieces of one call."""
    return (await member.store.journals([call_id])).get(call_id, [])


async def joined(engine: Engine, name: str, lease_s: float = HOUR_S) -> Member:
    store = await engine.open()
    info = RunnerInfo(
        id=name,
        version="1",
        configuration="c1",
        address=f"http://{name}:8081",
        page_address=f"http://{name}:8080",
    )
    return Member(store, info, await store.join(info, lease_s))
