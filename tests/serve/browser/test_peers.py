"""Where runners reach one another for the requests of pages."""

import pytest

from runner.model.settings import Admin, Server
from runner.serve.browser.peers import peer_host

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
