"""JSON Schema: the same verdicts as the jsonschema package, whatever the schema, and in bounded time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from runner.call.schemas.check import Misfit, UncheckableError
from runner.call.schemas.schema import Schema, compile_pattern
from runner.model.values import Json, JsonObject

KEYS = st.sampled_from(["a", "b", "b1", "c"])
VALUES: st.SearchStrategy[Json] = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 1.0, 2, 2.5, -3, "", "a", "ab", "b1", "é"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)
TYPE = st.sampled_from(["string", "integer", "number", "boolean", "object", "array", "null"])
NAMES = st.lists(st.sampled_from(["a", "b", "c"]), unique=True, max_size=2)

MATTER_TO_EACH_OTHER = (
    ["if", "then", "else"],
    ["allOf", "anyOf", "oneOf", "not", "if", "$ref", "unevaluatedProperties", "unevaluatedItems"],
    ["prefixItems", "items", "contains", "minContains", "maxContains", "uniqueItems", "unevaluatedItems"],
    ["properties", "patternProperties", "additionalProperties", "unevaluatedProperties", "propertyNames"],
    ["required", "dependentRequired", "dependentSchemas", "minProperties", "maxProperties"],
    ["type", "enum", "const", "minimum", "exclusiveMaximum", "multipleOf"],
    ["type", "minLength", "maxLength", "pattern", "minItems", "maxItems"],
)


def _keywords(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[JsonObject]:
    """Schemas of up to five keywords."""
    names = st.sampled_from(["a", "b", "c"])
    several = st.lists(inner, min_size=1, max_size=3)
    values: dict[str, st.SearchStrategy[Json]] = {
        "type": TYPE | st.lists(TYPE, min_size=1, max_size=2, unique=True),
        "enum": st.lists(VALUES, min_size=1, max_size=3),
        "const": VALUES,
        "minimum": st.integers(-1, 2),
        "exclusiveMaximum": st.integers(0, 3),
        "multipleOf": st.sampled_from([1, 2, 0.5]),
        "minLength": st.integers(0, 2),
        "maxLength": st.integers(0, 2),
        "pattern": st.sampled_from(["^a", "b$", "[0-9]"]),
        "prefixItems": several,
        "items": inner,
        "contains": inner,
        "minContains": st.integers(0, 2),
        "maxContains": st.integers(0, 2),
        "minItems": st.integers(0, 2),
        "maxItems": st.integers(0, 3),
        "uniqueItems": st.booleans(),
        "unevaluatedItems": inner,
        "properties": st.dictionaries(names, inner, max_size=2),
        "patternProperties": st.dictionaries(st.sampled_from(["^b", "1$"]), inner, max_size=2),
        "additionalProperties": inner,
        "unevaluatedProperties": inner,
        "propertyNames": inner,
        "required": NAMES,
        "dependentRequired": st.dictionaries(names, NAMES, max_size=2),
        "dependentSchemas": st.dictionaries(names, inner, max_size=1),
        "minProperties": st.integers(0, 2),
        "maxProperties": st.integers(0, 3),
        "allOf": several,
        "anyOf": several,
        "oneOf": several,
        "not": inner,
        "if": inner,
        "then": inner,
        "else": inner,
        "$ref": st.sampled_from(["#/$defs/scalar", "#/$defs/object"]),
    }
    # Which ones is drawn first: values that would be left out again take long to draw.
    chosen = st.sampled_from([list(values), *MATTER_TO_EACH_OTHER]).flatmap(
        lambda keys: st.lists(st.sampled_from(keys), min_size=1, max_size=5, unique=True)
    )
    return chosen.flatmap(lambda keys: st.fixed_dictionaries({key: values[key] for key in keys}))


ANY: st.SearchStrategy[Json] = st.booleans() | st.just({})
SCHEMAS: st.SearchStrategy[JsonObject] = _keywords(st.recursive(ANY, _keywords, max_leaves=6))
DEFINITIONS: JsonObject = {
    "scalar": {"type": ["string", "integer"]},
    "object": {"type": "object", "properties": {"a": {"$ref": "#/$defs/object"}, "b": {"type": "integer"}}},
}


A: JsonObject = {"properties": {"a": {}}, "required": ["a"]}
B: JsonObject = {"properties": {"b": {}}, "required": ["b"]}


@settings(max_examples=400)
@given(SCHEMAS, VALUES)
def test_the_verdict_is_that_of_jsonschema(schema: JsonObject, value: Json) -> None:
    whole = {**schema, "$defs": DEFINITIONS}
    assert Schema(whole).fits(value) is Draft202012Validator(whole).is_valid(value)


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        # What the package gets wrong, or leaves open.
        ({"multipleOf": 0.1}, 0.3, True),
        ({"multipleOf": 0.01}, 1e308, True),
        ({"type": "integer"}, 3.0, True),
        ({"type": "integer"}, True, False),
        ({"enum": [1]}, True, False),
        ({"const": {"a": [1]}}, {"a": [1.0]}, True),
        ({"uniqueItems": True}, [1, True, 1.5, "1", [1], {"a": 1}, None], True),
        ({"uniqueItems": True}, [{"a": 1, "b": 2}, {"b": 2.0, "a": 1}], False),
        ({"$defs": {"x": {"$anchor": "day", "type": "string"}}, "$ref": "#day"}, 1, False),
        ({"$defs": {"a/b": {"type": "string"}}, "$ref": "#/$defs/a~1b"}, "x", True),
        ({"prefixItems": [{"type": "string"}], "items": False}, ["x", 1], False),
        ({"pattern": r"^\u00e9\\u"}, "é\\u", True),
        ({"pattern": r"^\u{e9}$"}, "é", True),
        ({"pattern": r"^\d+$"}, "12\n", False),
        ({"$comment": "x", "made_up": 1}, 1, True),
        # What arbitrary schemas seldom hold.
        ({"type": "integer"}, 2.5, False),
        ({"type": "number"}, True, False),
        ({"type": "number"}, "1", False),
        ({"enum": [True]}, False, False),
        ({"const": [False]}, [0], False),
        ({"format": "date"}, 5, True),
        ({"contains": {"type": "integer"}, "maxContains": 1}, [1, "x"], True),
        ({"contains": {"type": "integer"}, "maxContains": 1}, [1, 2], False),
        ({"contains": {"type": "integer"}, "minContains": 0}, [], True),
        ({"contains": {"type": "integer"}, "unevaluatedItems": False}, [1, 2], True),
        ({"contains": {"type": "integer"}, "unevaluatedItems": False}, [1, "x"], False),
        ({"prefixItems": [{"type": "string"}]}, [1], False),
        ({"prefixItems": [{}], "unevaluatedItems": False}, [1], True),
        ({"prefixItems": [{}], "unevaluatedItems": False}, [1, 2], False),
        ({"properties": {"a": {"type": "string"}}, "unevaluatedProperties": False}, {"a": "x"}, True),
        ({"properties": {"a": {"type": "string"}}, "unevaluatedProperties": False}, {"b": "x"}, False),
        ({"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": False}, {"a": 1}, True),
        ({"anyOf": [A, B], "unevaluatedProperties": False}, {"a": 1, "b": 1}, True),
        ({"anyOf": [A, B], "unevaluatedProperties": False}, {"a": 1}, True),
        ({"anyOf": [A, B], "unevaluatedProperties": False}, {"a": 1, "c": 1}, False),
        ({"not": A, "unevaluatedProperties": False}, {"c": 1}, False),
    ],
)
def test_a_value_fits_or_not(schema: JsonObject, value: Json, expected: bool) -> None:
    assert Schema(schema).fits(value) is expected


def test_a_misfit_says_where_and_which_keyword() -> None:
    times = {"type": "array", "items": {"type": "string"}}
    schema = {"properties": {"times": times}, "required": ["day"]}
    assert Schema(schema).misfits({"times": ["09:30", 7]}, most=5) == [
        Misfit(path=("times", 1), keyword="type", schema={"type": "string"}, value=7),
        Misfit(path=(), keyword="required", schema=schema, value={"times": ["09:30", 7]}, missing="day"),
    ]


def test_a_keyword_refuses_a_value_once() -> None:
    schema = Schema({"maxLength": 1, "pattern": "^b"})
    assert [misfit.keyword for misfit in schema.misfits("aa", most=9)] == ["maxLength", "pattern"]
    assert not schema.tracks


def _nested(depth: int) -> JsonObject:
    """Two ways through each level, both of which have to be tried."""
    schema: JsonObject = {"type": "object", "required": ["never"]}
    for _ in range(depth):
        schema = {"anyOf": [{"properties": {"a": schema}, "required": ["a"]}] * 2}
    return schema


def _deep(depth: int) -> Json:
    value: Json = {}
    for _ in range(depth):
        value = {"a": value}
    return value


TREE = {
    "anyOf": [{"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["b"]} for _ in range(4)],
}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (_nested(30), _deep(30)),
        (TREE, _deep(60)),
        ({"items": {"enum": list(range(1000))}}, [1] * 1000),
        ({"patternProperties": {f"{i}.*": {} for i in range(100)}}, {f"k{i}": 1 for i in range(2000)}),
        ({"items": {"uniqueItems": True}}, [list(range(1000))] * 100),
        ({"items": {"required": [f"k{i}" for i in range(100)]}}, [{}] * 1000),
        ({"items": {"dependentRequired": {"a": [f"k{i}" for i in range(100)]}}}, [{"a": 1}] * 1000),
        ({"items": {"enum": [[1] * 1000]}}, [1] * 1000),
        ({"items": {"const": [1] * 1000}}, [1] * 1000),
    ],
)
def test_a_value_that_takes_too_many_steps_is_given_up(schema: JsonObject, value: Json) -> None:
    with pytest.raises(UncheckableError, match="it takes too long"):
        Schema(schema).misfits(value)


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({"pattern": r"^(\w+\s?)*$"}, "a" * 40 + "!", False),
        ({"patternProperties": {"^(a+)+$": {}}, "additionalProperties": False}, {"a" * 40 + "!": 1}, False),
        ({"uniqueItems": True}, [[i] for i in range(4_000)], True),
        ({"items": {"uniqueItems": True, "items": {}}}, [[{"a": i} for i in range(2_000)]], True),
    ],
)
def test_what_is_bounded_is_checked(schema: JsonObject, value: Json, expected: bool) -> None:
    assert bool(Schema(schema).misfits(value)) is not expected


@pytest.mark.parametrize(
    ("schema", "error"),
    [
        ({"$ref": "#/$defs/no"}, 'the reference "#/$defs/no" leads to nothing'),
        (
            {"$ref": "https://elsewhere.example/a.json"},
            'the reference "https://elsewhere.example/a.json" leads to nothing',
        ),
        ({"$ref": "#"}, "the schema leads back to itself"),
        (
            {"pattern": "(?=a)"},
            'the pattern "(?=a)" cannot be run: invalid perl operator: (?=; it has no look-around, so that it'
            " searches in linear time",
        ),
        ({"minLength": "x"}, "the schema is malformed"),
    ],
)
def test_a_schema_that_leads_nowhere_is_told(schema: JsonObject, error: str) -> None:
    with pytest.raises(UncheckableError) as raised:
        Schema(schema).misfits("a")
    assert str(raised.value) == error
    assert not Schema(schema).fits("a")


@pytest.mark.parametrize("source", ["(?!a)", r"(a)\1", "a++", "(?<=a)b", "a{1,2000}", "["])
def test_a_pattern_that_cannot_be_bounded_is_not_compiled(source: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        compile_pattern(source)


@given(SCHEMAS, st.text())
def test_any_schema_and_text_get_a_verdict(schema: JsonObject, text: str) -> None:
    assert Schema(schema).fits(text) in (True, False)
