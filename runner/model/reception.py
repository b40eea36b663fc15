"""The results of ringing calls."""

from dataclasses import dataclass
from enum import Enum

from runner.model.event import Limit
from runner.wording import plural


class RingResult(Enum):
    """The result of a ringing call. The value is its label in the metrics."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    BUSY = "busy"
    """Rejected since no agent that could take it had room."""
    GONE = "gone"
    """The caller had hung up."""
    TAKEN = "taken"
    """Another runner, or another of the API's interfaces, has the call."""
    LATE = "late"
    """Announcements are repeated for up to 72 hours; the caller of an old one is long gone."""
    FAILED = "failed"
    """It cannot be answered, and another delivery of its webhook would change nothing."""
    UNAVAILABLE = "unavailable"
    """The voice API gave no answer; another delivery of the webhook may get one."""
    CLOSED = "closed"
    """This runner takes no calls now; another may."""

    @property
    def is_final(self) -> bool:
        """Whether another delivery of the webhook would be pointless."""
        return self not in (RingResult.UNAVAILABLE, RingResult.CLOSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitReached:
    """An agent that had no room for a call."""

    agent: str
    limit: Limit
    most: int

    def __str__(self) -> str:
        when = "at once" if self.limit is Limit.CONCURRENT_CALLS else "a day"
        return f'"{self.agent}" is busy ({plural(self.most, "call")} {when})'
