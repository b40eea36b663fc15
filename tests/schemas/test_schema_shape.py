"""What holds for every schema: it is valid, says what each key means, and lets errors be told well."""

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from runner.config.checking.schema_files import KINDS, schema
from runner.model.values import JsonObject

# Under these keys stand values of the user's, not schemas.
VALUES = {"examples", "default", "const", "enum", "required", "dependentRequired"}
# Under these stand schemas by names.
MAPS = ("properties", "$defs", "dependentSchemas")
# Free mappings of the API's or the user's own: the keys are theirs.
FREE = {"parameters", "metadata"}


def schemas(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every schema within a schema, with its path."""
    if isinstance(node, list):
        for index, entry in enumerate(node):
            yield from schemas(entry, (*path, str(index)))
    if isinstance(node, dict):
        if not path or path[-1] not in MAPS:
            yield path, node
        for key, entry in node.items():
            if key not in VALUES or (path and path[-1] in MAPS):
                yield from schemas(entry, (*path, key))


def properties(node: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """Every key that some mapping of the language may have, with its schema."""
    for path, found in schemas(node):
        if len(path) > 1 and path[-2] == "properties":
            yield "/".join(path), found


def resolved(found: JsonObject, whole: JsonObject) -> JsonObject:
    """The schema with what it refers to."""
    while "$ref" in found:
        target = whole["$defs"][found["$ref"].removeprefix("#/$defs/")]
        required = [*target.get("required", ()), *found.get("required", ())]
        beside = {key: value for key, value in found.items() if key != "$ref"}
        found = {**target, **beside, "required": required}
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_schema_is_json_schema_2020_12(kind: str) -> None:
    assert schema(kind)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_has_a_title_and_one_to_three_sentences(kind: str) -> None:
    whole = schema(kind)
    for path, found in properties(whole):
        told = resolved(found, whole)
        assert told.get("title"), path
        assert told.get("description", "").endswith("."), path
        assert len(told["description"]) <= 260, path


@pytest.mark.parametrize("kind", KINDS)
def test_every_definition_and_every_branch_has_a_title(kind: str) -> None:
    whole = schema(kind)
    for name, found in whole["$defs"].items():
        assert found.get("title"), name
        assert found.get("description"), name
    for path, found in schemas(whole):
        for branch in found.get("oneOf", ()):
            assert resolved(branch, whole).get("title"), path


@pytest.mark.parametrize("kind", KINDS)
def test_no_mapping_takes_unknown_keys(kind: str) -> None:
    """A mapping either names all of its keys or says what stands under any key."""
    for path, found in schemas(schema(kind)):
        if found.get("type") == "object":
            allowed = found.get("additionalProperties", True)
            if "properties" in found:
                assert allowed is False, path
            elif not FREE & set(path):
                assert isinstance(allowed, dict), path
                assert allowed, path


@pytest.mark.parametrize("kind", KINDS)
def test_every_example_and_default_is_valid(kind: str) -> None:
    whole = schema(kind)
    checked = 0
    for path, found in schemas(whole):
        samples = [*found.get("examples", ()), *([found["default"]] if "default" in found else ())]
        for sample in samples:
            errors = list(Draft202012Validator({**found, "$defs": whole["$defs"]}).iter_errors(sample))
            assert not errors, (path, sample, errors[0].message)
            checked += 1
    assert checked > 50


@pytest.mark.parametrize("kind", KINDS)
def test_every_reference_leads_to_a_definition_and_every_definition_is_used(kind: str) -> None:
    whole = schema(kind)
    used = {found["$ref"] for _, found in schemas(whole) if "$ref" in found}
    assert used <= {f"#/$defs/{name}" for name in whole["$defs"]}
    if kind == "agent":
        used_by_all = used | {
            found["$ref"] for other in KINDS for _, found in schemas(schema(other)) if "$ref" in found
        }
        assert {f"#/$defs/{name}" for name in whole["$defs"]} <= used_by_all


@pytest.mark.parametrize("kind", ["runner", "test"])
def test_no_definition_hides_one_of_the_agents_schema(kind: str) -> None:
    """Definitions are brought together under one roof, so a name may mean one thing only."""
    agent, whole = schema("agent")["$defs"], schema(kind)["$defs"]
    assert all(whole[name] == agent[name] for name in agent)


def shows(branch: JsonObject, tag: str | None) -> tuple[str, ...]:
    """What tells that this branch is meant: a JSON type, a key, or the value of the tag."""
    kinds = branch.get("type", "any")
    if "x-key" in branch:
        return (f"key {branch['x-key']}",)
    if tag and tag in branch.get("properties", {}):
        return (f"tag {branch['properties'][tag]['const']}",)
    return tuple(f"type {kind}" for kind in ([kinds] if isinstance(kinds, str) else kinds))


@pytest.mark.parametrize("kind", KINDS)
def test_the_branches_of_a_choice_can_be_told_apart_at_a_glance(kind: str) -> None:
    """By JSON type, by a key that only one has, or by the value of one key."""
    whole = schema(kind)
    choices = 0
    for path, found in schemas(whole):
        if "oneOf" not in found:
            continue
        choices += 1
        branches = [resolved(branch, whole) for branch in found["oneOf"]]
        signs = [sign for branch in branches for sign in shows(branch, found.get("x-tag"))]
        assert len(signs) == len(set(signs)), (path, signs)
        assert "type any" not in signs, path
        assert signs.count("type object") == 0 or not any(sign.startswith("key") for sign in signs), path
        for branch in branches:
            if "x-key" in branch:
                assert branch["x-key"] in branch["required"], path
    assert choices > 10


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_pattern_or_a_refusal_wants_is_said_in_words(kind: str) -> None:
    """A person is never shown a regular expression, and never refused without a reason."""
    whole = schema(kind)
    for path, found in schemas(whole):
        if "pattern" in found or found.get("enum") == []:
            assert "errorMessage" in found, path
        message = found.get("errorMessage", "fine")
        assert message[0].islower(), path
        assert not message.endswith("."), path
        assert "`" not in message, path
