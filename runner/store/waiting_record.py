"""A record that the store has not taken, as a line of a file."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from runner.call.records import record_json
from runner.model.job import Job, JobKind
from runner.model.live_call import HeldCall, Owner
from runner.model.record import CallRecord
from runner.store import rows
from runner.store.journal.json_codec import codec
from runner.store.spool import spooled_lines

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingRecord:
    """Where a record waits."""

    path: Path
    owner: Owner | None
    """Who held the call to its end."""

    def ends(self, call: HeldCall) -> bool:
        """Whether the call is over by it: not when another runner has taken the call since."""
        return self.owner is None or self.owner.fence >= call.fence


def waiting_records(base: Path) -> dict[str, WaitingRecord]:
    """The records in the files of this path, by the ids of their calls. Blocks.

    Those that the store has taken in the meantime may be among them.
    """
    waiting = {}
    for path, line in spooled_lines(base):
        # Whoever adopts the file reports the line.
        with suppress(Exception):
            record, _, owner = decoded(line.decode())
            waiting[record.id] = WaitingRecord(path=path, owner=owner)
    return waiting


def encoded(record: CallRecord, jobs: Sequence[Job], owner: Owner | None) -> str:
    """The line for a record and the jobs after its call."""
    job_rows = [rows.job_row(job)._asdict() for job in jobs]
    text = rows.call_row(record).record
    holder = None if owner is None else [owner.runner, owner.fence]
    return f'{{"record": {text}, "jobs": {json.dumps(job_rows)}, "owner": {json.dumps(holder)}}}'


def decoded(line: str) -> tuple[CallRecord, list[Job], Owner | None]:
    """What `encoded` has made a line of. Raises some Exception for any other: a damaged disk or a person with
    an editor may have left anything there.
    """
    data = json.loads(line)
    record = record_json.of_json(data["record"])
    holder = data["owner"]
    owner = None if holder is None else _checked(Owner(runner=holder[0], fence=holder[1]))
    return _checked(record), [_job(row) for row in data["jobs"]], owner


def _job(row: dict[str, Any]) -> Job:
    return _checked(
        Job(
            id=row["id"],
            call_id=row["call_id"],
            kind=JobKind(row["kind"]),
            receiver=row["receiver"],
            created_at=row["created_at"],
            due_at=row["due_at"],
            attempts=row["attempts"],
            work=json.loads(row["work"]),
        )
    )


def _checked(value: _Value) -> _Value:
    """The value, in which everything has the type that it is declared with: stores rely on it."""
    hint: Any = type(value)
    form = codec(hint)
    checked: _Value = form.read(form.write(value))
    return checked
