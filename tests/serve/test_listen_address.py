"""The address under which other runners reach the admin listener of this one."""

import socket

import pytest

from runner.serve.listen_address import peer_url


@pytest.mark.parametrize(
    ("declared", "host", "own", "expected"),
    [
        ("http://10.0.0.7:9000", "0.0.0.0", "10.0.0.8", "http://10.0.0.7:9000"),
        (None, "10.0.0.7", "10.0.0.8", "http://10.0.0.7:8081"),
        (None, "fd00::7", "10.0.0.8", "http://[fd00::7]:8081"),
        (None, "0.0.0.0", "10.0.0.8", "http://10.0.0.8:8081"),
        (None, "::", "10.0.0.8", "http://10.0.0.8:8081"),
        # Debian's installer writes 127.0.1.1 into /etc/hosts.
        (None, "0.0.0.0", "127.0.1.1", "http://desk-1:8081"),
        (None, "0.0.0.0", None, "http://desk-1:8081"),
    ],
)
def test_it_is_the_one_declared_or_the_one_that_is_listened_at_or_this_machines(
    declared: str | None, host: str, own: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looked_up(name: str) -> str:
        assert name == "desk-1"
        if own is None:
            raise socket.gaierror
        return own

    monkeypatch.setattr(socket, "gethostname", lambda: "desk-1")
    monkeypatch.setattr(socket, "gethostbyname", looked_up)
    assert peer_url(declared, host, 8081) == expected
