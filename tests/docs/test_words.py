"""Each word of docs/words.md stands there once, and the name that it has in the code exists."""

from importlib import import_module

import pytest

from tests.docs.pages import read

ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in read("docs/words.md").text.splitlines()
    if line.startswith("|") and not line.startswith(("| word", "| ---"))
]


def test_each_word_has_one_meaning_and_one_name_in_the_code() -> None:
    for words in ([word for word, _, _ in ROWS], [name for _, _, name in ROWS]):
        assert [word for word in words if words.count(word) > 1] == []


@pytest.mark.parametrize("name", [name.strip("`") for _, _, name in ROWS])
def test_the_name_of_a_word_is_in_the_code(name: str) -> None:
    module, _, member = name.partition(":")
    assert hasattr(import_module(module), member)
