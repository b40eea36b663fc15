"""A request's templates survive a way through JSON, and no secret is in it."""

import json

import pytest

from runner.call.afterwards.binding_json import decode, encode
from runner.call.templates.template import compile_template as words
from runner.model.tool import ApiKey, Basic, Bearer, Body, BodyKind, ClientCredentials, HttpBinding, KeyIn

URL = words("https://api.maple.example/{{ call.id }}")

BINDINGS = [
    HttpBinding(method="POST", url=URL),
    HttpBinding(
        method="PUT",
        url=URL,
        query={"a": words("{{ vars.a }}"), "b": [words("x"), 1, None], "c": True, "d": 1.5},
        headers={"X-Clinic": words("{{ vars.clinic }}")},
        body=Body(kind=BodyKind.JSON, content={"a": [words("{{ agent }}"), {"b": None}], "c": 3}),
        auth=Bearer(token=words("{{ secrets.TOKEN }}")),
        sign=words("{{ secrets.SIGN }}"),
        timeout_s=3.5,
    ),
    HttpBinding(method="POST", url=URL, body=Body(kind=BodyKind.JSON, is_arguments=True)),
    HttpBinding(
        method="POST",
        url=URL,
        body=Body(kind=BodyKind.FORM, content={"a": words("b")}),
        auth=Basic(username=words("u"), password=words("{{ secrets.P }}")),
    ),
    HttpBinding(
        method="POST",
        url=URL,
        body=Body(kind=BodyKind.TEXT, content=words("Call {{ call.id }}")),
        auth=ApiKey(name="key", value=words("{{ secrets.K }}"), location=KeyIn.QUERY),
    ),
    HttpBinding(
        method="POST",
        url=URL,
        auth=ClientCredentials(
            token_url="https://login.maple.example/token",
            client_id=words("desk"),
            client_secret=words("{{ secrets.S }}"),
            scopes=("a", "b"),
            audience="maple",
        ),
    ),
]


@pytest.mark.parametrize("binding", BINDINGS)
def test_it_comes_back_as_it_was(binding: HttpBinding) -> None:
    assert decode(json.loads(json.dumps(encode(binding)))) == binding


def test_an_auth_of_another_version_is_not_taken_for_a_key() -> None:
    written = {**encode(BINDINGS[0]), "auth": {"kind": "mtls", "name": "a", "value": "b", "in": "header"}}
    with pytest.raises(ValueError, match=r'"mtls" is not a kind of auth that this version knows'):
        decode(written)


def test_what_is_written_down_names_secrets_and_holds_none() -> None:
    assert encode(BINDINGS[1])["sign"] == "{{ secrets.SIGN }}"
    assert encode(BINDINGS[1])["auth"] == {"kind": "bearer", "token": "{{ secrets.TOKEN }}"}
