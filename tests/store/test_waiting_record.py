"""A line that holds a record is read back; any other line is nobody's, and harms nobody."""

import json
from pathlib import Path
from typing import Any

import pytest

from runner.model.live_call import Owner
from runner.model.record import Handoff, Span, ToolUse, Turn
from runner.store.waiting_record import WaitingRecord, decoded, encoded, waiting_records
from tests.store.engines import call_record, delivery

JOB = delivery(due_at=None, work={"http": {"body": [1, None]}})
OWNER = Owner(runner="one", fence=3)
RECORD = call_record(
    "rtc_1",
    turns=(Turn(role="caller", text="Hello.", at=1.0, heard_ms=5),),
    tools=(
        ToolUse(
            name="f", call_id="c", arguments={"a": [1]}, started_at=1.0, took_s=None, status="ok", reply=2
        ),
    ),
    handoffs=(Handoff(agent="desk", because="f", at=2.0),),
    spans=(Span(who="agent", since=1.0),),
    headers={"x-a": "b"},
    faults=("late lookup",),
)


def line(**parts: Any) -> str:
    return json.dumps({**json.loads(encoded(RECORD, [JOB], OWNER)), **parts})


def record(**fields: Any) -> str:
    return line(record={**json.loads(encoded(RECORD, [], None))["record"], **fields})


def job(**columns: Any) -> str:
    return line(jobs=[{**json.loads(line())["jobs"][0], **columns}])


DEEP = "[" * 200_000
UNREADABLE = {
    "nothing": "",
    "no JSON": "no JSON",
    "too deep": DEEP,
    "a number": "7",
    "a list": "[1, 2, 3]",
    "a record that is a list": line(record=[]),
    "a record without an agent": line(record={"id": "rtc_1"}),
    "an id that is an object": record(id={"a": 1}),
    "an id that is a list": record(id=["rtc_1"]),
    "an instant that is text": record(created_at="yesterday"),
    "an instant beyond all": record(created_at=10**400),
    "a turn whose text is a number": record(turns=[{"role": "agent", "text": 7, "at": 1.0}]),
    "a field that is unknown": record(mood="good"),
    "an owner that is no runner": line(owner=[{"a": 1}, 3]),
    "jobs that are an object": line(jobs={"a": 1}),
    "a job with an id that is an object": job(id={"a": 1}),
    "a job that is due at no time": job(due_at=[]),
    "a job of an unknown kind": job(kind=[]),
    "a job that is too deep": job(work=DEEP),
}


def test_a_record_is_read_back_with_its_jobs_and_its_owner() -> None:
    assert decoded(encoded(RECORD, [JOB], OWNER)) == (RECORD, [JOB], OWNER)
    assert decoded(encoded(RECORD, [], None)) == (RECORD, [], None)


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_line_that_cannot_be_read_is_refused_and_hides_no_other(tmp_path: Path, text: str) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011 - which one does not matter
        decoded(text)
    path = tmp_path / "calls.db.unsaved"
    path.write_text(f"{text}\n{encoded(RECORD, [JOB], OWNER)}\n")
    assert waiting_records(path) == {"rtc_1": WaitingRecord(path=path, owner=OWNER)}


def test_bytes_that_are_no_text_hide_no_record(tmp_path: Path) -> None:
    path = tmp_path / "calls.db.unsaved"
    path.write_bytes(b"\xff\xfe\x00\n" + encoded(RECORD, [], None).encode() + b"\n")
    assert list(waiting_records(path)) == ["rtc_1"]
