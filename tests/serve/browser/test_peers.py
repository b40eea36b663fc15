"""Where runners reach one another for the requests of pages."""

from typing import Any

import aiohttp
import pytest

from runner.model.live_call import FleetCall, HeldCall
from runner.model.settings import Admin, Server
from runner.serve.browser.peers import PagePeers, RunnerOfCall, peer_host

EVERYWHERE = "0.0.0.0"


@pytest.mark.parametrize(
    ("host", "admin", "shares_port", "listens_at"),
    [
        (EVERYWHERE, None, False, None),
        ("127.0.0.1", None, False, None),
        ("127.0.0.1", "127.0.0.1", False, None),
        ("10.0.0.7", "127.0.0.1", True, "10.0.0.7"),
        ("127.0.0.1", None, True, "127.0.0.1"),
        ("127.0.0.1", EVERYWHERE, False, EVERYWHERE),
        ("localhost", "10.0.0.7", True, "10.0.0.7"),
    ],
)
def test_a_listener_for_runners_alone_is_opened_where_they_do_not_reach_that_of_pages(
    host: str, admin: str | None, shares_port: bool, listens_at: str | None
) -> None:
    server = Server(host=host, admin=None if admin is None else Admin(host=admin))
    assert peer_host(server, shares_port=shares_port) == listens_at


class Shelf:
    """A store with one call, of the runner `one`."""

    async def live_call(self, call_id: str) -> FleetCall | None:
        call = HeldCall(id="call_1", agent="desk", configuration="c1", began_at=0.0)
        return FleetCall(call=call, runner="one", page_address="http://one") if call_id == "call_1" else None

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} is not asked for")


@pytest.mark.parametrize(
    ("runner", "call_id", "owner"),
    [
        ("two", "call_1", RunnerOfCall(address="http://one")),
        ("one", "call_1", RunnerOfCall(address=None)),
        ("one", "call_2", None),
    ],
    ids=["another's", "ours, and not served yet", "over"],
)
async def test_a_call_that_was_just_taken_over_is_not_over(
    runner: str, call_id: str, owner: RunnerOfCall | None
) -> None:
    async with aiohttp.ClientSession() as session:
        assert await PagePeers(Shelf(), runner, session).owner(call_id) == owner
