"""The URL of a store says which engine keeps it."""

import pytest

from runner.errors import CannotRunError
from runner.store.opening import open_store


async def test_an_unknown_kind_of_store_is_refused_without_what_may_be_a_password() -> None:
    with pytest.raises(CannotRunError) as caught:
        await open_store("mysql://ada:hidden@db.example/calls")
    assert (
        str(caught.value)
        == 'a store of the kind "mysql" is not supported; write "sqlite:calls.db" or "postgresql://…"'
    )
