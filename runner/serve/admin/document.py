"""The OpenAPI document, and the check of each request against it: anything undeclared is refused."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import Any

from runner.call.schemas.check import Misfit, UncheckableError
from runner.call.schemas.schema import Schema
from runner.call.tools.arguments import must_be, quoted
from runner.config.checking.schema_files import folder
from runner.model.json_text import read_json
from runner.model.values import Json, JsonObject

MOST_ERRORS = 10
METHODS = ("get", "post")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestMistake:
    """One thing in a request that does not fit."""

    where: str
    """`path`, `query`, `header` or `body`."""
    at: str
    """A parameter's name, or a JSON Pointer into the body."""
    message: str

    @property
    def as_json(self) -> dict[str, Json]:
        return {"in": self.where, "at": self.at, "message": self.message}


class InvalidRequestError(Exception):
    """The request does not fit the document."""

    def __init__(self, mistakes: list[RequestMistake]) -> None:
        super().__init__("; ".join(mistake.message for mistake in mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestParameter:
    """A parameter of an operation."""

    name: str
    where: str
    is_required: bool
    schema: Schema

    def read(self, text: str) -> Json:
        """Its value. Raises InvalidRequestError."""
        value = _typed(text, self.schema.root.get("type"))
        if misfits := _misfits(self.schema, value):
            message = f'"{self.name}" is {quoted(value)}{must_be(misfits[0].schema)}'
            raise InvalidRequestError([RequestMistake(where=self.where, at=self.name, message=message)])
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminOperation:
    """One operation of the document, ready to check requests."""

    id: str
    path: str
    method: str
    summary: str = ""
    parameters: tuple[RequestParameter, ...] = ()
    body: Schema | None = None
    needs_body: bool = False
    is_open: bool = False
    """Whether it needs no token."""

    def arguments(
        self, path: Mapping[str, str], query: list[tuple[str, str]], headers: Mapping[str, str]
    ) -> dict[str, Json]:
        """The parameters by name, with their defaults. Raises InvalidRequestError."""
        mistakes: list[RequestMistake] = []
        known = {parameter.name for parameter in self.parameters if parameter.where == "query"}
        names = [name for name, _ in query]
        for name in dict.fromkeys(names):
            if name not in known:
                there = ", ".join(f'"{each}"' for each in sorted(known)) or "none"
                message = f"there is no parameter {quoted(name)}; there is {there}"
                mistakes.append(RequestMistake(where="query", at=name, message=message))
            elif names.count(name) > 1:
                mistakes.append(RequestMistake(where="query", at=name, message=f'"{name}" is given twice'))
        sources: Mapping[str, Mapping[str, str]] = {"path": path, "query": dict(query), "header": headers}
        values: dict[str, Json] = {}
        for parameter in self.parameters:
            text = sources[parameter.where].get(parameter.name)
            try:
                if text is not None:
                    values[parameter.name] = parameter.read(text)
                elif parameter.is_required:
                    message = f'"{parameter.name}" is missing'
                    raise InvalidRequestError(
                        [RequestMistake(where=parameter.where, at=parameter.name, message=message)]
                    )
                elif "default" in parameter.schema.root:
                    values[parameter.name] = parameter.schema.root["default"]
            except InvalidRequestError as error:
                mistakes += error.mistakes
        if mistakes:
            raise InvalidRequestError(mistakes[:MOST_ERRORS])
        return values

    def read_body(self, raw: bytes) -> dict[str, Json]:
        """The body as an object; `{}` where none is sent and none is required. Raises InvalidRequestError."""
        if self.body is None:
            if raw:
                raise _body_mistake("", "this request takes no body")
            return {}
        if not raw.strip() and not self.needs_body:
            return {}
        try:
            value = read_json(raw)
        except ValueError as error:
            reason = str(error) if raw.strip() else "there is none"
            raise _body_mistake("", f"the body is not JSON: {reason}") from None
        misfits = _misfits(self.body, value)
        if misfits:
            raise InvalidRequestError(list(dict.fromkeys(map(_mistake, misfits))))
        assert isinstance(value, dict)  # noqa: S101 - the document has made it so
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The document: its text, and its operations by id."""

    text: str = field(repr=False)
    operations: Mapping[str, AdminOperation]


@cache
def document() -> Document:
    text = (folder() / "admin.openapi.json").read_text(encoding="utf-8")
    return of_text(text)


def of_text(text: str) -> Document:
    """The document of this text, which must have the form of ours."""
    whole = json.loads(text)
    return Document(text=text, operations={operation.id: operation for operation in _operations(whole)})


def _operations(whole: JsonObject) -> Iterator[AdminOperation]:
    for path, item in whole["paths"].items():
        for method in METHODS:
            operation = item.get(method)
            if operation is None:
                continue
            body = operation.get("requestBody")
            yield AdminOperation(
                id=operation["operationId"],
                path=path,
                method=method,
                summary=operation["summary"],
                parameters=tuple(
                    _parameter(each)
                    for each in (*item.get("parameters", ()), *operation.get("parameters", ()))
                ),
                body=_body(whole, body) if body else None,
                needs_body=bool(body and body.get("required")),
                is_open=operation.get("security") == [],
            )


def _parameter(declared: JsonObject) -> RequestParameter:
    return RequestParameter(
        name=declared["name"],
        where=declared["in"],
        is_required=declared.get("required", False),
        schema=Schema(declared["schema"]),
    )


def _body(whole: JsonObject, body: JsonObject) -> Schema:
    declared = body["content"]["application/json"]["schema"]
    return Schema({**declared, "components": {"schemas": whole["components"]["schemas"]}})


def _typed(text: str, kind: Any) -> Json:
    """The typed value of a parameter's text; the text itself where it has none of these types."""
    if kind == "integer" and text.removeprefix("-").isascii() and text.removeprefix("-").isdecimal():
        return int(text[:20])
    return text


def _misfits(schema: Schema, value: Json) -> list[Misfit]:
    try:
        return schema.misfits(value, MOST_ERRORS)
    except UncheckableError as error:
        raise _body_mistake("", f"the request cannot be checked: {error}") from None


def _mistake(misfit: Misfit) -> RequestMistake:
    at = "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in misfit.path)
    name = at or "the body"
    if misfit.missing:
        inner = misfit.schema.get("properties", {}).get(misfit.missing, {})
        message = f'"{misfit.missing}" is missing{must_be(inner)}'
        at = f"{at}/{misfit.missing}"
    elif misfit.keyword == "additionalProperties" and isinstance(misfit.value, dict):
        known = misfit.schema.get("properties", {})
        unknown = ", ".join(islice((quoted(key) for key in misfit.value if key not in known), MOST_ERRORS))
        there = ", ".join(f'"{key}"' for key in known) or "none"
        message = f"there is no key {unknown}; there is {there}"
    else:
        message = f"{name} is {quoted(misfit.value)}{must_be(misfit.schema) or ', which does not fit'}"
    return RequestMistake(where="body", at=at, message=message)


def _body_mistake(at: str, message: str) -> InvalidRequestError:
    return InvalidRequestError([RequestMistake(where="body", at=at, message=message)])
