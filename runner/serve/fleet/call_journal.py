"""The journal of one call, on this side of the store: gathers its entries, and seals them to be written."""

from collections.abc import Sequence
from typing import Protocol

from runner.model.conversation_event import ToolCalled
from runner.model.entry import Entry, Lived
from runner.model.event import Replied, SidebandOpened, Steered, ToolCallMissed
from runner.model.values import Instant
from runner.store.journal.entries import encode
from runner.store.journal.seal import JournalKey, Seal
from runner.store.journal.sealed import SealedEntries

MOST_KEPT = 100
"""Pieces of one journal until the store has confirmed the claim. A longer one may have a gap."""
AT_ONCE = frozenset({SidebandOpened, Steered, ToolCalled, ToolCallMissed, Replied})
"""Entries that are written at once: the loss of one would greet a caller twice, repeat a person's act, call a
tool again or forget its reply. The API itself repeats that it has answered.
"""


class Writer(Protocol):
    """Writes the journals of a process. `runner.serve.fleet.journal_writer` has the real one."""

    seal: Seal

    def note(self, journal: "CallJournal", *, at_once: bool) -> None:
        """A journal has entries to write."""

    def is_confirmed(self, call_id: str) -> bool:
        """Whether the store knows that this process has the call."""

    async def written(self) -> None:
        """Wait until the store has everything that was noted so far."""


class CallJournal:
    """The journal of one call, on this side of the store."""

    __slots__ = ("_gathered", "_kept", "_key", "_next_seq", "_pieces", "_writer", "call_id", "is_closed")

    def __init__(
        self, writer: Writer, call_id: str, next_seq: int = 0, key: JournalKey | None = None
    ) -> None:
        """`next_seq` and `key` are those of a journal that another process has begun."""
        self.call_id = call_id
        self._writer = writer
        self._key = key or JournalKey()
        self._next_seq = next_seq
        # None while there is nothing, as mostly: thousands of journals are open.
        self._gathered: list[Entry] | None = None
        self._pieces: list[SealedEntries] | None = None
        self._kept: list[SealedEntries] | None = None
        """What is written again once the claim is confirmed."""
        self.is_closed = False

    def sealed(self, at: Instant, event: Lived) -> SealedEntries:
        """The next entry, for a caller that writes it together with something else."""
        entry = Entry(seq=self._next_seq, at=at, event=event)
        self._next_seq += 1
        return self._piece([entry])

    def keep(self) -> None:
        """The claim is not confirmed. While another runner has one too, the store refuses or forgets what is
        written here, so all of it is written again once the call is certain to be ours.
        """
        self._kept = []

    def put(self, piece: SealedEntries) -> None:
        """Write a piece that nobody else could write."""
        self._pieces = [*(self._pieces or ()), piece]
        self._writer.note(self, at_once=True)

    def append(self, at: Instant, event: Lived) -> None:
        """Write the entry soon. Never waits."""
        if self.is_closed:
            return
        entry = Entry(self._next_seq, at, event)
        self._next_seq += 1
        if self._gathered is None:
            self._gathered = [entry]
        else:
            self._gathered.append(entry)
        self._writer.note(self, at_once=type(event) in AT_ONCE)

    async def written(self) -> None:
        """Wait until the store has everything that was appended so far."""
        await self._writer.written()

    def close(self) -> None:
        """The call is over, or another runner has it: unwritten entries are not needed any more."""
        self.is_closed = True
        self._gathered = self._pieces = self._kept = None

    def take(self) -> list[SealedEntries]:
        """What is to be written since the last call."""
        pieces, self._pieces = self._pieces or [], None
        if self._gathered is not None:
            pieces.append(self._piece(self._gathered))
            self._gathered = None
        if self._kept is None:
            return pieces
        kept, self._kept = [*self._kept, *pieces], None
        if self._writer.is_confirmed(self.call_id):
            return kept
        if len(kept) <= MOST_KEPT:
            self._kept = kept
        return pieces

    def _piece(self, entries: Sequence[Entry]) -> SealedEntries:
        first_seq, text, seal = entries[0].seq, encode(entries), self._writer.seal
        if first_seq:
            sealed = seal.seal_more(self._key, text, self.call_id, first_seq)
        else:
            sealed = seal.seal(self._key, text, self.call_id)
        return SealedEntries(self.call_id, first_seq, sealed)
