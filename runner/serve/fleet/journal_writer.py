"""Writes the journals of this process's live calls: in batches, sealed, off the callers' path.

No event waits for the store. Entries that an absent store cannot take wait in a file within bounds, which
outlives the process, and are sent in order as soon as the store is back. Entries beyond the bound are lost:
their calls can be taken over only without a journal.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from runner.errors import LeaseLostError, StoreError, StoreRefusedError
from runner.model.live_call import HeldCall, Lease
from runner.serve.fleet.call_journal import CallJournal
from runner.serve.fleet.left_pieces import MOST_PIECES, LatePieceStore, write_left
from runner.serve.latch import Latch
from runner.store.journal.piece_spool import PieceSpool
from runner.store.journal.seal import Seal
from runner.store.journal.sealed import HeldPiece, SealedEntries

log = logging.getLogger("runner.serve.fleet.journal_writer")

BATCH_S = 0.1
"""How long entries are gathered into one batch: with hundreds of calls it costs as much as what is in it."""
RETRY_S = 1.0
SOON_S = 0.1
"""After a lease is over, since the next one comes soon and callers who ring wait for their journal; and after
a first failure, since a process that stood still sees timeouts of its own making.
"""
APPEND_S = 5.0
"""For the store to take a batch."""
MOST_WAITING = 20_000
"""Pieces that wait in memory when no file takes them either."""


class PieceStore(LatePieceStore, Protocol):
    """Where pieces of journals are kept. `runner.store.store.JournalStore` has the contract."""

    async def append(self, lease: Lease, pieces: Sequence[SealedEntries]) -> set[str]:
        """Write pieces of journals, except for calls of other runners."""


class Claims(Protocol):
    """Which calls this process has. `runner.serve.fleet.member` has the real ones."""

    def held(self, call_id: str) -> HeldCall | None:
        """How this call is held; None where it is not."""

    def is_confirmed(self, call_id: str) -> bool:
        """Whether the store knows that this process has the call."""

    def was_lost(self, call_id: str) -> bool:
        """Whether another runner has, or has had, this call of ours."""


class _Waiting(NamedTuple):
    """A piece that the store has not taken yet."""

    journal: CallJournal
    piece: SealedEntries


class JournalWriter:
    """The one writer of a process. `recover` first, keep `run` running, and `close` it at the end."""

    def __init__(
        self,
        store: PieceStore,
        seal: Seal,
        lease: Callable[[], Lease | None],
        *,
        spool: PieceSpool | None = None,
        claims: Claims,
        on_written: Callable[[int, int], None] = lambda entries, size: None,
    ) -> None:
        """`lease` is called for each batch: None while this process has none. `on_written` is called with the
        pieces and bytes of each batch.
        """
        self._store = store
        self.seal = seal
        self._lease = lease
        self._spool = spool
        self._left = None if spool is None else spool.another()
        self._claims = claims
        self._on_written = on_written
        self._dirty: dict[CallJournal, None] = {}
        self._waiting: list[_Waiting] = []
        self._noted = 0
        self._done = 0
        self._behind_since: float | None = None
        self._due = asyncio.Event()
        self._soon: asyncio.TimerHandle | None = None
        """Makes the batch that is being gathered due."""
        self._written = Latch()
        """Of the next batch that the store takes."""
        self._order = asyncio.Lock()
        self._wants_lease = False
        self.trouble: str | None = None
        """Why the store did not take the last batch."""

    @property
    def behind_bytes(self) -> int:
        """How many bytes wait for the store."""
        in_file = self._spool.waiting_bytes if self._spool is not None else 0
        return in_file + sum(len(waiting.piece.entries) for waiting in self._waiting)

    @property
    def lag_s(self) -> float:
        """How long the oldest unwritten entry has waited."""
        return 0.0 if self._behind_since is None else time.monotonic() - self._behind_since

    async def recover(self) -> None:
        """Write what an earlier process could not, before this one takes up its calls.

        Raises StoreError, and then the rest stays in the file: calls taken up without it would be served by a
        journal with a gap.
        """
        if self._spool is not None:
            await write_left(self._store, self._spool)

    async def adopt(self) -> None:
        """Write what processes could not that have ended since this one started. Raises StoreError."""
        if self._left is not None:
            try:
                await write_left(self._store, self._left)
            finally:
                await self._left.close()

    def is_confirmed(self, call_id: str) -> bool:
        """Whether the store knows that this process has the call."""
        return self._claims.is_confirmed(call_id)

    def note(self, journal: CallJournal, *, at_once: bool) -> None:
        """A journal has entries to write."""
        self._noted += 1
        if not self._dirty:
            if self._behind_since is None:
                self._behind_since = time.monotonic()
            self._soon = asyncio.get_running_loop().call_later(BATCH_S, self._due.set)
        self._dirty[journal] = None
        if at_once:
            self._due.set()

    async def written(self) -> None:
        """Wait until the store has everything that was noted so far."""
        target = self._noted
        self._due.set()
        while self._done < target:
            await self._written.wait()

    async def run(self) -> None:
        """Write batch after batch, for as long as the process lives."""
        has_failed = False
        while True:
            await self._due.wait()
            if await self.flush():
                has_failed = False
                continue
            await asyncio.sleep(RETRY_S if has_failed and not self._wants_lease else SOON_S)
            has_failed = True

    async def flush(self) -> bool:
        """Write what there is; returns whether the store has taken it."""
        async with self._order:
            self._due.clear()
            if self._soon is not None:
                self._soon.cancel()
            upto, gathered_at = self._noted, time.monotonic()
            self._gather()
            if not (await self._send_from_file() and await self._send()):
                self._due.set()
                return False
        self._done = upto
        self._behind_since = None if self._noted == upto else gathered_at
        written, self._written = self._written, Latch()
        written.set()
        return True

    async def close(self) -> None:
        """Write what waits, or leave it to the next process."""
        if not await self.flush():
            await self._put_aside()
        if self._spool is not None:
            await self._spool.close()

    def _gather(self) -> None:
        dirty, self._dirty = self._dirty, {}
        self._waiting += [_Waiting(journal, piece) for journal in dirty for piece in journal.take()]

    async def _send(self) -> bool:
        while self._waiting:
            self._waiting = [waiting for waiting in self._waiting if not waiting.journal.is_closed]
            batch = self._waiting[:MOST_PIECES]
            if not await self._append([waiting.piece for waiting in batch]):
                return False
            self._waiting = self._waiting[len(batch) :]
        return True

    async def _send_from_file(self) -> bool:
        """What waits in the file comes before what waits in memory."""
        while self._spool is not None and len(self._spool):
            count, pieces = await self._spool.first(MOST_PIECES)
            # A call that was lost meanwhile, and perhaps came back, has another fence now.
            ours = [held.piece for held in pieces if held.fence == self._fence(held.call.id)]
            others = [
                held
                for held in pieces
                if held.fence != self._fence(held.call.id) and self._claims.was_lost(held.call.id)
            ]
            if not (await self._append(ours) and await self._hand_on(others)):
                return False
            await self._spool.drop(count)
        return True

    async def _append(self, pieces: Sequence[SealedEntries]) -> bool:
        lease = self._lease()
        self._wants_lease = lease is None
        if lease is None:
            self.trouble = "this runner has no lease"
            return False
        try:
            async with asyncio.timeout(APPEND_S):
                lost = await self._store.append(lease, pieces)
        except StoreRefusedError as error:
            # It will never take them; the calls continue, and can be taken over only without a journal.
            log.error("journal entries are refused", extra={"error": str(error)})
            return True
        except LeaseLostError as error:
            self._wants_lease = True
            self.trouble = str(error)
            return False
        except (StoreError, TimeoutError) as error:
            reason = str(error) or f"no answer within {APPEND_S:g} s"
            if self.trouble is None:
                log.warning("journal cannot be written", extra={"error": reason})
            self.trouble = reason
            await self._put_aside()
            return False
        if lost:
            log.debug("stale journal entries were dropped", extra={"calls": len(lost)})
        self.trouble = None
        self._on_written(len(pieces), sum(len(piece.entries) for piece in pieces))
        return True

    async def _hand_on(self, pieces: Sequence[HeldPiece]) -> bool:
        """Whoever has these calls now does not know what they tell."""
        try:
            if pieces:
                async with asyncio.timeout(APPEND_S):
                    await self._store.append_late(pieces, were_lost=True)
        except StoreRefusedError as error:
            log.error("journal entries are refused", extra={"error": str(error)})
        except (StoreError, TimeoutError) as error:
            self.trouble = str(error) or f"no answer within {APPEND_S:g} s"
            return False
        return True

    def _fence(self, call_id: str) -> int:
        call = self._claims.held(call_id)
        return 0 if call is None else call.fence

    async def _put_aside(self) -> None:
        """Into the file, where it outlives this process. What the file does not take waits in memory, and so
        does the journal of a call that is not claimed yet.
        """
        waiting = [one for one in self._waiting if not one.journal.is_closed]
        if self._spool is not None:
            unclaimed = [one for one in waiting if self._claims.held(one.piece.call_id) is None]
            claimed = [
                (one, HeldPiece(piece=one.piece, call=call))
                for one in waiting
                if (call := self._claims.held(one.piece.call_id)) is not None
            ]
            taken = await self._spool.append([held for _, held in claimed])
            waiting = [*unclaimed, *(one for one, _ in claimed[taken:])]
        for lost in waiting[MOST_WAITING:]:
            log.error("journal entries are lost", extra={"call_id": lost.piece.call_id})
        self._waiting = waiting[:MOST_WAITING]
