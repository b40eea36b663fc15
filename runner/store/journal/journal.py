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
    # Together: a process that takes over thousands of calls has hundreds of thousands of pieces to read.
    entries = decode(text, *key.open_all(others))
    for seq, entry in enumerate(entries):
        if entry.seq != seq:
            raise JournalError(_missing(seq))
    return key, entries


def _missing(seq: int) -> str:
    what = f"its entries from {seq} on are" if seq else "its beginning is"
    why = "the runner was lost before it could write, or the database has lost what was written"
    return f"{what} missing: {why}"
