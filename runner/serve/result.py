"""What came of a webhook."""

from enum import Enum


class Result(Enum):
    """What came of a verified webhook. The value is its label in the metrics."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    BUSY = "busy"
    """No agent that it could be given to had room for it."""
    GONE = "gone"
    """The caller had hung up."""
    TAKEN = "taken"
    """Another runner, or another of the API's interfaces, has the call."""
    LATE = "late"
    OTHER_EVENT = "other_event"
    FAILED = "failed"
    """It cannot be answered, and another delivery would change nothing."""
    UNAVAILABLE = "unavailable"
    """The voice API gave no answer; another delivery may find it well."""
    CLOSED = "closed"
    """We take no calls now; another runner may."""

    @property
    def is_final(self) -> bool:
        """Whether another delivery of the same event would be pointless."""
        return self not in (Result.UNAVAILABLE, Result.CLOSED)
