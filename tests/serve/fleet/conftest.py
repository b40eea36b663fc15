"""A PostgreSQL server for the tests of several runners."""

from collections.abc import Iterator

import pytest

from tests.store.postgresql.server import PostgresqlServer


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    server = PostgresqlServer()
    yield server
    server.delete()
