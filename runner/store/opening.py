"""Opens the store that a URL names."""

from importlib import import_module
from typing import Any

from runner.errors import CannotRunError
from runner.store.sqlite.sqlite_store import SqliteStore
from runner.store.store import Store


async def open_store(url: str) -> Store:
    """Open the store that `store` in runner.yaml names, and create it if necessary.

    `sqlite:PATH` is a file, relative to the working directory; `sqlite::memory:` forgets everything at the
    end. `postgresql://…` is a database, with parameters as libpq has them (`sslmode=verify-full`); what is
    not in the URL, such as the password, comes from libpq's environment (`PGPASSWORD`).

    Raises CannotRunError, with what would help, when the store cannot be used.
    """
    scheme, _, path = url.partition(":")
    if scheme in {"postgresql", "postgres"}:
        # Imported only where needed: most runners have no PostgreSQL.
        module: Any = import_module("runner.store.postgresql.postgresql_store")
        store: Store = await module.PostgresqlStore.open(url)
        return store
    if scheme != "sqlite":
        # Only the scheme is shown: the rest may hold a password.
        raise CannotRunError(
            f'a store of the kind "{scheme}" is not supported; write "sqlite:calls.db" or "postgresql://…"'
        )
    if not path or path.startswith("//"):
        raise CannotRunError(f'store "{url}" names no file; write "sqlite:calls.db"')
    return await SqliteStore.open(path)
