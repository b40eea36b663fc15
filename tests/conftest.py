"""What all tests share: a log that each test finds as the one before found it, hypothesis unhurried, a port
for who has to be told one, one PostgreSQL server for all tests of a process that want one, and a garbage
collector that does not look again and again through what stays.
"""

import gc
import logging
import os
import socket
from collections.abc import Generator, Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.store.postgresql.server import PostgresqlServer

# Hypothesis judges what the code does, never how fast this machine happens to be. It looks elsewhere each
# time, except in CI: there a failure comes from the change, and anybody can repeat it.
PROJECT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("project", PROJECT)
settings.register_profile("ci", PROJECT, derandomize=True, database=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "project"))

# Whatever proxy stands between this machine and others, none stands between a test and its servers, and what
# somebody has set up for another PostgreSQL does not hold for that of the tests.
os.environ |= dict.fromkeys(("no_proxy", "NO_PROXY"), "localhost,127.0.0.1,::1")
for name in [name for name in os.environ if name.startswith("PG")]:
    del os.environ[name]


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """`-n auto` is half as many again as there are cores: many tests wait for a socket or a process."""
    cores = yield
    return cores + cores // 2


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Thousands of tests and their modules stay to the end: searching them took a quarter of collection."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(autouse=True)
def _log_is_put_back() -> Iterator[None]:
    """Commands set up the log of their process, which tests share."""
    root, ours = logging.getLogger(), logging.getLogger("runner")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    yield
    for handler in [one for one in root.handlers if one not in handlers]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


@pytest.fixture
def held_port() -> Iterator[int]:
    """A port of this machine that the kernel gives to nobody else, and at which one program may listen.

    Until it does, connections are refused. Sockets that set `SO_REUSEADDR`, as those of servers do, may have
    one address as long as only one of them listens (socket(7)).
    """
    with socket.socket() as holding:
        holding.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holding.bind(("", 0))
        yield int(holding.getsockname()[1])


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    server = PostgresqlServer()
    yield server
    server.delete()
