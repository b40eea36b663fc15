"""The store as a runner has it: opened, with the tasks that save to it and delete from it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from runner.errors import CannotRunError, StoreError
from runner.model.values import Instant
from runner.serve.background import Background
from runner.serve.metrics import Metrics
from runner.store.journal.piece_spool import PieceSpool
from runner.store.opening import open_store
from runner.store.record_saver import RecordSaver
from runner.store.retention import Retention
from runner.store.spool import Spool
from runner.store.store import Store
from runner.store.url import file_beside, shown_store


@dataclass(slots=True, eq=False)
class Storage:
    """Made by `open`; `close` it when no call is live and no job is under way."""

    store: Store
    saver: RecordSaver
    work: tuple[Background, ...]
    url: str = field(repr=False)

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        keep_s: float | None,
        metrics: Metrics,
        clock: Callable[[], Instant],
        on_jobs: Callable[[], None],
    ) -> "Storage":
        """`keep_s` is how long records are kept, `on_jobs` is called when the store has new jobs.

        Raises CannotRunError, with one sentence that says what would help.
        """
        store = await open_store(url)
        path = file_beside(url, "unsaved")
        saver = RecordSaver(
            store,
            Spool(path) if path is not None else None,
            on_jobs=on_jobs,
            on_failure=metrics.store_failures.inc,
        )
        metrics.unsaved_records.set_function(lambda: len(saver))
        await saver.open()
        work = [Background("saving records", saver.run), Background("adopting records", saver.adopt)]
        if keep_s is not None:
            work.append(Background("deleting old records", Retention(store, keep_s, clock).run))
        for each in work:
            each.start()
        return cls(store, saver, tuple(work), url)

    async def count_calls(self, since: Instant) -> dict[str, int]:
        """How many calls each agent answered. Without that number it might take too many.

        Raises CannotRunError.
        """
        try:
            return await self.store.count_calls(since)
        except StoreError as error:
            raise CannotRunError(f'store "{shown_store(self.url)}" cannot be read: {error}') from None

    def journal_spool(self) -> PieceSpool | None:
        """Where journals wait for an absent store; None where nothing outlives the process."""
        path = file_beside(self.url, "journal")
        return PieceSpool(path) if path is not None else None

    @property
    def troubles(self) -> list[str]:
        """Problems, each as a sentence."""
        failed = [each.trouble for each in self.work if each.trouble is not None]
        if self.saver.trouble is not None:
            failed.append(f"the store fails: {self.saver.trouble}; records that wait: {len(self.saver)}")
        return failed

    async def close(self) -> None:
        """Save or set aside what still waits, and close the store."""
        for each in self.work:
            await each.stop()
        await self.saver.close()
        await self.store.close()
