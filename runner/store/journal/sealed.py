"""A piece of a journal as stores keep it: entries of one call that were written together, sealed."""

from dataclasses import dataclass, field

from runner.model.live_call import HeldCall


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedEntries:
    """Entries of one call from `first_seq` on, for nobody's eyes but those who have the webhook's secret."""

    call_id: str
    first_seq: int
    entries: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPiece:
    """A piece that could not be written yet, and its call as it was held meanwhile.

    The store may not know the call: a caller who rings while it is away is answered all the same.
    """

    piece: SealedEntries
    call: HeldCall

    @property
    def fence(self) -> int:
        """Under which the call was held."""
        return self.call.fence
