"""A job after a call (the question about its outcome, or a delivery of its record) and its result."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from runner.model.values import Instant, Json, JsonObject


class JobKind(Enum):
    """What the job does."""

    OUTCOME = "outcome"
    """Ask the text model about the call."""
    DELIVERY = "delivery"
    """Send the record to an endpoint of the user."""


class JobState(Enum):
    """Whether a job is still tried. One that is done leaves the store."""

    OPEN = "open"
    PARKED = "parked"
    """Given up, and kept for a person to see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job. It is kept in the store until it is done, or parked for a person to see."""

    id: str
    """The same for all attempts and restarts: a receiver recognises a job by it."""
    call_id: str
    kind: JobKind
    receiver: str
    """Who answers it: host and port of a delivery's endpoint, or the text model."""
    created_at: Instant
    due_at: Instant | None
    """None: it waits until the outcome is known, or parked."""
    attempts: int = 0
    work: JsonObject = field(repr=False)
    """Everything that it needs except secrets, which are looked up by name when it runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DueJob:
    """A due job leased from the store, with the data of its call."""

    job: Job
    record: JsonObject = field(repr=False)
    outcome: Json = field(default=None, repr=False)
    fence: int = 0
    """Counts the leases of the job: a process with an older number has lost it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCapacity:
    """How many more jobs a process may take now, in all and of each receiver."""

    most: int
    per_receiver: int
    """Of one receiver, with those that are held already."""
    held: Mapping[str, int] = field(default_factory=dict)
    """How many of each receiver the process has under way."""

    def of(self, receiver: str) -> int:
        """How many more of this receiver."""
        return min(self.most, max(0, self.per_receiver - self.held.get(receiver, 0)))

    @property
    def busy(self) -> tuple[str, ...]:
        """The receivers of which none may be taken."""
        return tuple(receiver for receiver, held in self.held.items() if held >= self.per_receiver)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """It is done. `outcome` is the answer to the question for the outcome."""

    outcome: Json = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """The attempt has failed, and the job must be tried again."""

    due_at: Instant
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """The job is tried no more, and kept for a person to see."""

    error: str


JobResult: TypeAlias = Done | Later | Parked


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """How many jobs the store holds, and when the next open one is due."""

    open: int = 0
    parked: int = 0
    next_due_at: Instant | None = None
