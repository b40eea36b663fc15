"""Writes a request's templates as JSON and reads them back: a delivery outlives the configuration that
declared it.

Templates are kept as source, so a secret is stored as a name and never as a value.
"""

from collections.abc import Mapping, Sequence
from typing import assert_never

from runner.call.templates.template import compile_template
from runner.model.template import Template, Templated
from runner.model.tool import (
    ApiKey,
    Auth,
    Basic,
    Bearer,
    Body,
    BodyKind,
    ClientCredentials,
    HttpBinding,
    KeyIn,
)
from runner.model.values import Json, JsonObject


def encode(binding: HttpBinding) -> dict[str, Json]:
    """The binding as JSON, without its `retries`: a delivery has a schedule of its own."""
    return {
        "method": binding.method,
        "url": binding.url.source,
        "query": _source(binding.query),
        "headers": _source(binding.headers),
        "body": None if binding.body is None else _encoded_body(binding.body),
        "auth": None if binding.auth is None else _encoded_auth(binding.auth),
        "sign": None if binding.sign is None else binding.sign.source,
        "timeout_s": binding.timeout_s,
    }


def decode(data: JsonObject) -> HttpBinding:
    """The binding that `encode` wrote. Raises ValueError for an unknown auth."""
    return HttpBinding(
        method=data["method"],
        url=compile_template(data["url"]),
        query=_fields(data["query"]),
        headers={name: compile_template(source) for name, source in data["headers"].items()},
        body=None if data["body"] is None else _decoded_body(data["body"]),
        auth=None if data["auth"] is None else _decoded_auth(data["auth"]),
        sign=_text(data["sign"]),
        timeout_s=data["timeout_s"],
    )


def _source(tree: Templated) -> Json:
    """A tree of templates, each replaced by its source."""
    if tree is None or isinstance(tree, bool | int | float):
        return tree
    if isinstance(tree, Mapping):
        return {key: _source(entry) for key, entry in tree.items()}
    if isinstance(tree, Sequence):
        return [_source(entry) for entry in tree]
    return tree.source


def _compiled(data: Json) -> Templated:
    if isinstance(data, str):
        return compile_template(data)
    if isinstance(data, Mapping):
        return _fields(data)
    if isinstance(data, list):
        return [_compiled(entry) for entry in data]
    number: bool | int | float | None = data
    return number


def _fields(data: JsonObject) -> dict[str, Templated]:
    return {name: _compiled(entry) for name, entry in data.items()}


def _text(source: str | None) -> Template | None:
    return None if source is None else compile_template(source)


def _encoded_body(body: Body) -> dict[str, Json]:
    return {"kind": body.kind.value, "content": _source(body.content), "is_arguments": body.is_arguments}


def _decoded_body(data: JsonObject) -> Body:
    return Body(
        kind=BodyKind(data["kind"]), content=_compiled(data["content"]), is_arguments=data["is_arguments"]
    )


def _encoded_auth(auth: Auth) -> dict[str, Json]:
    match auth:
        case Bearer(token=token):
            return {"kind": "bearer", "token": token.source}
        case Basic(username=username, password=password):
            return {"kind": "basic", "username": username.source, "password": password.source}
        case ApiKey(name=name, value=value, location=location):
            return {"kind": "api_key", "name": name, "value": value.source, "in": location.value}
        case ClientCredentials():
            return {
                "kind": "oauth2",
                "token_url": auth.token_url,
                "client_id": auth.client_id.source,
                "client_secret": auth.client_secret.source,
                "scopes": list(auth.scopes),
                "audience": auth.audience,
            }
        case _:
            assert_never(auth)


def _decoded_auth(data: JsonObject) -> Auth:
    match data["kind"]:
        case "bearer":
            return Bearer(token=compile_template(data["token"]))
        case "basic":
            return Basic(
                username=compile_template(data["username"]), password=compile_template(data["password"])
            )
        case "oauth2":
            return ClientCredentials(
                token_url=data["token_url"],
                client_id=compile_template(data["client_id"]),
                client_secret=compile_template(data["client_secret"]),
                scopes=tuple(data["scopes"]),
                audience=data["audience"],
            )
        case "api_key":
            return ApiKey(
                name=data["name"], value=compile_template(data["value"]), location=KeyIn(data["in"])
            )
        case kind:
            raise ValueError(f'"{kind}" is not a kind of auth that this version knows')
