"""Ended calls at the admin API: pages, windows, forms, sums, and a call as a test."""

import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from runner.model.record import CallRecord, ToolUse, Turn
from runner.model.stored_call import CallSummary
from runner.model.values import JsonObject
from runner.serve.admin.record_requests import NoScenarioError
from runner.serve.admin.records import as_csv
from runner.store.sqlite.sqlite_store import SqliteStore
from tests.clock import NOW
from tests.serve.admin.lab import AdminLab, started
from tests.store.engines import call_record

HOUR = 3600.0


def record(number: int, **fields: Any) -> CallRecord:
    """A call that rang so many hours ago."""
    rang_at = NOW - number * HOUR
    given = {
        "created_at": rang_at,
        "ended_at": rang_at + 60,
        "agent": "front-desk",
        "ended": "caller_hung_up",
        **fields,
    }
    return call_record(id=f"rtc_{number}", **given)


def as_test(stored: JsonObject) -> str:
    if stored["id"] == "rtc_2":
        raise NoScenarioError("nothing was said in this call")
    return f"scenario: {stored['id']}\n"


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[AdminLab]:
    async with started(tmp_path, scenario_of=as_test) as lab:
        assert lab.runner.service is not None
        store = lab.runner.service.storage.store
        assert isinstance(store, SqliteStore)
        turns = (Turn(role="caller", text="I lost my cat.", at=NOW, waited_s=None),)
        spoken = (Turn(role="agent", text="Oh.", at=NOW, waited_s=1.25),)
        tool = ToolUse(
            name="find_cat", call_id="c", arguments={}, started_at=NOW, took_s=0.5, status="ok", attempts=1
        )
        for each in (
            record(1, turns=turns, cost_usd=0.5),
            record(2, agent="billing", ended="hangup"),
            record(3, turns=spoken, tools=(tool,), cost_usd=0.25),
            record(24 * 8),
        ):
            await store.save(each)
        yield lab


def ids(page: Any) -> list[str]:
    return [each["id"] for each in page["records"]]


async def test_records_come_in_pages_the_newest_first(lab: AdminLab) -> None:
    first = await lab.ask("GET", "/admin/records?limit=2")
    assert ids(first.json) == ["rtc_1", "rtc_2"]
    assert first.json["next"] in first.headers["Link"]
    second = await lab.get(f"/admin/records?limit=2&cursor={first.json['next']}")
    assert (ids(second), second["next"]) == (["rtc_3"], None)
    assert second["records"][0] == {
        "id": "rtc_3",
        "agent": "front-desk",
        "caller": None,
        "called": None,
        "started_at": NOW - 3 * HOUR,
        "ended_at": NOW - 3 * HOUR + 60,
        "ended": "caller_hung_up",
        "cost_usd": 0.25,
    }


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["rtc_1", "rtc_2", "rtc_3"]),
        ("q=LOST%20my", ["rtc_1"]),
        ("agent=billing", ["rtc_2"]),
        ("ended=hangup", ["rtc_2"]),
        # 17:00 is now.
        ("from=2026-11-23T15:00:00Z", ["rtc_1", "rtc_2"]),
        ("from=2026-11-23T16:00:00%2B01:00&to=2026-11-23T17:00:00%2B01:00", ["rtc_2"]),
        ("from=2026-11-14T00:00:00Z", ["rtc_1", "rtc_2", "rtc_3", "rtc_192"]),
    ],
)
async def test_records_are_found_in_a_window(lab: AdminLab, query: str, found: list[str]) -> None:
    assert ids(await lab.get(f"/admin/records?{query}")) == found


@pytest.mark.parametrize(
    ("query", "at", "message"),
    [
        ("from=2026-11-24T00:00:00Z&to=2026-11-23T00:00:00Z", "from", '"from" is after "to"'),
        (
            "from=yesterday",
            "from",
            '"from" is "yesterday", it must be text, a date and time such as 2026-11-27T09:30:00Z, at most 40'
            " characters long",
        ),
        ("from=2026-01-01T00:00:00Z&q=a", "from", "the window is longer than 92 days; ask for a part of it"),
        ("from=2024-01-01T00:00:00Z", "from", "the window is longer than 366 days; ask for a part of it"),
        ("cursor=abc", "cursor", '"cursor" is not the "next" of a page'),
        ("cursor=W1tdLCB7fV0", "cursor", '"cursor" is not the "next" of a page'),
    ],
)
async def test_a_window_that_is_none_is_told(lab: AdminLab, query: str, at: str, message: str) -> None:
    reply = await lab.ask("GET", f"/admin/records?{query}")
    assert (reply.status, reply.json["errors"]) == (400, [{"in": "query", "at": at, "message": message}])


async def test_records_are_exported(lab: AdminLab) -> None:
    for headers, query in (({"Accept": "text/csv"}, ""), ({}, "?format=csv")):
        reply = await lab.ask("GET", f"/admin/records{query}", headers=headers)
        assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
        lines = list(csv.reader(io.StringIO(reply.text)))
        assert [line[0] for line in lines] == ["id", "rtc_1", "rtc_2", "rtc_3"]
    reply = await lab.ask("GET", "/admin/records?format=ndjson&limit=2")
    assert reply.headers["Content-Type"] == "application/x-ndjson; charset=utf-8"
    assert [json.loads(line)["id"] for line in reply.text.splitlines()] == ["rtc_1", "rtc_2"]
    assert 'rel="next"' in reply.headers["Link"]


def test_nothing_that_a_caller_brings_is_a_formula() -> None:
    def call(caller: str) -> CallSummary:
        return CallSummary(
            id="=1+1",
            agent="@a",
            caller=caller,
            called=None,
            started_at=0.0,
            ended_at=float("1e300"),
            ended="",
            cost_usd=None,
        )

    text = as_csv([call("+14155550100"), call('=HYPERLINK("http://x")'), call("+1+1"), call("-2\r\n,")])
    lines = list(csv.reader(io.StringIO(text)))[1:]
    assert [line[2] for line in lines] == ["+14155550100", '\'=HYPERLINK("http://x")', "'+1+1", "'-2\r\n,"]
    assert lines[0][:2] == ["'=1+1", "'@a"]
    assert lines[0][4:6] == ["1970-01-01T00:00:00.000+00:00", "1e+300"]


async def test_a_record_is_read_whole(lab: AdminLab) -> None:
    found = await lab.get("/admin/records/rtc_3")
    assert (found["outcome"], found["jobs"]) == (None, [])
    assert found["record"]["turns"][0]["waited_s"] == 1.25
    assert found["record"]["tools"][0]["attempts"] == []
    missing = await lab.ask("GET", "/admin/records/rtc_9")
    assert (missing.status, missing.json["detail"]) == (404, 'there is no record of a call "rtc_9"')


async def test_a_record_becomes_a_test(lab: AdminLab) -> None:
    reply = await lab.ask("GET", "/admin/records/rtc_1/scenario")
    assert (reply.status, reply.text) == (200, "scenario: rtc_1\n")
    assert reply.headers["Content-Type"] == "application/yaml; charset=utf-8"
    reply = await lab.ask("GET", "/admin/records/rtc_2/scenario")
    assert (reply.status, reply.json["detail"]) == (409, "nothing was said in this call")
    assert (await lab.ask("GET", "/admin/records/rtc_9/scenario")).status == 404


async def test_a_day_is_summed_up(lab: AdminLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.serve.admin.record_requests.DAY_PAGE", 2)
    day = await lab.get("/admin/day?from=2026-11-22T17:00:00Z&to=2026-11-23T17:00:00Z")
    measured = {"count": 1, "p50": 1.25, "p90": 1.25, "p99": 1.25}
    nothing = {"count": 0, "p50": None, "p90": None, "p99": None}
    took = {"count": 1, "p50": 0.5, "p90": 0.5, "p99": 0.5}
    assert day == {
        "from": NOW - 24 * HOUR,
        "to": NOW,
        "calls": 3,
        "priced": 2,
        "cost_usd": 0.75,
        "response_s": measured,
        "hours": [
            {"from": NOW - 3 * HOUR, "calls": 1, "cost_usd": 0.25, "response_s": measured},
            {"from": NOW - 2 * HOUR, "calls": 1, "cost_usd": 0.0, "response_s": nothing},
            {"from": NOW - HOUR, "calls": 1, "cost_usd": 0.5, "response_s": nothing},
        ],
        "ended": {"caller_hung_up": 2, "hangup": 1},
        "agents": {"front-desk": 2, "billing": 1},
        "tools": {"find_cat": {"calls": 1, "failed": 0, "took_s": took}},
        "is_whole": True,
    }
    assert (await lab.get("/admin/day?agent=billing"))["calls"] == 1
    monkeypatch.setattr("runner.serve.admin.record_requests.MOST_IN_A_DAY", 2)
    assert (await lab.get("/admin/day"))["is_whole"] is False


async def test_a_reload_that_fails_is_told(lab: AdminLab) -> None:
    reply = await lab.ask("POST", "/admin/reload")
    assert reply.status == 422
    assert reply.json["problems"] == ["this process has no directory to load from"]
