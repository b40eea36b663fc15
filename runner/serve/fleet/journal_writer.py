"""Writes down what the live calls of this process live through: in batches, sealed, off the callers' path.

No event waits for the store. What it cannot take waits here within bounds, and is sent again in its order;
where the bound is reached the oldest entries are lost: their calls can be taken over only without a journal.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Protocol

from runner.errors import LeaseLostError, StoreError, StoreRefusedError
from runner.model.entry import Entry, Lived
from runner.model.event import AnswerReplied, Replied, SidebandOpened, ToolCalled
from runner.model.live_call import Lease
from runner.model.values import Instant
from runner.store.journal.entries import encode
from runner.store.journal.seal import Seal
from runner.store.journal.sealed import SealedEntries

log = logging.getLogger("runner.serve.fleet.journal_writer")

BATCH_S = 0.03
"""How long entries are gathered before they are written together."""
RETRY_S = 1.0
MOST_WAITING_BYTES = 64 * 1024 * 1024
AT_ONCE = (AnswerReplied, SidebandOpened, ToolCalled, Replied)
"""Entries whose loss would have a caller greeted twice, a tool asked again or its reply forgotten: they are
not gathered."""


class Journals(Protocol):
    """Where pieces of journals are kept. `runner.store.store.Journals` says what it promises."""

    async def append(self, lease: Lease, pieces: "list[SealedEntries]") -> None:
        """Write pieces of journals, all or none."""


class CallJournal:
    """The journal of one call, on this side of the store."""

    def __init__(self, writer: "JournalWriter", call_id: str, next_seq: int = 0) -> None:
        self.call_id = call_id
        self._writer = writer
        self._next_seq = next_seq
        self._gathered: list[Entry] = []
        self.is_closed = False

    def append(self, at: Instant, event: Lived) -> None:
        """Write it down soon. Never waits."""
        if self.is_closed:
            return
        self._gathered.append(Entry(seq=self._next_seq, at=at, event=event))
        self._next_seq += 1
        self._writer.note(self, at_once=isinstance(event, AT_ONCE))

    async def written(self) -> None:
        """Wait until the store has everything that was appended so far."""
        await self._writer.written()

    def close(self) -> None:
        """The call is over, or another's: what was not written yet is not needed any more."""
        self.is_closed = True
        self._gathered.clear()
        self._writer.forget(self)

    def take(self) -> list[Entry]:
        """The entries that were gathered since this was asked last."""
        entries, self._gathered = self._gathered, []
        return entries


class JournalWriter:
    """The one writer of a process. Keep `run` running."""

    def __init__(
        self,
        store: Journals,
        seal: Seal,
        lease: Callable[[], Lease | None],
        *,
        on_written: Callable[[int, int], None] = lambda entries, size: None,
    ) -> None:
        """`lease` is asked for each batch: None while this process has none. `on_written` is told how many
        entries and bytes a batch had."""
        self._store = store
        self._seal = seal
        self._lease = lease
        self._on_written = on_written
        self._dirty: dict[CallJournal, None] = {}
        self._waiting: deque[SealedEntries] = deque()
        self._waiting_bytes = 0
        self._noted = 0
        self._done = 0
        self._wake = asyncio.Event()
        self._at_once = asyncio.Event()
        self._progress = asyncio.Condition()
        self.trouble: str | None = None
        """Why the store did not take the last batch."""

    @property
    def behind_bytes(self) -> int:
        """How much waits for the store."""
        return self._waiting_bytes

    def note(self, journal: CallJournal, *, at_once: bool) -> None:
        """A journal has something to be written."""
        self._noted += 1
        self._dirty[journal] = None
        self._wake.set()
        if at_once:
            self._at_once.set()

    def forget(self, journal: CallJournal) -> None:
        """A journal has nothing to be written any more."""
        self._dirty.pop(journal, None)
        if any(piece.call_id == journal.call_id for piece in self._waiting):
            self._waiting = deque(piece for piece in self._waiting if piece.call_id != journal.call_id)
            self._waiting_bytes = sum(len(piece.entries) for piece in self._waiting)

    async def written(self) -> None:
        """Wait until the store has everything that was noted so far."""
        target = self._noted
        self._at_once.set()
        self._wake.set()
        async with self._progress:
            await self._progress.wait_for(lambda: self._done >= target)

    async def run(self) -> None:
        """Write batch after batch, for as long as the process lives."""
        while True:
            await self._wake.wait()
            if not self._at_once.is_set():
                try:
                    async with asyncio.timeout(BATCH_S):
                        await self._at_once.wait()
                except TimeoutError:
                    pass
            if not await self.flush():
                await asyncio.sleep(RETRY_S)

    async def flush(self) -> bool:
        """Write what there is; whether the store has taken it."""
        self._wake.clear()
        self._at_once.clear()
        upto = self._noted
        self._gather()
        pieces = list(self._waiting)
        if pieces and not await self._append(pieces):
            self._wake.set()
            return False
        for piece in pieces:
            # A call that has ended meanwhile has taken its pieces away.
            if self._waiting and self._waiting[0] is piece:
                self._waiting.popleft()
                self._waiting_bytes -= len(piece.entries)
        self._done = upto
        async with self._progress:
            self._progress.notify_all()
        return True

    def _gather(self) -> None:
        dirty, self._dirty = self._dirty, {}
        for journal in dirty:
            entries = journal.take()
            if not entries:
                continue
            text = encode(entries)
            sealed = self._seal.seal(text, journal.call_id, entries[0].seq)
            self._waiting.append(
                SealedEntries(call_id=journal.call_id, first_seq=entries[0].seq, entries=sealed)
            )
            self._waiting_bytes += len(sealed)
        while self._waiting_bytes > MOST_WAITING_BYTES:
            lost = self._waiting.popleft()
            self._waiting_bytes -= len(lost.entries)
            log.error("journal entries are lost", extra={"call_id": lost.call_id})

    async def _append(self, pieces: list[SealedEntries]) -> bool:
        lease = self._lease()
        if lease is None:
            self.trouble = "this runner has no lease"
            return False
        try:
            await self._store.append(lease, pieces)
        except StoreRefusedError as error:
            # It will never take them; the calls go on, and could only be taken over without a journal.
            log.error("journal entries are refused", extra={"error": str(error)})
        except LeaseLostError as error:
            self.trouble = str(error)
            return False
        except StoreError as error:
            if self.trouble is None:
                log.warning("journal cannot be written", extra={"error": str(error)})
            self.trouble = str(error)
            return False
        self.trouble = None
        self._on_written(len(pieces), sum(len(piece.entries) for piece in pieces))
        return True
