"""Where the records of calls are kept, whatever keeps them. Knows of no database itself."""

from typing import Protocol

from runner.errors import CannotRunError
from runner.model.record import CallRecord
from runner.serve.sqlite_store import SqliteStore


class Store(Protocol):
    """Keeps the record of each call."""

    async def save(self, record: CallRecord) -> None:
        """Write a record; one of the same call is replaced.

        Raises StoreError when it cannot be written now. It is kept then, and tried again with each
        further record and at `close`. Cancelling the wait does not cancel the writing.
        """

    async def close(self) -> None:
        """Write what is still kept and let go. The log names the records that are lost."""


def open_store(url: str) -> Store:
    """Open the store that `store` in runner.yaml names, and create it where there is none.

    `sqlite:PATH` is a file, relative to the working directory; `sqlite::memory:` forgets everything at the
    end. Raises CannotRunError, with what would help, when the store cannot be written.
    """
    scheme, _, path = url.partition(":")
    if scheme != "sqlite":
        # Only the scheme is shown: the rest may hold a password.
        raise CannotRunError(f'a store of the kind "{scheme}" is not supported; write "sqlite:calls.db"')
    if not path or path.startswith("//"):
        raise CannotRunError(f'store "{url}" names no file; write "sqlite:calls.db"')
    return SqliteStore(path)
