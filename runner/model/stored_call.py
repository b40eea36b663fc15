"""Calls that are over, as the store returns them: one whole call, or many summaries."""

from dataclasses import dataclass, field

from runner.model.job import JobState
from runner.model.values import Instant, Json, JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredJob:
    """A job that a call still has. `kind` is text: an unreadable row is shown all the same."""

    id: str
    call_id: str
    kind: str
    state: JobState
    created_at: Instant
    due_at: Instant | None
    attempts: int
    error: str | None
    """Why the last attempt failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCall:
    """One call that is over. `record` is JSON, as written: it may be older than this program."""

    record: JsonObject = field(repr=False)
    outcome: Json = field(default=None, repr=False)
    jobs: tuple[StoredJob, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSummary:
    """One call that is over, as a row."""

    id: str
    agent: str
    caller: str | None
    called: str | None
    started_at: Instant
    ended_at: Instant | None
    ended: str
    cost_usd: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFilter:
    """Selects the calls that match everything that is not None."""

    agent: str | None = None
    number: str | None = None
    """Of the caller or the called party, in E.164."""
    ended: str | None = None
    since: Instant | None = None
    """When it began to ring, this instant included."""
    until: Instant | None = None
    """When it began to ring, this instant excluded."""
    text: str | None = None
    """Part of what was said, of a number, or of another word of the record, in any case."""
    before: tuple[Instant, str] | None = None
    """Only calls older than this one, by `started_at` and `id`: what follows a page that ended with it."""
