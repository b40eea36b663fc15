"""Entries of a journal as text and back."""

import json
from collections.abc import Iterable

from runner.errors import JournalError
from runner.model.entry import Entry, Lived
from runner.store.journal.json_codec import codec

FORMAT = 1
"""Counted up when what is written here, or what it means to the machine, changes: a call whose journal has
another format is taken over without it."""

_ENCODER = json.JSONEncoder(separators=(",", ":"))


def encode(entries: Iterable[Entry]) -> bytes:
    """These entries as a text of ASCII, one after the other in the journal."""
    write = codec(Lived).write
    lines = [[entry.seq, entry.at, write(entry.event)] for entry in entries]
    return _ENCODER.encode([FORMAT, lines]).encode()


def decode(text: bytes) -> list[Entry]:
    """The entries that `encode` wrote.

    Raises JournalError when they are of another format, or cannot be read.
    """
    read = codec(Lived).read
    try:
        version, lines = json.loads(text)
        if version != FORMAT:
            raise JournalError(f"the journal has format {version}, this program reads {FORMAT}")
        return [Entry(seq=seq, at=float(at), event=read(event)) for seq, at, event in lines]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise JournalError(f"the journal cannot be read: {type(error).__name__}: {error}") from None
