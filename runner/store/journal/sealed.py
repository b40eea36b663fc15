"""A piece of a journal as stores keep it: consecutive entries of one call, sealed."""

from dataclasses import dataclass
from typing import NamedTuple

from runner.model.live_call import HeldCall


class SealedEntries(NamedTuple):
    """Entries of one call from `first_seq` on, encrypted.

    A tuple, since thousands are made in a second: see `runner.model.entry.Entry`.
    """

    call_id: str
    first_seq: int
    entries: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPiece:
    """A piece that could not be written yet, and how its call was held meanwhile.

    The store may not know the call: a caller who rings while it is away is answered all the same.
    """

    piece: SealedEntries
    call: HeldCall

    @property
    def fence(self) -> int:
        """The fence under which the call was held."""
        return self.call.fence
