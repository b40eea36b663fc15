"""The address of a store never shows a password, and names the files that lie beside it."""

from pathlib import Path

import pytest

from runner.model.settings import SecretRef
from runner.store.url import file_beside, shown_store


@pytest.mark.parametrize(
    ("store", "shown"),
    [
        ("sqlite:calls.db", "sqlite:calls.db"),
        (
            "postgresql://ada:hid@den@db.example:6432/calls?password=hidden",
            "postgresql://db.example:6432/calls",
        ),
        ("postgresql:///calls?host=/run/hidden", "postgresql:///calls"),
        (SecretRef(env="DATABASE_URL"), "environment variable DATABASE_URL"),
    ],
)
def test_a_store_is_shown_without_its_password(store: str | SecretRef, shown: str) -> None:
    assert shown_store(store) == shown


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:data/calls.db", Path("data/calls.db.unsaved")),
        ("sqlite::memory:", None),
    ],
)
def test_what_waits_for_a_store_lies_beside_it(url: str, path: Path | None) -> None:
    assert file_beside(url, "unsaved") == path


def test_each_database_has_files_of_its_own_whatever_the_password() -> None:
    urls = {
        "a database": ("postgresql://ada:one@db/calls", "postgresql://ada:two@db/calls?sslmode=require"),
        "another": ("postgresql://db/other", "postgresql://ada@db/other?user=ada&password=one"),
        "of a socket": (
            "postgresql:///calls?host=/run/one&port=1",
            "postgresql:///calls?port=1&host=/run/one",
        ),
        "of another socket": ("postgresql:///calls?host=/run/two",),
        "a schema": ("postgresql://db/calls?search_path=one",),
    }
    files = [{file_beside(url, "unsaved") for url in same} for same in urls.values()]
    assert [len(same) for same in files] == [1] * len(urls)
    assert len(set().union(*files)) == len(urls)
    assert all(str(path).startswith("phone-agents-") for path in set().union(*files))
