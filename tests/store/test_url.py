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
        ("postgresql://ada:one@db.example/calls", Path("phone-agents-af26f69a.unsaved")),
        ("postgresql://ada:two@db.example/calls", Path("phone-agents-af26f69a.unsaved")),
    ],
)
def test_what_waits_for_a_store_lies_beside_it(url: str, path: Path | None) -> None:
    assert file_beside(url, "unsaved") == path
