"""Knows who leads a call: its agent, or for a while a person.

A person's lead is a lease, so that a console that disappears leaves no caller with a silent agent.
"""

from runner.call.machine.speech import Speech
from runner.model.action import ClearTimer, SetTimer, Timer, TimerKind
from runner.model.values import Instant

LEASE = Timer(TimerKind.LEAD)


class Lead:
    """The lease of one call. While it lasts, the agent says nothing of its own."""

    __slots__ = ("_speech", "by", "deed_id", "until", "was_taken")

    def __init__(self, speech: Speech) -> None:
        self._speech = speech
        self.by: str | None = None
        """Who leads; None when the agent does."""
        self.deed_id = ""
        """The act that began it."""
        self.until: Instant | None = None
        """When the lease ends."""
        self.was_taken = False
        """Whether a person has led the call at any time."""

    @property
    def is_taken(self) -> bool:
        """Whether a person leads."""
        return self.by is not None

    @property
    def answers(self) -> bool | None:
        """Whether the API may let the model answer the caller by itself; see `SwitchAgent.answers`."""
        return not self.is_taken if self.was_taken else None

    def take(self, by: str, deed_id: str, for_s: float, now: Instant) -> SetTimer:
        """A person begins to lead, or renews the lease."""
        self.by, self.until, self.was_taken = by, now + for_s, True
        self.deed_id = self.deed_id or deed_id
        self._speech.lead(is_led=True)
        return SetTimer(timer=LEASE, at=now + for_s)

    def end(self) -> list[ClearTimer]:
        """The agent leads again. Returns nothing where no person leads."""
        if not self.is_taken:
            return []
        self.by, self.until, self.deed_id = None, None, ""
        self._speech.lead(is_led=False)
        return [ClearTimer(timer=LEASE)]
