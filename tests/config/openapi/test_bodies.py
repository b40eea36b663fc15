"""The bodies of operations: their arguments, and how they are sent."""

import json
from pathlib import Path

import pytest

from runner.model.values import Json
from tests.config.openapi.documents import body, operation, sent


def test_the_properties_of_a_body_are_arguments_beside_the_others(tmp_path: Path) -> None:
    tool = body(
        tmp_path,
        "{application/json: {schema: {type: object, required: [slots], dependentRequired: {a: [b]}, "
        "properties: {slots: {type: integer}, note: {type: string}}}}}",
        more="parameters: [{name: dry, in: query, schema: {type: boolean}}],",
    )
    assert tool.parameters == {
        "type": "object",
        "properties": {"dry": {"type": "boolean"}, "slots": {"type": "integer"}, "note": {"type": "string"}},
        "required": ["slots"],
        "dependentRequired": {"a": ["b"]},
        "additionalProperties": False,
    }
    request = sent(tool, dry=True, slots=2)
    assert (request.url, request.body) == ("https://api.maple.example/v1/x?dry=true", b'{"slots":2}')
    assert dict(request.headers)["Content-Type"] == "application/json"


def test_an_open_body_takes_arguments_that_it_does_not_name(tmp_path: Path) -> None:
    schema = "{properties: {a: {type: string}}, additionalProperties: {type: integer}}"
    tool = body(tmp_path, f"{{application/json: {{schema: {schema}}}}}")
    assert tool.parameters["additionalProperties"] == {"type": "integer"}
    assert sent(tool, a="x", b=3).body == b'{"a":"x","b":3}'


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ("{type: array, items: {type: integer}}", [1, 2]),
        ("{type: string}", "text"),
        ("{type: object}", {"any": 1}),
        ("{type: object, additionalProperties: {type: integer}}", {"any": 1}),
        ("{oneOf: [{properties: {a: {}}, required: [a]}, {properties: {b: {}}, required: [b]}]}", {"b": 1}),
        ("{properties: {a: {}}, not: {required: [b]}}", {"a": 1}),
        ("{properties: {a: {}}, patternProperties: {x: {}}}", {"a": 1}),
        ("true", 1),
    ],
)
def test_a_body_that_is_more_than_named_fields_is_one_argument(
    tmp_path: Path, schema: str, value: Json
) -> None:
    tool = body(tmp_path, f"{{application/json: {{schema: {schema}}}}}")
    assert list(tool.parameters["properties"]) == ["body"]
    assert tool.parameters["required"] == ["body"]
    assert sent(tool, body=value).body == json.dumps(value, separators=(",", ":")).encode()


def test_names_of_which_one_is_required_are_left_to_the_endpoint(tmp_path: Path) -> None:
    schema = "{properties: {a: {type: string}, b: {type: string}}, anyOf: [{required: [a]}, {required: [b]}]}"
    tool = body(tmp_path, f"{{application/json: {{schema: {schema}}}}}")
    assert list(tool.parameters["properties"]) == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "arguments", "sent_body"),
    [
        ("{application/json: {schema: {properties: {a: {type: string}}}}}", {}, None),
        ("{application/json: {schema: {properties: {a: {type: string}}}}}", {"a": "x"}, b'{"a":"x"}'),
        ("{application/json: {schema: {type: array}}}", {}, None),
        ("{application/json: {schema: {type: array}}}", {"body": []}, b"[]"),
        ("{application/json: {schema: {type: object, properties: {}}}}", {}, None),
        ("{text/plain: {}}", {}, None),
    ],
)
def test_a_body_that_is_optional_and_left_out_is_not_sent(
    tmp_path: Path, content: str, arguments: dict[str, Json], sent_body: bytes | None
) -> None:
    request = sent(body(tmp_path, content, required=False), **arguments)
    assert request.body == sent_body
    assert ("Content-Type" in dict(request.headers)) == (sent_body is not None)


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        ("{multipart/form-data: {}, application/json: {}}", "application/json"),
        ("{application/json; charset=utf-8: {}}", "application/json"),
        ("{application/x-www-form-urlencoded: {}, text/json: {}}", "application/json"),
        ("{'*/*': {}}", "application/json"),
        ("{application/merge-patch+json: {}}", "application/merge-patch+json"),
        ("{application/vnd.maple.v2+json: {}, application/json: {}}", "application/json"),
        ("{text/plain: {}, application/x-www-form-urlencoded: {}}", "application/x-www-form-urlencoded"),
        ("{text/plain: {}}", "text/plain; charset=utf-8"),
    ],
)
def test_of_several_kinds_of_body_the_best_is_sent(tmp_path: Path, content: str, content_type: str) -> None:
    request = sent(body(tmp_path, content), body="x")
    assert dict(request.headers)["Content-Type"] == content_type


def test_form_data_has_fields_and_no_files(tmp_path: Path) -> None:
    tool = body(
        tmp_path,
        """{multipart/form-data: {schema: {required: [note, kind], properties: {
          note: {type: string}, kind: {type: string, enum: [scan]},
          tags: {type: array, items: {type: string}},
          scan: {type: string, format: binary}, pages: {type: array, items: {type: string, format: binary}},
          photo: {contentMediaType: image/png}}}}}""",
    )
    assert list(tool.parameters["properties"]) == ["note", "tags"]
    request = sent(tool, note="é", tags=["a", "b"])
    media_type = dict(request.headers)["Content-Type"]
    assert media_type.startswith("multipart/form-data; boundary=")
    assert (request.body or b"").count(b"Content-Disposition: form-data; name=") == 4
    assert b'name="kind"\r\n\r\nscan\r\n' in (request.body or b"")


def test_a_form_is_written_as_its_encoding_says(tmp_path: Path) -> None:
    tool = body(
        tmp_path,
        """{application/x-www-form-urlencoded: {
          schema: {properties: {plain: {type: string}, list: {type: array}, commas: {type: array},
            pipes: {type: array}, deep: {type: object}, object: {type: object}, json: {type: array}}},
          encoding: {commas: {explode: false}, pipes: {style: pipeDelimited, explode: false},
            deep: {style: deepObject, explode: true}, json: {contentType: application/json}}}}""",
    )
    request = sent(
        tool,
        plain="a b",
        list=[1, 2],
        commas=[1, 2],
        pipes=[1, 2],
        deep={"a": {"b": 1}},
        object={"a": 1},
        json=[1],
    )
    assert request.body == (
        b"plain=a+b&list=1&list=2&commas=1%2C2&pipes=1%7C2&deep%5Ba%5D%5Bb%5D=1"
        b"&object=%7B%22a%22%3A1%7D&json=%5B1%5D"
    )


def test_a_get_request_leaves_an_optional_body_out(tmp_path: Path) -> None:
    tool = operation(tmp_path, "requestBody: {content: {application/json: {schema: {properties: {a: {}}}}}}")
    assert tool.parameters == {"type": "object", "properties": {}, "additionalProperties": False}
