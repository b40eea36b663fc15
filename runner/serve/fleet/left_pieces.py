"""Writes what processes that have ended could not: pieces of journals that wait in their files."""

import logging
from collections.abc import Sequence
from typing import Protocol

from runner.errors import StoreRefusedError
from runner.store.journal.piece_spool import PieceSpool
from runner.store.journal.sealed import HeldPiece

log = logging.getLogger("runner.serve.fleet.left_pieces")

MOST_PIECES = 1000
"""In one batch: one of each call, except after an outage of the store."""


class LatePieceStore(Protocol):
    """Where late pieces of journals are kept. `runner.store.store.JournalStore` has the contract."""

    async def append_late(self, pieces: Sequence[HeldPiece], *, were_lost: bool = False) -> set[str]:
        """Write pieces of calls that nobody has taken since; the ids of the others that are live."""


async def write_left(store: LatePieceStore, spool: PieceSpool) -> None:
    """Adopt the files of ended processes, and write what waits in them.

    Raises StoreError, and then the rest stays in the file.
    """
    async with spool.adopting():
        await spool.open()
        while len(spool):
            count, pieces = await spool.first(MOST_PIECES)
            if not count:
                return
            try:
                taken_over = await store.append_late(pieces)
            except StoreRefusedError as error:
                log.error("journal entries are refused", extra={"error": str(error)})
            else:
                for call_id in sorted(taken_over):
                    reason = "another runner has taken the call over without them"
                    log.warning("journal entries come too late", extra={"call_id": call_id, "reason": reason})
            await spool.drop(count)
