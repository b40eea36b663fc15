"""Opens the store that a URL names."""

from runner.errors import CannotRunError
from runner.store.sqlite.sqlite_store import SqliteStore
from runner.store.store import Store


async def open_store(url: str) -> Store:
    """Open the store that `store` in runner.yaml names, and make it where there is none.

    `sqlite:PATH` is a file, relative to the working directory; `sqlite::memory:` forgets everything at the
    end. Raises CannotRunError, with what would help, when the store cannot be used.
    """
    scheme, _, path = url.partition(":")
    if scheme != "sqlite":
        # Only the scheme is shown: the rest may hold a password.
        raise CannotRunError(f'a store of the kind "{scheme}" is not supported; write "sqlite:calls.db"')
    if not path or path.startswith("//"):
        raise CannotRunError(f'store "{url}" names no file; write "sqlite:calls.db"')
    return await SqliteStore.open(path)
