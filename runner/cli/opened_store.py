"""Opens the store of a configuration for a command that reads it."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from runner.cli.problems import print_problems
from runner.cli.terminal import stderr
from runner.config.load import load
from runner.config.reading.files import SETTINGS_FILE, USUAL_DIRECTORY
from runner.errors import CannotRunError, StoreError
from runner.model.settings import Settings
from runner.serve.secrets import find_store
from runner.store.opening import open_store
from runner.store.store import Store


def read_settings(directory: Path, environment: str | None) -> Settings | None:
    """The settings of runner.yaml; None after printing its problems.

    No other file is read: a mistake in an agent must not hide a call. Raises CannotRunError and UsageError.
    """
    if not directory.is_dir() and directory != Path(USUAL_DIRECTORY):
        if directory.exists():
            raise CannotRunError(f'"{directory}" is a file; name the directory that holds it')
        raise CannotRunError(f'there is no directory "{directory}"')
    file = directory / SETTINGS_FILE
    texts = {file.as_posix(): file.read_bytes()} if file.is_file() else {}
    loaded = load(directory, environment, texts, only_unsaved=True)
    if loaded.configuration is None:
        print_problems(loaded.problems, loaded.sources, stderr())
        return None
    return loaded.configuration.settings


def _check_file(path: str) -> None:
    """Raises CannotRunError where there is no such file: opening the store would create it."""
    try:
        is_there = Path(path).exists()
    except OSError:
        return  # opening it says what is wrong
    if not is_there:
        if Path(path).is_absolute():
            raise CannotRunError(f'there is no store "sqlite:{path}"; a runner makes it when it starts')
        raise CannotRunError(
            f'there is no store "sqlite:{path}" here ({Path.cwd()}); run this in the directory in which the '
            "runner runs, or name the file by its whole path"
        )


@asynccontextmanager
async def opened_store(settings: Settings) -> AsyncIterator[Store]:
    """The store, which must exist already. Raises CannotRunError, also for errors inside."""
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
