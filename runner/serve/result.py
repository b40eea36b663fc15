"""The results of webhooks."""

from enum import Enum


class WebhookResult(Enum):
    """The result of a verified webhook. The value is its label in the metrics.

    Results of calls have the names of `runner.model.reception.RingResult`.
    """

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    BUSY = "busy"
    GONE = "gone"
    TAKEN = "taken"
    LATE = "late"
    FAILED = "failed"
    UNAVAILABLE = "unavailable"
    OTHER_EVENT = "other_event"
    """It announces no call that could be answered."""
    CLOSED = "closed"
    """We take no calls now; another runner may."""

    @property
    def is_final(self) -> bool:
        """Whether another delivery of the same event would be pointless."""
        return self not in (WebhookResult.UNAVAILABLE, WebhookResult.CLOSED)
