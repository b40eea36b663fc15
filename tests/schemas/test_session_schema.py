"""`session` against the types that the API's own package publishes: they are the oracle."""

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openai.types.realtime.realtime_session_create_request import RealtimeSessionCreateRequest
from openai.types.realtime.realtime_tools_config_union import Mcp
from pydantic import BaseModel

from runner.config.checking.schema_files import schema

WHOLE = schema("agent")
DEFINITIONS = WHOLE["$defs"]
SESSION = DEFINITIONS["session"]

# The runner owns these: the agent says them elsewhere, or nobody may.
OWNED = {
    "session.type",
    "session.model",
    "session.instructions",
    "session.tools",
    "session.audio.input.format",
    "session.audio.output.format",
}
# Any value goes: `str` beside known values, or `object`.
OPEN = (str, object)


def resolve(found: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in found:
        target = DEFINITIONS[found["$ref"].removeprefix("#/$defs/")]
        found = {**target, **{key: value for key, value in found.items() if key != "$ref"}}
    return found


def alternatives(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The branches of a choice, whole; a schema without a choice is its own only one."""
    found = resolve(found)
    return (
        [inner for branch in found["oneOf"] for inner in alternatives(branch)]
        if "oneOf" in found
        else [found]
    )


def members(annotation: Any) -> list[Any]:
    """The members of a union, without its wrappings."""
    if get_origin(annotation) is Annotated:
        return members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [inner for member in get_args(annotation) for inner in members(member)]
    return [annotation]


def is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def differences(annotation: Any, found: dict[str, Any], path: str) -> Iterator[str]:
    """Where a published type and our schema know different things."""
    branches = alternatives(found)
    wanted = members(annotation)
    models = [member for member in wanted if is_model(member)]
    objects = [branch for branch in branches if "properties" in branch]
    if len(models) != len(objects):
        yield f"{path}: {len(models)} published shapes, {len(objects)} of ours"
    for model in models:
        branch = next((one for one in objects if same_shape(model, one)), None)
        if branch is None:
            yield f"{path}: no shape like {model.__name__}"
        else:
            yield from field_differences(model, branch, path)
    literals = {value for member in wanted if get_origin(member) is Literal for value in get_args(member)}
    named = {
        value
        for branch in branches
        for value in branch.get("enum", [branch["const"]] if "const" in branch else [])
    }
    if not any(member in OPEN for member in wanted) and literals != named:
        yield f"{path}: published values {sorted(map(str, literals))}, ours {sorted(map(str, named))}"
    for member in wanted:
        if get_origin(member) is list:
            lists = [branch for branch in branches if branch.get("type") == "array"]
            if not lists:
                yield f"{path}: a list is published"
            else:
                yield from differences(get_args(member)[0], lists[0]["items"], f"{path}[]")


def same_shape(model: type[BaseModel], branch: dict[str, Any]) -> bool:
    """Whether a model and a branch mean the same: by `type`, or by their fields."""
    published = get_args(model.model_fields["type"].annotation) if "type" in model.model_fields else ()
    ours = branch["properties"].get("type", {}).get("const")
    if ours is not None:
        return ours in published
    return bool(set(model.model_fields) & set(branch["properties"]))


def is_refused(found: dict[str, Any]) -> bool:
    """Whether the key may never be written: there is no value to choose from."""
    return resolve(found).get("enum") == []


def field_differences(model: type[BaseModel], branch: dict[str, Any], path: str) -> Iterator[str]:
    ours = branch["properties"]
    for name, field in model.model_fields.items():
        where = f"{path}.{name}"
        if where in OWNED:
            if not is_refused(ours[name]):
                yield f"{where}: the runner owns it, and it is not refused"
        elif name not in ours:
            yield f"{where}: published, unknown to us"
        else:
            yield from differences(field.annotation, ours[name], where)
            if field.is_required() and name not in branch.get("required", ()):
                yield f"{where}: required by the API, not by us"
    for name in set(ours) - set(model.model_fields):
        if not is_refused(ours[name]):
            yield f"{path}.{name}: ours, unknown to the API"


def test_every_published_field_and_value_is_known_and_no_other() -> None:
    assert list(field_differences(RealtimeSessionCreateRequest, SESSION, "session")) == []


def test_an_mcp_entry_is_the_apis_own_object_without_its_type() -> None:
    published = {"mcp.type: published, unknown to us"}
    assert set(field_differences(Mcp, DEFINITIONS["mcp"], "mcp")) == published


def instances(found: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a schema calls valid."""
    found = resolve(found)
    if "oneOf" in found:
        return st.one_of([instances(branch) for branch in found["oneOf"]])
    if "const" in found:
        return st.just(found["const"])
    if "enum" in found:
        return st.sampled_from(found["enum"])
    if "pattern" in found:
        return st.from_regex(found["pattern"].replace("$", "\\Z"))
    match "string" if "x-text" in found else found["type"]:
        case "string":
            return st.text(min_size=found.get("minLength", 0), max_size=12)
        case "integer":
            return st.integers(found.get("minimum"), found.get("maximum"))
        case "number":
            return st.floats(
                found.get("minimum"), found.get("maximum"), allow_nan=False, allow_infinity=False
            )
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case "array":
            if found.get("uniqueItems"):
                return st.lists(instances(found["items"]), unique=True)
            return st.lists(
                instances(found["items"]),
                min_size=found.get("minItems", 0),
                max_size=found.get("maxItems", 3),
            )
        case _:
            return mappings(found)


def mappings(found: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    if "properties" not in found:
        values = found["additionalProperties"]
        return st.dictionaries(
            st.text(max_size=5), st.integers() if values is True else instances(values), max_size=2
        )
    known = {name: inner for name, inner in found["properties"].items() if not is_refused(inner)}
    required = set(found.get("required", ()))
    return st.fixed_dictionaries(
        {name: instances(inner) for name, inner in known.items() if name in required},
        optional={name: instances(inner) for name, inner in known.items() if name not in required},
    )


def unknown_fields(model: BaseModel, path: str = "session") -> Iterator[str]:
    """Fields that the published types carry along without knowing them."""
    yield from (f"{path}.{name}" for name in model.model_extra or ())
    for name in type(model).model_fields:
        value = getattr(model, name)
        for part in (
            value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
        ):
            if isinstance(part, BaseModel):
                yield from unknown_fields(part, f"{path}.{name}")


def known_to_the_api(body: dict[str, Any]) -> list[str]:
    """The fields of an accept body that the API does not know; raises when a value has a wrong type."""
    return list(unknown_fields(RealtimeSessionCreateRequest.model_validate(body, strict=True)))


@settings(max_examples=200)
@given(instances(SESSION))
def test_what_our_schema_calls_valid_the_published_types_take(session: dict[str, Any]) -> None:
    assert errors(session) == []
    assert known_to_the_api({**session, "type": "realtime", "model": "gpt-realtime-2.1"}) == []


def test_the_oracle_notices_fields_that_the_api_does_not_know() -> None:
    body = {
        "type": "realtime",
        "audio": {"input": {"turn_detection": {"type": "semantic_vad", "threshold": 0.5}}},
    }
    assert known_to_the_api(body) == ["session.audio.input.turn_detection.threshold"]


def errors(session: Any) -> list[str]:
    return [
        error.message
        for error in Draft202012Validator({**SESSION, "$defs": DEFINITIONS}).iter_errors(session)
    ]


def turn(**fields: Any) -> dict[str, Any]:
    return {"audio": {"input": {"turn_detection": fields}}}


@pytest.mark.parametrize(
    "session",
    [
        {"max_output_tokens": 0},
        {"max_output_tokens": 4097},
        {"max_output_tokens": "infinite"},
        {"output_modalities": ["text", "audio"]},
        {"output_modalities": []},
        {"reasoning": {"effort": "none"}},
        {"tool_choice": "always"},
        {"tool_choice": {"type": "function"}},
        {"truncation": {"type": "retention_ratio", "retention_ratio": 1.1}},
        {"truncation": {"type": "retention_ratio"}},
        {"truncation": "off"},
        {"tracing": "on"},
        {"include": ["usage"]},
        {"prompt": {"version": "2"}},
        {"audio": {"output": {"speed": 0.2}}},
        {"audio": {"output": {"speed": 1.6}}},
        {"audio": {"output": {"voice": {"name": "marin"}}}},
        {"audio": {"output": {"format": {"type": "audio/pcmu"}}}},
        {"audio": {"input": {"format": {"type": "audio/pcmu"}}}},
        {"audio": {"input": {"noise_reduction": {"type": "far"}}}},
        {"audio": {"input": {"transcription": {"language": "english"}}}},
        {"audio": {"input": {"transcription": {"delay": "none"}}}},
        turn(type="vad"),
        turn(),
        turn(type="server_vad", threshold=1.1),
        turn(type="server_vad", eagerness="low"),
        turn(type="server_vad", silence_duration_ms=-1),
        turn(type="server_vad", idle_timeout_ms=4999),
        turn(type="server_vad", idle_timeout_ms=30001),
        turn(type="semantic_vad", threshold=0.5),
        turn(type="semantic_vad", eagerness="eager"),
        turn(type="semantic_vad", idle_timeout_ms=6000),
        {"type": "realtime"},
        {"model": "gpt-realtime-2.1"},
        {"instructions": "Be brief."},
        {"tools": []},
        {"temperature": 0.8},
        {"turn_detection": {"type": "server_vad"}},
        {"modalities": ["audio"]},
    ],
)
def test_what_the_api_would_refuse_is_refused_here(session: dict[str, Any]) -> None:
    assert errors(session)


@pytest.mark.parametrize(
    "session",
    [
        {"max_output_tokens": 1},
        {"max_output_tokens": 4096},
        {"max_output_tokens": "inf"},
        {"truncation": {"type": "retention_ratio", "retention_ratio": 1}},
        {"audio": {"output": {"speed": 0.25, "voice": {"id": "voice_1234"}}}},
        {"audio": {"output": {"speed": 1.5, "voice": "a-voice-of-next-year"}}},
        {"audio": {"input": {"noise_reduction": None, "transcription": None, "turn_detection": None}}},
        turn(type="server_vad", threshold=0, idle_timeout_ms=5000),
        turn(type="server_vad", threshold=1, idle_timeout_ms=None),
        turn(type="semantic_vad", eagerness="auto"),
        {"tracing": None},
    ],
)
def test_values_at_the_edge_are_taken(session: dict[str, Any]) -> None:
    assert errors(session) == []
