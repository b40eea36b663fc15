"""The contract of a store. The same tests hold every engine to it; none of them decides anything.

Every method raises StoreError when the database cannot do it now, and then nothing of it is done.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from runner.model.job import Backlog, DueJob, Job, JobCapacity, JobResult
from runner.model.live_call import Claim, ClaimLimits, FleetCall, HeldCall, Lease, Owner, RunnerInfo
from runner.model.record import CallRecord
from runner.model.stored_call import CallFilter, CallSummary, StoredCall, StoredJob
from runner.model.values import Instant
from runner.store.journal.sealed import HeldPiece, SealedEntries


class RecordStore(Protocol):
    """The records of calls that are over."""

    async def save(self, record: CallRecord, jobs: Sequence[Job] = (), *, owner: Owner | None = None) -> None:
        """Write a record and the jobs after its call, both or neither. The call is live no more, and its
        journal is deleted with it.

        Without an `owner` a record of the same call is replaced, and a job that is there stays as it is. With
        one, only the owner of the call may save it, once; a second time changes nothing. Raises CallLostError
        when another has the call. Cancelling the wait does not cancel the writing.
        """

    async def read(self, call_id: str) -> StoredCall | None:
        """One call with its outcome and its open and parked jobs."""

    async def find(self, where: CallFilter, most: int) -> list[CallSummary]:
        """The newest matching calls, at most this many, newest first."""

    async def texts(self, where: CallFilter, most: int) -> list[str]:
        """The records of the calls that `find` finds, as JSON text: parsing many takes the caller's time."""

    async def count_calls(self, since: Instant) -> dict[str, int]:
        """How many calls that began to ring at `since` or later have a record, by the agent that answered."""

    async def delete(self, call_id: str) -> bool:
        """Delete the record of a call, with its jobs and what is left of its journal; returns whether there
        was one.

        Nothing of a live call is deleted.
        """

    async def delete_before(self, instant: Instant, most: int) -> int:
        """Delete at most this many calls that began to ring before this instant, the oldest first; returns
        the number.

        A call whose jobs are still tried stays until they are done or parked.
        Raises ClockError where the instant comes from a clock that differs from the database's.
        """


class JobStore(Protocol):
    """The jobs after calls."""

    async def take(self, capacity: JobCapacity, *, now: Instant, lease_s: float) -> list[DueJob]:
        """Jobs that are due at `now`, for each receiver those that have been due longest. Receivers with
        fewer jobs in this process come first, so that one that hangs never delays another.

        No other process gets one of them for `lease_s`, and then it is due again, so that it is not lost with
        the process that took it. A job that cannot be read is parked, and the log says so.
        """

    async def settle(self, due: DueJob, result: JobResult, now: Instant) -> None:
        """Write the result of an attempt. Once an outcome is done or parked, the deliveries that wait for it
        are due.

        When another has taken the job meanwhile, only `Done` counts.
        """

    async def release(self, jobs: Sequence[DueJob]) -> None:
        """Give back jobs that were taken and not attempted to the end: they are due as before."""

    async def backlog(self, busy: Collection[str] = ()) -> Backlog:
        """How many jobs there are, and when the next is due that is not of a `busy` receiver."""

    async def parked(self, most: int) -> list[StoredJob]:
        """The parked jobs, the newest first."""

    async def retry_parked(self, call_id: str, now: Instant) -> int:
        """Open the parked jobs of a call again, due at `now`, as if they were new; returns the number."""


class FleetStore(Protocol):
    """The runners, and which of them serves which live call.

    Only the clock of the database counts. Whatever a runner does in its calls' name is refused once its lease
    is over (LeaseLostError): it asserts its calls again, and learns which of them it has lost.
    """

    is_exclusive: bool
    """Whether only one process at a time can join: nobody else takes its calls while it lives."""

    async def join(self, runner: RunnerInfo, lease_s: float) -> Lease:
        """Join the runners, with a lease that must be renewed within this many seconds.

        Raises CannotRunError where a store is for one process at a time, and another has it.
        """

    async def renew(self, lease: Lease) -> bool:
        """Renew the lease. False when it is over, or when the database is not the one that granted it, and
        may have lost data: then the calls must be asserted.
        """

    async def assert_calls(
        self, runner: RunnerInfo, lease: Lease, calls: Callable[[], Sequence[HeldCall]], lease_s: float
    ) -> tuple[Lease, dict[str, int]]:
        """A new lease for a runner that holds these calls, and the fences of those that it has not lost.

        `calls` is asked once nothing can be claimed under the old lease any more: what was claimed while the
        store was waited for is one of them.

        What was sent under the old lease is refused from now on. A call that the store does not know, since
        it was away or has lost it, is claimed; one with an older fence is taken back. While two runners have
        claimed a call, neither loses it before the API has answered it for one of them: see `set_state`.
        """

    async def leave(self, lease: Lease) -> None:
        """Leave the runners, and let others take all calls at once."""

    async def claim(
        self, lease: Lease, call: HeldCall, limits: ClaimLimits, ring: SealedEntries | None = None
    ) -> Claim:
        """Claim a ringing call before it is answered, and begin its journal with the `ring`, both or neither:
        a runner that takes the claim over learns who rings from nowhere else. Raises LeaseLostError.

        A call is claimed once, over all runners, webhooks and tokens, unless its runner was lost before it
        answered. ClaimLimits are counted where the claim is made, over all runners.
        """

    async def set_state(self, lease: Lease, call: HeldCall) -> int:
        """Write the state of a call and the API's id of it; returns the fence under which it is held now.

        A call that another has claimed under the same fence, and not answered, belongs to the runner that the
        API has answered it for: the other one claimed it while this one could not reach the store. Its
        journal begins anew. Raises CallLostError when another has the call.
        """

    async def unclaim(self, lease: Lease, call: HeldCall) -> None:
        """Give up the claim to a call that is not answered: it may be claimed again."""

    async def retire(self, lease: Lease) -> None:
        """Announce that this runner is about to end: it takes no more calls while another runner stays."""

    async def hand_over(self, lease: Lease, call_ids: Sequence[str]) -> None:
        """Let others take these calls at once."""

    async def take_over(self, lease: Lease) -> list[HeldCall]:
        """Take this runner's share of the calls without a runner, with a new fence each; of very many a part.
        The newest come first.

        Those are the calls of runners whose lease is over, and those that were handed over. A runner takes
        calls of others only once it has held its lease for as long as it lasts: after an outage of the
        database all leases are over and nobody is lost. Raises LeaseLostError, and ClockError where timers of
        their calls would fire at other times here.
        """

    async def live_calls(self) -> list[FleetCall]:
        """The live calls of all runners, the oldest first."""

    async def live_call(self, call_id: str) -> FleetCall | None:
        """One live call, and who serves it; None when there is no such call."""

    async def runners(self) -> list[RunnerInfo]:
        """The runners with a valid lease."""


class JournalStore(Protocol):
    """The sealed journals of live calls, and the configurations under which they began."""

    async def append(self, lease: Lease, pieces: Sequence[SealedEntries]) -> set[str]:
        """Write pieces of journals; existing ones are replaced. Raises LeaseLostError, and then none is
        written.

        Nothing is written for a call that another runner has, or that is over; returns the ids of these. What
        is of the former is late: see `late`.
        """

    async def append_late(self, pieces: Sequence[HeldPiece], *, were_lost: bool = False) -> set[str]:
        """Write pieces that an ended process could not, each with the fence under which it held the call.

        Nothing is written for a call that is over, or that another has taken since; returns the ids of the
        latter. What is of these is late: see `late`.

        A call that the store does not know becomes known, for the next runner that looks, unless the calls
        `were_lost`: then it is over, and its record was deleted or never made.
        """

    async def late(self, lease: Lease) -> list[SealedEntries]:
        """Pieces of journals that came after this runner had taken their calls over: nobody else knows of
        what they tell. They stay until `forget_late`, or until the call is over.
        """

    async def forget_late(self, lease: Lease, pieces: Sequence[SealedEntries]) -> None:
        """Delete these late pieces, since what follows from them is in the journals of their calls. Those of
        a call that another runner has taken since stay for that one.
        """

    async def journals(self, call_ids: Sequence[str]) -> dict[str, list[SealedEntries]]:
        """All pieces of the journals of these calls, each in its order; nothing of a call without one."""

    async def publish(self, lease: Lease, configuration: str, texts: str) -> None:
        """Keep the texts of a configuration by its hash. This runner uses it for new calls from now on."""

    async def configuration(self, configuration: str) -> str | None:
        """The texts of a configuration that a live call or a runner uses."""

    async def sweep(self) -> None:
        """Delete what no live call needs."""


class Store(RecordStore, JobStore, FleetStore, JournalStore, Protocol):
    """Keeps the records of calls, their jobs, and what another runner needs to continue them."""

    async def close(self) -> None:
        """Close the database. Bounded in time, and safe to call twice."""
