"""Keeps pieces of journals in a file for an absent store, or for the next process."""

import asyncio
import json
import logging
from base64 import b64decode, b64encode
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from runner.model.live_call import HeldCall
from runner.store.adoption import adopting
from runner.store.journal.json_codec import codec
from runner.store.journal.sealed import HeldPiece, SealedEntries
from runner.store.spool import MOST_BYTES, Spool

log = logging.getLogger("runner.store")


class PieceSpool:
    """First in, first out, bounded, sealed as in the store. A failing disk is reported and costs no call."""

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES) -> None:
        self._spool = Spool(path, most_bytes)
        self._path = path
        self._most_bytes = most_bytes
        self._fails = False
        """Whether the file takes nothing, which is logged once until it does."""
        self._is_unreadable = False
        """Whether files of others cannot be read, which is logged once as well."""

    def __len__(self) -> int:
        return len(self._spool)

    @property
    def waiting_bytes(self) -> int:
        return self._spool.waiting_bytes

    def another(self) -> "PieceSpool":
        """One beside this, whose `open` adopts what was left since that of this one."""
        return PieceSpool(self._path, self._most_bytes)

    def adopting(self) -> AbstractAsyncContextManager[None]:
        """Only one process at a time opens its file and writes what it has adopted to the store."""
        return adopting(self._path)

    async def open(self) -> None:
        """Adopt what ended processes have left."""
        try:
            await asyncio.to_thread(self._spool.open)
            self._is_unreadable = False
        except OSError as error:
            if not self._is_unreadable:
                log.error("spooled journals cannot be read", extra={"error": str(error)})
            self._is_unreadable = True

    async def append(self, pieces: Sequence[HeldPiece]) -> int:
        """Append pieces; returns how many the file has taken, from the first on."""
        lines = [_encoded(piece) for piece in pieces]
        return await asyncio.to_thread(self._append, lines)

    async def first(self, most: int) -> tuple[int, list[HeldPiece]]:
        """The pieces that have waited longest, and their number of lines: some may be unreadable."""
        try:
            lines = await asyncio.to_thread(self._spool.first, most)
        except OSError as error:
            log.error("spooled journals cannot be read", extra={"error": str(error)})
            return 0, []
        return len(lines), [piece for line in lines if (piece := held_piece(line)) is not None]

    async def drop(self, count: int) -> None:
        """Remove this many of the pieces that have waited longest."""
        try:
            await asyncio.to_thread(self._spool.drop, count)
        except OSError as error:
            log.error("spooled journals cannot be read", extra={"error": str(error)})

    async def close(self) -> None:
        """Close the file; what waits in it belongs to the next process."""
        await asyncio.to_thread(self._spool.close)

    def _append(self, lines: Sequence[str]) -> int:
        for count, line in enumerate(lines):
            try:
                if not self._spool.append(line):
                    return count
            except OSError as error:
                if not self._fails:
                    log.error("journals cannot be spooled", extra={"error": error.strerror or str(error)})
                self._fails = True
                return count
            self._fails = False
        return len(lines)


def _encoded(held: HeldPiece) -> str:
    piece = held.piece
    return json.dumps([codec(HeldCall).write(held.call), piece.first_seq, b64encode(piece.entries).decode()])


def held_piece(line: str) -> HeldPiece | None:
    """The piece of a line; None when it cannot be read, which is logged. It is not kept for anybody to look
    at: what a call has lived through outlives its record nowhere.
    """
    try:
        written, first_seq, entries = json.loads(line)
        call = codec(HeldCall).read(written)
        piece = SealedEntries(
            call_id=call.id, first_seq=codec(int).read(first_seq), entries=b64decode(entries, validate=True)
        )
    except Exception as error:  # a damaged disk or a person with an editor may have left anything there
        log.error("spooled journal block cannot be read", extra={"error": type(error).__name__})
        return None
    return HeldPiece(piece=piece, call=call)
