"""Saves each record: one that the store cannot take waits in a file, and is tried again.

Works over any store. No caller waits for a store that has just failed: the record joins those that wait.
"""

import asyncio
import itertools
import json
import logging
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from runner.errors import CallLostError, StoreError, StoreRefusedError
from runner.model.job import Job
from runner.model.live_call import Owner
from runner.model.record import CallRecord
from runner.store.adoption import ADOPT_S, adopting
from runner.store.spool import Spool
from runner.store.store import RecordStore
from runner.store.waiting_record import decoded, encoded, waiting_records

log = logging.getLogger("runner.store")

ATTEMPT_S = 5.0
"""For the store to take one record."""
FIRST_RETRY_S = 1.0
"""Before the first retry; doubles with each that fails."""
LONGEST_RETRY_S = 30.0
MOST_AT_ONCE = 4
"""Records that are saved at once: a database that takes 50 ms for each must not fall behind calls that end
by the dozen. More would keep its connections from calls that live.
"""
LAST_ATTEMPT_S = 3.0
"""For the store to take all waiting records when the process ends."""
MOST_IN_MEMORY = 1000
"""Records that wait in memory when the file takes none either; beyond that the oldest is lost."""


class RecordSaver:
    """`open` it, keep `run` and `adopt` running, and `close` it after the last record."""

    def __init__(
        self,
        store: RecordStore,
        spool: Spool | None,
        *,
        on_jobs: Callable[[], None] = lambda: None,
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        """`spool`: where records wait; without it they wait in memory alone.

        `on_jobs` is called when a record with jobs was saved, `on_failure` whenever the store fails.
        """
        self._store = store
        self._spool = spool
        self._on_jobs = on_jobs
        self._on_failure = on_failure
        self._in_memory: deque[str] = deque()
        self._waiting: set[str] = set()
        self._saving: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)
        self._order = asyncio.Lock()
        """Of what waits: held while its first are saved, and while another joins it."""
        self._saved_ahead: set[str] = set()
        """Lines that were saved with others before them that were not, and so cannot be dropped yet."""
        self._has_work = asyncio.Event()
        self._is_closed = False
        self._is_unreadable = False
        """Whether files of other processes cannot be read, which is logged once until they can."""
        self.trouble: str | None = None
        """Why the store did not take the last record; None when it did."""

    def __len__(self) -> int:
        """How many records wait."""
        return len(self._in_memory) + (len(self._spool) if self._spool else 0)

    def has(self, call_id: str) -> bool:
        """Whether the record of this call waits: the store has the call as live, and it is over."""
        return call_id in self._waiting

    async def open(self) -> None:
        """Adopt the records that ended processes could not save, and save them, or keep them for later.

        Call it before calls are taken over: a call with a record is over.
        """
        if self._spool is not None:
            async with adopting(self._spool.path):
                await self._adopt(self._spool)

    async def adopt(self) -> None:
        """Adopt the records of processes that end while this one runs, for as long as it lives.

        At a rollout the next process runs already when the one before leaves its records.
        """
        while True:
            await asyncio.sleep(ADOPT_S)
            await self.open()

    async def _adopt(self, spool: Spool) -> None:
        async with self._order:
            waited = len(spool)
            try:
                await asyncio.to_thread(spool.open)
                if len(spool) > waited:
                    self._waiting.update(await asyncio.to_thread(lambda: {*waiting_records(spool.path)}))
                self._is_unreadable = False
            except OSError as error:
                if not self._is_unreadable:
                    log.error("spooled records cannot be read", extra={"error": str(error)})
                self._is_unreadable = True
            adopted = len(spool) - waited
        if adopted:
            log.warning("spooled records were saved", extra={"records": adopted})
            if not await self._catch_up():
                self._has_work.set()

    async def save(self, record: CallRecord, jobs: Sequence[Job] = (), owner: Owner | None = None) -> None:
        """Save the record and the jobs after its call, or keep them for later.

        `owner` held the call to its end: if another runner has taken the call since, this record is dropped,
        since that runner writes the call's record. Cancelling the wait does not cancel the saving.
        """
        saving = asyncio.create_task(self._save(record, jobs, owner), name=f"save {record.id}")
        self._saving.add(saving)
        saving.add_done_callback(self._saving.discard)
        await asyncio.shield(saving)

    async def run(self) -> None:
        """Retry the waiting records, for as long as the process lives."""
        pause_s = FIRST_RETRY_S
        while True:
            await self._has_work.wait()
            if await self._catch_up():
                pause_s = FIRST_RETRY_S
                continue
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_RETRY_S)

    async def close(self) -> None:
        """Save the waiting records, or leave them in their file for the next process. Takes no longer than
        `LAST_ATTEMPT_S` and what is under way.
        """
        if self._is_closed:
            return
        self._is_closed = True
        await asyncio.gather(*self._saving, return_exceptions=True)
        try:
            async with asyncio.timeout(LAST_ATTEMPT_S):
                await self._catch_up()
        except TimeoutError:
            log.warning("store is too slow to save waiting records")
        for _ in range(len(self._in_memory)):
            line = self._in_memory.popleft()
            if not await self._append_to_spool(line):
                self._report_lost(line)
        if self._spool is not None:
            if self._spool:
                waiting = {"records": len(self._spool), "file": str(self._spool.path)}
                log.warning("records stay spooled until the next start", extra=waiting)
            await asyncio.to_thread(self._spool.close)

    async def _save(self, record: CallRecord, jobs: Sequence[Job], owner: Owner | None) -> None:
        async with self._turns:
            # It waits behind others as they do: a failing store would delay each caller by seconds.
            if not len(self) and await self._write(record, jobs, owner):
                return
            async with self._order:
                self._waiting.add(record.id)
                await self._keep(encoded(record, jobs, owner))

    async def _write(
        self, record: CallRecord, jobs: Sequence[Job], owner: Owner | None, *, is_late: bool = False
    ) -> bool:
        """Try to save a record; returns whether it needs no further attempt."""
        try:
            async with asyncio.timeout(ATTEMPT_S):
                await self._store.save(record, jobs, owner=owner)
        except CallLostError as error:
            log.warning("record is another runner's", extra={"call_id": record.id, "reason": str(error)})
            return True
        except StoreRefusedError as error:
            self._on_failure()
            log.error("record was refused by the store", extra={"call_id": record.id, "error": str(error)})
            await self._keep_refused(encoded(record, jobs, owner))
            return True
        except (StoreError, TimeoutError) as error:
            self._on_failure()
            reason = str(error) or f"no answer within {ATTEMPT_S:g} s"
            level = logging.ERROR if self.trouble is None else logging.DEBUG
            log.log(level, "record was not saved", extra={"call_id": record.id, "error": reason})
            self.trouble = reason
            return False
        self.trouble = None
        if is_late:
            log.info("record was saved late", extra={"call_id": record.id})
        if jobs:
            self._on_jobs()
        return True

    async def _keep(self, line: str) -> None:
        if self._in_memory or not await self._append_to_spool(line):
            self._in_memory.append(line)
            if len(self._in_memory) > MOST_IN_MEMORY:
                self._report_lost(self._in_memory.popleft())
        self._has_work.set()

    async def _catch_up(self) -> bool:
        """Save the waiting records, the oldest first; returns whether none is left."""
        while len(self):
            async with self._order:
                # Another task may have saved the last ones meanwhile.
                if len(self) and not await self._save_first():
                    return False
        self._has_work.clear()
        return True

    async def _save_first(self) -> bool:
        """Save those that have waited longest; returns whether all of them are saved."""
        try:
            lines = await self._first()
            saved = await asyncio.gather(*map(self._save_line, lines))
            first = (*saved, False).index(False)
            self._saved_ahead = set(itertools.compress(lines[first:], saved[first:]))
            await self._drop_first(first)
        except OSError as error:
            log.error("spooled records cannot be read", extra={"error": str(error)})
            return False
        return all(saved)

    async def _save_line(self, line: str) -> bool:
        """Save a waiting record; returns whether it needs no further attempt."""
        if line in self._saved_ahead:
            return True
        try:
            record, jobs, owner = decoded(line)
        except Exception:
            log.exception("spooled record cannot be read")
            await self._keep_refused(line)
            return True
        if is_settled := await self._write(record, jobs, owner, is_late=True):
            self._waiting.discard(record.id)
        return is_settled

    async def _first(self) -> list[str]:
        if self._spool:
            return await asyncio.to_thread(self._spool.first, MOST_AT_ONCE)
        return list(self._in_memory)[:MOST_AT_ONCE]

    async def _drop_first(self, count: int) -> None:
        if self._spool:
            await asyncio.to_thread(self._spool.drop, count)
        else:
            for _ in range(count):
                self._in_memory.popleft()

    async def _append_to_spool(self, line: str) -> bool:
        """Append a record to the spool; returns whether it has taken it."""
        if self._spool is None:
            return False
        try:
            return await asyncio.to_thread(self._spool.append, line)
        except OSError as error:
            log.error("record cannot be spooled", extra={"error": str(error)})
            return False

    async def _keep_refused(self, line: str) -> None:
        """Append a record that no attempt would save to a file of its own, for a person to look at."""
        if self._spool is None:
            return
        path = Path(f"{self._spool.path}.refused")
        try:
            await asyncio.to_thread(_append_line, path, line)
        except OSError as error:
            log.error("refused record is lost", extra={"error": str(error)})
        else:
            log.error("refused record was put into a file", extra={"file": str(path)})

    def _report_lost(self, line: str) -> None:
        call_id = json.loads(line)["record"]["id"]
        self._waiting.discard(call_id)
        log.error("record is lost", extra={"call_id": call_id})


def _append_line(path: Path, line: str) -> None:
    path.touch(mode=0o600)
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
