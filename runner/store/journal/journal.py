"""Reads the journal of a call from its pieces."""

from collections.abc import Sequence

from runner.errors import JournalError
from runner.model.entry import Entry
from runner.store.journal.entries import decode
from runner.store.journal.seal import JournalKey, Seal
from runner.store.journal.sealed import SealedEntries


def opened(pieces: Sequence[SealedEntries], seal: Seal) -> tuple[JournalKey, list[Entry]]:
    """The key and the entries of a journal, from the first on.

    Raises JournalError when it cannot be read, or has a gap.
    """
    if not pieces:
        raise JournalError(_missing(0))
    first, *others = pieces
    if first.first_seq:
        raise JournalError(_missing(0))
    key, text = seal.open(first.entries, first.call_id)
    entries = decode(text)
    for piece in others:
        if piece.first_seq != len(entries):
            raise JournalError(_missing(len(entries)))
        entries += decode(key.open(piece.entries, piece.call_id, piece.first_seq))
    return key, entries


def _missing(seq: int) -> str:
    what = f"its entries from {seq} on are" if seq else "its beginning is"
    why = "the runner was lost before it could write, or the database has lost what was written"
    return f"{what} missing: {why}"
