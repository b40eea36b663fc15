"""The list of live calls, and what is told of it after which place. No runner, no stream."""

from typing import Any

import pytest

from runner.serve.admin.call_rows import MOST_GONE, CallRows, Changes
from tests.clock import NOW


@pytest.fixture
def rows() -> CallRows:
    return CallRows(lambda: NOW)


def row(call_id: str, runner: str = "host-2", **fields: Any) -> dict[str, Any]:
    return {"id": call_id, "runner": runner, "created_at": NOW, **fields}


def end(call_id: str, ended: str | None = "caller_hung_up") -> dict[str, Any]:
    return {"now": NOW, "id": call_id, "ended": ended, "ended_at": NOW}


def changes(upto: int, *rows: dict[str, Any], gone: tuple[dict[str, Any], ...] = ()) -> Changes:
    return Changes(upto=upto, rows=list(rows), gone=list(gone), runners=False)


def test_a_row_is_told_once_after_its_last_change(rows: CallRows) -> None:
    rows.put(row("a"))
    rows.put(row("b"))
    rows.put(row("a", phase="talking"))
    rows.put(row("b"))
    assert rows.after(0) == changes(3, row("b"), row("a", phase="talking"))
    assert rows.after(2) == changes(3, row("a", phase="talking"))
    assert rows.after(3) == changes(3)
    assert rows.after(4) is None


def test_a_call_that_is_gone_is_told_in_place_of_its_row(rows: CallRows) -> None:
    rows.put(row("a"))
    rows.remove("host-2", end("a"))
    assert rows.after(0) == changes(2, gone=(end("a"),))
    assert rows.all() == []
    rows.put(row("a", "host-3"))
    assert rows.after(0) == changes(3, row("a", "host-3"))


def test_a_call_that_has_moved_is_not_gone(rows: CallRows) -> None:
    rows.put(row("a"))
    rows.put(row("a", "host-3"))
    rows.remove("host-2", end("a"))
    rows.replace("host-2", {})
    assert rows.after(0) == changes(2, row("a", "host-3"))


def test_what_a_runner_does_not_have_any_more_is_gone(rows: CallRows) -> None:
    rows.put(row("a"))
    rows.put(row("b"))
    rows.put(row("c", "host-3"))
    rows.replace("host-2", {"b": row("b")})
    assert rows.after(3) == changes(4, gone=(end("a", None) | {"ended_at": None},))
    assert [each["id"] for each in rows.all()] == ["b", "c"]


def test_a_reader_who_has_missed_more_ends_than_are_kept_begins_anew(rows: CallRows) -> None:
    for n in range(MOST_GONE + 1):
        rows.put(row(f"call {n}"))
        rows.remove("host-2", end(f"call {n}"))
    assert rows.after(1) is None
    assert rows.place(rows.event_id(1)) is None
    told = rows.after(2)
    assert told is not None
    assert len(told.gone) == MOST_GONE


@pytest.mark.parametrize(
    "event_id", [None, "", ".", "x.0", "{epoch}.", "{epoch}.-1", "{epoch}.9", "{epoch}.²"]
)
def test_an_id_of_something_else_names_no_place(rows: CallRows, event_id: str | None) -> None:
    rows.put(row("a"))
    assert rows.place(rows.event_id(1)) == 1
    assert rows.place(event_id and event_id.format(epoch=rows.epoch)) is None
