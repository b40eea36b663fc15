"""A piece of a journal as stores keep it: consecutive entries of one call, sealed."""

from dataclasses import dataclass, field

from runner.model.live_call import HeldCall


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedEntries:
    """Entries of one call from `first_seq` on, encrypted."""

    call_id: str
    first_seq: int
    entries: bytes = field(repr=False)


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
