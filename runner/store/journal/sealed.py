"""A piece of a journal as stores keep it: entries of one call that were written together, sealed."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedEntries:
    """Entries of one call from `first_seq` on, for nobody's eyes but those who have the webhook's secret."""

    call_id: str
    first_seq: int
    entries: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPiece:
    """A piece that could not be written yet, and the fence under which its call was held meanwhile."""

    piece: SealedEntries
    fence: int
