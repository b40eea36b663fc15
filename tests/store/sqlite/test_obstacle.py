"""What keeps a user from using a file is told by its name, whatever privileges the tests run with."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from runner.errors import CannotRunError
from runner.store.opening import open_store
from runner.store.sqlite.obstacle import obstacle_of

WRITE_THERE = "let the runner's user write there, or name a file elsewhere"


@pytest.fixture(autouse=True)
def _without_privileges(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bits of the owner decide: a superuser may do anything."""

    def access(path: str, mode: int) -> bool:
        try:
            bits = os.stat(path).st_mode >> 6  # noqa: PTH116
        except OSError:
            return False
        return bits & mode == mode

    monkeypatch.setattr(os, "access", access)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "data"
    folder.mkdir()
    yield folder
    folder.chmod(0o755)


def seen(path: Path) -> tuple[str, str] | None:
    """The obstacle, without what stands before the folder of the test."""
    found = obstacle_of(str(path))
    return None if found is None else (re.sub(r'"/\S*/data', '"data', found.what), found.remedy)


def test_nothing_is_in_the_way_of_a_file_that_is_ours_or_new(folder: Path) -> None:
    path = folder / "calls.db"
    assert seen(path) is None
    for name in ("calls.db", "calls.db-wal", "calls.db-shm"):
        (folder / name).touch(mode=0o600)
    assert seen(path) is None


@pytest.mark.parametrize("name", ["calls.db", "calls.db-wal", "calls.db-shm"])
@pytest.mark.parametrize("mode", [0o444, 0o000, 0o200])
def test_a_file_that_may_not_be_written_or_read_is_named(folder: Path, name: str, mode: int) -> None:
    (folder / "calls.db").touch()
    (folder / name).touch()
    (folder / name).chmod(mode)
    remedy = "let the runner's user read and write it"
    assert seen(folder / "calls.db") == (f'this user may not read and write "data/{name}"', remedy)


@pytest.mark.parametrize("has_file", [True, False])
def test_a_directory_that_may_not_be_written_to_is_named(folder: Path, has_file: bool) -> None:
    if has_file:
        (folder / "calls.db").touch()
    folder.chmod(0o555)
    what = 'no file can be created in "data", and SQLite needs some beside its own'
    assert seen(folder / "calls.db") == (what, WRITE_THERE)


def test_the_file_that_a_link_leads_to_counts(folder: Path, tmp_path: Path) -> None:
    (folder / "calls.db").touch(mode=0o444)
    link = tmp_path / "calls.db"
    link.symlink_to(folder / "calls.db")
    found = seen(link)
    assert found is not None
    assert found[0] == 'this user may not read and write "data/calls.db"'


@pytest.mark.parametrize("place", ["data", "data/calls.db"])
def test_a_read_only_file_system_is_told_as_that(
    folder: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "calls.db").touch(mode=0o444)
    monkeypatch.setattr(
        os, "statvfs", lambda path: SimpleNamespace(f_flag=os.ST_RDONLY if path.endswith(place) else 0)
    )
    what = f'"{place}" is on a read-only file system'
    assert seen(folder / "calls.db") == (what, "mount it writable, or name a file elsewhere")


def test_what_is_no_place_for_a_file(folder: Path) -> None:
    (folder / "file").touch()
    assert seen(folder) == ("it is a directory", "name a file in it")
    remedy = "create it, or name another file"
    assert seen(folder / "none" / "calls.db") == ('"data/none" is not a directory', remedy)
    assert seen(folder / "file" / "calls.db") == ('"data/file" is not a directory', remedy)


def test_a_directory_that_nobody_may_look_for_is_not_told_as_missing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stat(path: str) -> os.stat_result:
        raise PermissionError(path)

    monkeypatch.setattr(os.path, "isdir", lambda _: False)
    monkeypatch.setattr(os, "stat", stat)
    remedy = "let the runner's user search the directories above"
    assert seen(folder / "in" / "calls.db") == ('"data/in" cannot be reached', remedy)


async def test_a_file_that_may_only_be_read_stops_the_start(folder: Path) -> None:
    """SQLite opens it, also for a transaction that says it will write."""
    path = folder / "calls.db"
    await (await open_store(f"sqlite:{path}")).close()
    path.chmod(0o444)
    with pytest.raises(CannotRunError) as caught:
        await open_store(f"sqlite:{path}")
    assert str(caught.value) == (
        f'store "sqlite:{path}" cannot be used: this user may not read and write "{path.resolve()}"; '
        "let the runner's user read and write it"
    )
