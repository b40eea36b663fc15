"""The picture of the README shows what `phone-agents simulate` prints."""

from pathlib import Path

import pytest

from tests.docs.pages import ROOT, read
from tests.docs.picture import FILE, drawn, output


def test_the_picture_is_what_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert drawn(output()) == FILE.read_text(encoding="utf-8"), "run `python -m tests.docs`"


def test_the_readme_shows_it_with_words_for_who_cannot_see_it() -> None:
    assert f"](docs/{Path(FILE).name})" in read("README.md").text
    assert "![A terminal that shows a simulated call" in read("README.md").text
