"""The list of live calls, and what is told of it after which place. No runner, no stream."""

from typing import Any

import pytest

from runner.model.live_call import RunnerInfo
from runner.serve.admin.fleet_feed import MOST_GONE, Changes, FleetFeed
from runner.serve.admin.followed import FollowedCalls
from runner.serve.admin.peers import Peers
from runner.serve.live_call import LiveCall
from runner.serve.live_calls import LiveCalls
from runner.serve.metrics import Metrics
from runner.serve.timeouts import Timeouts
from tests.clock import NOW, clock


class NoSaver:
    async def save(self, *_: object) -> None:
        raise AssertionError("no call ends here")


class OthersWithoutAdmin(Peers):
    def __init__(self) -> None:
        pass

    async def others(self) -> list[RunnerInfo]:
        return [RunnerInfo(id="host-2", version="1", configuration="x", address=None)]


def a_feed(peers: Peers | None = None) -> FleetFeed:
    calls = LiveCalls[LiveCall](saver=NoSaver(), metrics=Metrics(), timeouts=Timeouts())
    return FleetFeed(FollowedCalls(calls, "host-1", clock), peers, lambda: NOW)


@pytest.fixture
def feed() -> FleetFeed:
    return a_feed()


def row(call_id: str, runner: str = "host-2", **fields: Any) -> dict[str, Any]:
    return {"id": call_id, "runner": runner, "created_at": NOW, **fields}


def end(call_id: str, ended: str | None = "caller_hung_up") -> dict[str, Any]:
    return {"now": NOW, "id": call_id, "ended": ended, "ended_at": NOW}


def changes(upto: int, *rows: dict[str, Any], gone: tuple[dict[str, Any], ...] = ()) -> Changes:
    return Changes(upto=upto, rows=list(rows), gone=list(gone), runners=False)


def test_a_row_is_told_once_after_its_last_change(feed: FleetFeed) -> None:
    feed.put(row("a"))
    feed.put(row("b"))
    feed.put(row("a", phase="talking"))
    feed.put(row("b"))
    assert feed.after(0) == changes(3, row("b"), row("a", phase="talking"))
    assert feed.after(2) == changes(3, row("a", phase="talking"))
    assert feed.after(3) == changes(3)
    assert feed.after(4) is None


def test_a_call_that_is_gone_is_told_in_place_of_its_row(feed: FleetFeed) -> None:
    feed.put(row("a"))
    feed.remove("host-2", end("a"))
    assert feed.after(0) == changes(2, gone=(end("a"),))
    assert feed.rows() == []
    feed.put(row("a", "host-3"))
    assert feed.after(0) == changes(3, row("a", "host-3"))


def test_a_call_that_has_moved_is_not_gone(feed: FleetFeed) -> None:
    feed.put(row("a"))
    feed.put(row("a", "host-3"))
    feed.remove("host-2", end("a"))
    feed.replace("host-2", {})
    assert feed.after(0) == changes(2, row("a", "host-3"))


def test_what_a_runner_does_not_have_any_more_is_gone(feed: FleetFeed) -> None:
    feed.put(row("a"))
    feed.put(row("b"))
    feed.put(row("c", "host-3"))
    feed.replace("host-2", {"b": row("b")})
    assert feed.after(3) == changes(4, gone=(end("a", None) | {"ended_at": None},))
    assert [each["id"] for each in feed.rows()] == ["b", "c"]


async def test_a_runner_that_has_no_admin_api_is_missing() -> None:
    feed = a_feed(OthersWithoutAdmin())
    assert (feed.runners, feed.missing) == (["host-1"], [])
    await feed.wait_for_others()
    assert (feed.runners, feed.missing) == (["host-1", "host-2"], ["host-2"])
    told = feed.after(0)
    assert told is not None
    assert told.runners
    told = feed.after(feed.last)
    assert told is not None
    assert not told.runners


def test_a_reader_who_has_missed_more_ends_than_are_kept_begins_anew(feed: FleetFeed) -> None:
    for n in range(MOST_GONE + 1):
        feed.put(row(f"call {n}"))
        feed.remove("host-2", end(f"call {n}"))
    assert feed.after(1) is None
    assert feed.place(feed.event_id(1)) is None
    told = feed.after(2)
    assert told is not None
    assert len(told.gone) == MOST_GONE


@pytest.mark.parametrize(
    "event_id", [None, "", ".", "x.0", "{epoch}.", "{epoch}.-1", "{epoch}.9", "{epoch}.²"]
)
def test_an_id_of_something_else_names_no_place(feed: FleetFeed, event_id: str | None) -> None:
    feed.put(row("a"))
    assert feed.place(feed.event_id(1)) == 1
    assert feed.place(event_id and event_id.format(epoch=feed.epoch)) is None
