"""The OpenAPI document of the admin API holds together: schemas are valid, references lead somewhere."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from runner.model.values import JsonObject

DOCUMENT: JsonObject = json.loads(Path("schemas/admin.openapi.json").read_text(encoding="utf-8"))
OPERATIONS = [
    (path, method, item[method])
    for path, item in DOCUMENT["paths"].items()
    for method in ("get", "post")
    if method in item
]


def references(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for entry in node:
            yield from references(entry)
    elif isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for entry in node.values():
            yield from references(entry)


@pytest.mark.parametrize("file", sorted(Path("schemas").glob("*.json")), ids=lambda file: str(file.name))
def test_no_key_stands_twice(file: Path) -> None:
    """The second would take the place of the first, without a word."""
    twice: list[str] = []

    def note(pairs: list[tuple[str, Any]]) -> JsonObject:
        keys = [key for key, _ in pairs]
        twice.extend(key for key in dict.fromkeys(keys) if keys.count(key) > 1)
        return dict(pairs)

    json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=note)
    assert twice == []


def test_every_reference_leads_somewhere_and_every_component_is_used() -> None:
    used = set(references(DOCUMENT))
    there = {
        f"#/components/{kind}/{name}"
        for kind in ("schemas", "responses")
        for name in DOCUMENT["components"][kind]
    }
    assert used == there


@pytest.mark.parametrize("name", DOCUMENT["components"]["schemas"])
def test_schemas_are_json_schema_2020_12(name: str) -> None:
    Draft202012Validator.check_schema(DOCUMENT["components"]["schemas"][name])


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_operations_have_a_name_and_answer_whoever_may_not(
    path: str, method: str, operation: JsonObject
) -> None:
    assert re.fullmatch(r"[a-z][A-Za-z]+", operation["operationId"])
    assert not operation["summary"].endswith(".")
    assert {"400", "401", "403", "421", "429", "503"} <= operation["responses"].keys()


def test_the_description_of_the_events_shows_each_of_them() -> None:
    told = DOCUMENT["paths"]["/admin/events"]["get"]["description"]
    assert re.findall(r"^\| `(\w+)` \| (all calls|one call)", told, re.MULTILINE) == [
        ("snapshot", "all calls"),
        ("runners", "all calls"),
        ("calls", "all calls"),
        ("gone", "all calls"),
        ("snapshot", "one call"),
        ("turn", "one call"),
        ("words", "one call"),
        ("tool", "one call"),
        ("floor", "one call"),
        ("limits", "one call"),
        ("agent", "one call"),
        ("deed", "one call"),
        ("ended", "one call"),
    ]
