"""The store of a configuration, opened for a command that looks into it."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from runner.cli.problems import print_problems
from runner.cli.terminal import stderr
from runner.config.load import load
from runner.config.reading.files import SETTINGS_FILE
from runner.errors import CannotRunError, StoreError
from runner.model.settings import Settings
from runner.serve.secrets import find_store
from runner.store.opening import open_store
from runner.store.store import Store


def read_settings(directory: Path, environment: str | None) -> Settings | None:
    """What runner.yaml declares; None after printing what is wrong with it.

    No other file is read: whoever looks for a call must not be kept from it by a mistake in an agent.
    Raises CannotRunError and UsageError.
    """
    file = directory / SETTINGS_FILE
    texts = {file.as_posix(): file.read_bytes()} if file.is_file() else {}
    loaded = load(directory, environment, texts, only_unsaved=True)
    if loaded.configuration is None:
        print_problems(loaded.problems, loaded.sources, stderr())
        return None
    return loaded.configuration.settings


def _check_file(path: str) -> None:
    """Raises CannotRunError where there is no such file: opening the store would make it."""
    if not Path(path).exists():
        raise CannotRunError(
            f'there is no store "sqlite:{path}" here ({Path.cwd()}); run this in the directory in which the '
            "runner runs, or name the file by its whole path"
        )


@asynccontextmanager
async def opened_store(settings: Settings) -> AsyncIterator[Store]:
    """The store, which has to be there already. Raises CannotRunError, for what goes wrong inside as well."""
    url = find_store(settings, os.environ)
    scheme, _, path = url.partition(":")
    if scheme == "sqlite":
        if path == ":memory:":
            raise CannotRunError(f'store "{url}" keeps nothing when its process ends')
        _check_file(path)
    store = await open_store(url)
    try:
        yield store
    except StoreError as error:
        raise CannotRunError(f"the store cannot do that now: {error}") from None
    finally:
        await store.close()
