"""What is owed once a call is over: the question about its outcome, and the deliveries of its record."""

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from runner.model.values import Instant, Json, JsonObject


class JobKind(Enum):
    """What has to be done."""

    OUTCOME = "outcome"
    """Ask the text model about the call."""
    DELIVERY = "delivery"
    """Bring the record to an endpoint of the user's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One thing that is owed. It is kept in the store until it is done, or parked for a person to see."""

    id: str
    """The same over all attempts and restarts: a receiver knows by it what it has already."""
    call_id: str
    kind: JobKind
    created_at: Instant
    due_at: Instant | None
    """None: it waits until the outcome is known, or parked."""
    attempts: int = 0
    work: JsonObject = field(repr=False)
    """Everything needed to do it but secrets, which are looked up by name when it is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DueJob:
    """A job whose time has come, with what the store knows of its call."""

    job: Job
    record: JsonObject = field(repr=False)
    outcome: Json = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """It is done. `outcome` is the answer where the outcome was asked for."""

    outcome: Json = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """It was tried and has to be tried again."""

    due_at: Instant
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """It is tried no more, and kept for a person to see."""

    error: str


JobResult: TypeAlias = Done | Later | Parked


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """How much is owed."""

    queued: int = 0
    parked: int = 0
    next_due_at: Instant | None = None
