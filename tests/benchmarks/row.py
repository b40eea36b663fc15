"""What a benchmark reports: one line of the table."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measurement. With a `floor`, `limit` is for ours as a multiple of it, else for ours itself.

    The floor is what the least possible program on the same libraries needs, measured in the same run,
    so that a slow machine changes neither the ratio nor the verdict. Without a limit the row informs.
    """

    name: str
    ours: float
    unit: str
    floor: float | None = None
    limit: float | None = None

    @property
    def ratio(self) -> float | None:
        """Ours as a multiple of the floor."""
        return None if self.floor is None else self.ours / self.floor

    @property
    def holds(self) -> bool:
        """Whether the limit, if any, is kept."""
        judged = self.ours if self.ratio is None else self.ratio
        return self.limit is None or judged <= self.limit
