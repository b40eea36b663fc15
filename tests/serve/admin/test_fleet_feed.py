"""The list of live calls of the fleet, with runners that cannot be followed."""

from runner.model.live_call import RunnerInfo
from runner.serve.admin.fleet_feed import FleetFeed
from runner.serve.admin.followed import FollowedCalls
from runner.serve.admin.peers import AdminPeers
from runner.serve.live_calls import LiveCalls
from runner.serve.metrics import Metrics
from runner.serve.timeouts import Timeouts
from tests.clock import clock


class NoSaver:
    async def save(self, *_: object) -> None:
        raise AssertionError("no call ends here")


class OthersWithoutAdmin(AdminPeers):
    def __init__(self) -> None:
        pass

    async def others(self) -> list[RunnerInfo]:
        return [RunnerInfo(id="host-2", version="1", configuration="x", address=None)]


async def test_a_runner_that_has_no_admin_api_is_missing() -> None:
    calls = LiveCalls(saver=NoSaver(), metrics=Metrics(), timeouts=Timeouts())
    feed = FleetFeed(FollowedCalls(calls, "host-1", clock), OthersWithoutAdmin(), clock)
    assert (feed.runners, feed.missing) == (["host-1"], [])
    await feed.wait_for_others()
    assert (feed.runners, feed.missing) == (["host-1", "host-2"], ["host-2"])
    told = feed.calls.after(0)
    assert told is not None
    assert told.runners
    told = feed.calls.after(feed.calls.last)
    assert told is not None
    assert not told.runners
