"""Schemas of OpenAPI documents as JSON Schema 2020-12, case by case."""

from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from runner.config.node import Node
from runner.config.openapi import schema as schema_module
from runner.config.openapi.descriptions import shortened
from runner.config.openapi.document import Library
from runner.config.openapi.merge import merged
from runner.config.openapi.schema import complete
from runner.config.problem import Problems
from runner.config.reading.files import Directory
from runner.model.values import Json, Place

COMPONENTS = """
components:
  schemas:
    Id: {type: integer, format: int64, description: The number.}
    Person: {type: object, required: [name], properties: {name: {type: string}, id: {readOnly: true}}}
    Tree: {type: object, properties: {left: {$ref: "#/components/schemas/Tree"}}}
    Ping: {type: object, properties: {pong: {$ref: "#/components/schemas/Pong"}}}
    Pong: {type: object, properties: {ping: {$ref: "#/components/schemas/Ping"}}}
    Old: {readOnly: true, type: string}
"""


def converted(folder: Path, schema: str, *, version: str) -> Json:
    """The schema under `wanted`, with its `$defs`."""
    (folder / "_api.yaml").write_text(f"wanted: {schema}\n{COMPONENTS}")
    problems = Problems()
    library = Library(Directory(folder, problems), {}, problems)
    named = Node(value="_api.yaml", text="_api.yaml", place=Place(f"{folder.as_posix()}/desk.yaml", 1, 1))
    document = library.open(named)
    assert document is not None
    wanted = document.root.get("wanted")
    assert wanted is not None
    found = complete(lambda maker: {"is": maker.schema(wanted)}, library, is_3_0=version.startswith("3.0"))
    made = found["is"]
    if "$defs" in found:
        made = {**made, "$defs": found["$defs"]}
    Draft202012Validator.check_schema(made)
    return made


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ("{type: string, nullable: true}", "{type: [string, 'null']}"),
        ("{type: string, nullable: false}", "{type: string}"),
        ("{type: string, nullable: true, enum: [a]}", "{type: [string, 'null'], enum: [a, null]}"),
        ("{type: string, nullable: true, enum: [a, null]}", "{type: [string, 'null'], enum: [a, null]}"),
        (
            "{nullable: true, allOf: [{$ref: '#/components/schemas/Old'}]}",
            "{readOnly: true, type: [string, 'null']}",
        ),
        (
            "{nullable: true, oneOf: [{type: string}, {type: integer}], description: d}",
            "{oneOf: [{type: string}, {type: integer}, {type: 'null'}], description: d}",
        ),
        (
            "{nullable: true, allOf: [{not: {type: string}}, {not: {type: integer}}]}",
            "{anyOf: [{allOf: [{not: {type: string}}, {not: {type: integer}}]}, {type: 'null'}]}",
        ),
        ("{type: integer, minimum: 1, exclusiveMinimum: true}", "{type: integer, exclusiveMinimum: 1}"),
        ("{type: integer, maximum: 9, exclusiveMaximum: false}", "{type: integer, maximum: 9}"),
        ("{type: integer, exclusiveMaximum: true}", "{type: integer}"),
        ("{$ref: '#/components/schemas/Id'}", "{type: integer, description: The number.}"),
        (
            "{$ref: '#/components/schemas/Id', description: Own., minimum: 1}",
            "{type: integer, description: Own.}",  # a reference stands alone, but for what people add
        ),
    ],
)
def test_the_dialect_of_3_0_is_translated(tmp_path: Path, schema: str, expected: str) -> None:
    assert converted(tmp_path, schema, version="3.0.3") == yaml.safe_load(expected)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ("{type: [string, 'null'], const: a}", "{type: [string, 'null'], const: a}"),
        ("{type: integer, exclusiveMinimum: 1}", "{type: integer, exclusiveMinimum: 1}"),
        (
            "{$ref: '#/components/schemas/Id', minimum: 1}",
            "{type: integer, description: The number., minimum: 1}",
        ),
        (
            "{$ref: '#/components/schemas/Id', type: string}",  # nothing fits both
            "{allOf: [{type: integer, description: The number.}], type: string}",
        ),
        ("true", "true"),
        ("{default: null}", "{default: null}"),
        ("{prefixItems: [{type: string}], items: false}", "{prefixItems: [{type: string}], items: false}"),
        ("{if: {type: string}, then: {minLength: 1}}", "{if: {type: string}, then: {minLength: 1}}"),
    ],
)
def test_3_1_is_2020_12(tmp_path: Path, schema: str, expected: str) -> None:
    assert converted(tmp_path, schema, version="3.1.0") == yaml.safe_load(expected)


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ("{type: integer, format: int32}", "{type: integer}"),
        ("{type: string, format: date}", "{type: string, format: date}"),
        ("{type: string, example: a}", "{type: string, examples: [a]}"),
        ("{type: string, example: 5}", "{type: string}"),
        ("{type: integer, example: true}", "{type: integer}"),
        ("{type: [integer, string], example: a}", "{type: [integer, string], examples: [a]}"),
        ("{type: string, xml: {name: x}, x-own: 1, externalDocs: {}, discriminator: {}}", "{type: string}"),
        ("{type: string, minLength: '3', pattern: '(', enum: [], maxLength: -1}", "{type: string}"),
        ("{type: integer, maximum: 9223372036854775807}", "{type: integer, maximum: 9223372036854775807}"),
        ("{type: number, multipleOf: 0, minimum: .inf}", "{type: number}"),
        ("{type: object, required: true, properties: null}", "{type: object}"),
        ('{description: "one\\n  two"}', "{description: one two}"),
        ("{deprecated: false, uniqueItems: true}", "{uniqueItems: true}"),
        (
            "{type: object, required: [a, b], properties: {a: {readOnly: true}, b: {writeOnly: true}}}",
            "{type: object, required: [b], properties: {b: {}}}",
        ),
        (
            "{properties: {a: {$ref: '#/components/schemas/Old'}, b: {$ref: '#/components/schemas/Person'}}}",
            "{properties: {b: {type: object, required: [name], properties: {name: {type: string}}}}}",
        ),
        (
            "{allOf: [{$ref: '#/components/schemas/Person'}, {properties: {age: {type: integer}}}]}",
            "{type: object, required: [name], properties: {name: {type: string}, age: {type: integer}}}",
        ),
        ("{oneOf: [{type: string}], description: d}", "{description: d, type: string}"),
        (
            "{type: array, items: {anyOf: [{type: string}, {$ref: '#/components/schemas/Id'}]}}",
            "{type: array, items: {anyOf: [{type: string}, {type: integer, description: The number.}]}}",
        ),
        (
            "{type: object, additionalProperties: {type: string}}",
            "{type: object, additionalProperties: {type: string}}",
        ),
        (
            "{properties: {$ref: '#/components/schemas/Person/properties'}}",
            "{properties: {name: {type: string}}}",
        ),
    ],
)
def test_either_version_becomes_what_a_model_can_read(
    tmp_path: Path, version: str, schema: str, expected: str
) -> None:
    assert converted(tmp_path, schema, version=version) == yaml.safe_load(expected)


def test_a_schema_that_holds_itself_is_kept_apart(tmp_path: Path) -> None:
    tree = {"type": "object", "properties": {"left": {"$ref": "#/$defs/Tree"}}}
    schema = "{properties: {a: {$ref: '#/components/schemas/Tree'}}}"
    assert converted(tmp_path, schema, version="3.1.0") == {
        "properties": {"a": {"$ref": "#/$defs/Tree"}},
        "$defs": {"Tree": tree},
    }


def test_schemas_that_hold_each_other_are_complete(tmp_path: Path) -> None:
    schema = "{properties: {a: {$ref: '#/components/schemas/Ping'}, b: {$ref: '#/components/schemas/Pong'}}}"
    assert converted(tmp_path, schema, version="3.1.0") == {
        "properties": {
            "a": {"$ref": "#/$defs/Ping"},
            "b": {"type": "object", "properties": {"ping": {"$ref": "#/$defs/Ping"}}},
        },
        "$defs": {
            "Ping": {
                "type": "object",
                "properties": {
                    "pong": {"type": "object", "properties": {"ping": {"$ref": "#/$defs/Ping"}}},
                },
            }
        },
    }


def test_a_schema_that_refers_to_its_own_beginning_is_complete(tmp_path: Path) -> None:
    assert converted(tmp_path, "{properties: {next: {$ref: '#/wanted'}}}", version="3.1.0") == {
        "properties": {"next": {"$ref": "#/$defs/wanted"}},
        "$defs": {"wanted": {"properties": {"next": {"$ref": "#/$defs/wanted"}}}},
    }


def test_where_references_replaced_would_be_too_much_they_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema_module, "MOST_INLINE", 5)
    schema = (
        "{properties: {a: {$ref: '#/components/schemas/Person'}, b: {$ref: '#/components/schemas/Person'}}}"
    )
    assert converted(tmp_path, schema, version="3.1.0") == {
        "properties": {"a": {"$ref": "#/$defs/Person"}, "b": {"$ref": "#/$defs/Person"}},
        "$defs": {
            "Person": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
        },
    }


def test_names_of_definitions_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "_other.yaml").write_text("Tree: {properties: {right: {$ref: '#/Tree'}}}")
    schema = "{properties: {a: {$ref: '#/components/schemas/Tree'}, b: {$ref: '_other.yaml#/Tree'}}}"
    made = converted(tmp_path, schema, version="3.1.0")
    assert made["properties"] == {"a": {"$ref": "#/$defs/Tree"}, "b": {"$ref": "#/$defs/Tree_2"}}
    assert made["$defs"]["Tree_2"] == {"properties": {"right": {"$ref": "#/$defs/Tree_2"}}}


@pytest.mark.parametrize(
    ("schemas", "whole"),
    [
        ([{}, True, {"type": "string"}], {"type": "string"}),
        ([{"title": "a"}, {"title": "b"}], {"title": "a"}),
        ([{"required": ["a", "b"]}, {"required": ["b", "c"]}], {"required": ["a", "b", "c"]}),
        ([{"minimum": 1, "maximum": 9}, {"minimum": 2, "maximum": 8}], {"minimum": 2, "maximum": 8}),
        ([{"enum": [1, 2]}, {"enum": [2, 3]}], {"enum": [2]}),
        ([{"type": ["string", "null"]}, {"type": "string"}], {"type": "string"}),
        ([{"type": ["string", "null"]}, {"type": ["null", "string"]}], {"type": ["string", "null"]}),
        ([{"type": "number"}, {"type": "integer"}], {"type": "integer"}),
        ([{"pattern": "a"}, {"pattern": "a"}], {"pattern": "a"}),
        (
            [
                {"properties": {"a": {"type": "string"}}, "additionalProperties": False},
                {"properties": {"a": {"minLength": 1}, "b": {}}},
            ],
            {"properties": {"a": {"type": "string", "minLength": 1}, "b": {}}, "additionalProperties": False},
        ),
        (
            [{"properties": {"a": {"pattern": "x"}}}, {"properties": {"a": {"pattern": "y"}}}],
            {"properties": {"a": {"allOf": [{"pattern": "x"}, {"pattern": "y"}]}}},
        ),
        ([{"pattern": "a"}, {"pattern": "b"}], None),
        ([{"type": "string"}, {"type": "integer"}], None),
        ([{"type": "string"}, False], None),
        ([{"anyOf": [1]}, {"anyOf": [2]}], None),
        ([{"const": 1}, {"const": True}], None),
    ],
)
def test_schemas_that_all_apply_are_one_where_one_can_say_it(schemas: list[Json], whole: Json) -> None:
    assert merged(schemas) == whole


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("", ""),
        ("<p>A <b>bold</b> word</p>\n\n<ul><li>x</li></ul>", "A bold word x"),
        ("see [the docs](https://a.example/b?c=d) and ![x](y.png)", "see the docs and x"),
        ("a < b > c, <id>", "a < b > c, <id>"),
        ("one two three", "one two three"),
        ("one two, three", "one two…"),
    ],
)
def test_a_text_is_one_paragraph_of_bounded_length(text: str, short: str) -> None:
    assert shortened(text, 13 if text.startswith("one") else 100) == short
