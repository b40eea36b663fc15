"""Loads two configurations from texts, for tests that compare them."""

from datetime import datetime
from pathlib import Path

from runner.api.realtime import api as realtime
from runner.cli.difference_words import verdict_words
from runner.config.load import load
from runner.difference.call_changes import MovedCalls
from runner.difference.configurations import Difference, difference
from runner.difference.tree import ABSENT
from runner.model.settings import Configuration

NOW = datetime.fromisoformat("2026-11-23T12:00-05:00").timestamp()
"""A Monday."""

Files = dict[str, str]


def agent(name: str, more: str = "") -> str:
    """The text of an agent that has `more` beside what every agent needs."""
    return f"agent: {name}\nmodel: gpt-realtime-2.1\ninstructions: Answer.\n{more}"


def loaded(folder: Path, files: Files) -> Configuration:
    """The configuration of these files, which have no errors."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    found = load(folder)
    assert found.configuration is not None, [str(problem) for problem in found.problems]
    return found.configuration


def compared(folder: Path, old: Files, new: Files) -> Difference:
    """What differs between two directories of these files."""
    return difference(loaded(folder / "old", old), loaded(folder / "new", new), NOW, realtime)


def calls(found: Difference) -> list[str]:
    """Each group as `old → new`, with its examples as `caller > called`."""
    return [_group(moved) for moved in found.calls.moved]


def _group(moved: MovedCalls) -> str:
    examples = [f"{example.call.caller} > {example.call.called}" for example in moved.examples]
    return f"{verdict_words(moved.old)} → {verdict_words(moved.new)}: {', '.join(examples)}"


def changed(found: Difference, name: str = "desk") -> dict[str, tuple[object, object]]:
    """The changes of one agent by their paths; None stands for what is not there."""
    return {
        ".".join(change.path): (_side(change.old), _side(change.new)) for change in found.agents.get(name, ())
    }


def _side(value: object) -> object:
    return None if value is ABSENT else value
