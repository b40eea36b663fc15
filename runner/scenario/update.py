"""Puts observed values into the text of a scenario file, in place of each `...`. Changes nothing else."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from runner.model.values import Json, JsonObject, Place
from runner.scenario.observation import LOGGED

_MARK = "..."
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./ -]*[A-Za-z0-9_.!?/-]|[A-Za-z_]")
"""Texts that need no quotes in YAML, by a narrow reading."""

_LONGEST_KEY = 1_000
"""YAML looks 1,024 characters ahead for the colon behind a key."""

_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FilledMark:
    """The text to put in place of a mark."""

    place: Place
    observed: Mapping[str, Json]


def updated(text: str, changes: Iterable[FilledMark]) -> str:
    """The text with the observed values. A mark that is not at its place any more is left alone."""
    lines = text.splitlines(keepends=True)
    # From the end on, so that no place moves before it is used.
    for change in sorted(changes, key=lambda one: one.place, reverse=True):
        index, column = change.place.line - 1, change.place.column - 1
        line = lines[index]
        if line[column : column + len(_MARK)] != _MARK:
            continue
        before, after = line[:column], line[column + len(_MARK) :]
        opens = re.fullmatch(r"([\s-]*)expect: *", before)
        if opens and not after.split("#")[0].strip():
            indent = " " * (len(opens[1]) + 2)
            rows = "".join(
                f"\n{indent}{key}: {flow(value)}" for key, value in worth_expecting(change.observed).items()
            )
            ending = line[len(line.rstrip("\r\n")) :]
            lines[index] = before.rstrip() + after.removesuffix(ending).rstrip() + rows + ending
        else:
            lines[index] = before + flow(worth_expecting(change.observed)) + after
    return "".join(lines)


def worth_expecting(observed: Mapping[str, Json]) -> dict[str, Json]:
    """The observed values that deserve an expectation: who has the call, what happened, whether it ended."""
    if observed["rejected"] is not None:
        return {"rejected": observed["rejected"]}
    values: dict[str, Json] = {"agent": observed["agent"], "says": observed["says"]}
    for key in LOGGED:
        if observed[key]:
            values[key] = [_request(one) for one in observed[key]] if key == "requests" else observed[key]
    return values if observed["ended"] is None else {**values, "ended": observed["ended"]}


def _request(got: JsonObject) -> JsonObject:
    """The request without what every request has, and without empty parts."""
    return {
        key: value for key, value in got.items() if key not in {"tool", "headers"} and value not in ({}, 1)
    }


def flow(value: Json) -> str:
    """A value in YAML's flow style, on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(str(key))}: {flow(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)


def _key(key: str) -> str:
    """A key, announced by a question mark where YAML would not look far enough for its colon."""
    written = flow(key)
    return written if len(written) <= _LONGEST_KEY else f"? {written}"
