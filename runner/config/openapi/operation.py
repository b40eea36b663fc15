"""One operation of an OpenAPI document as a tool: its address, its arguments, and how they are sent."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias, TypeVar

from runner.call.templates.template import compile_template
from runner.call.tools.url import compiled_url
from runner.config.openapi.body import BodyReader, RequestBody
from runner.config.openapi.descriptions import shortened
from runner.config.openapi.document import AlreadyNotedError, DocumentPart, Library, UnfitError
from runner.config.openapi.fixed import FixedArguments
from runner.config.openapi.parameters import Parameter, declared_parameters, read_parameter
from runner.config.openapi.request_parts import RequestParts
from runner.config.openapi.schema import SchemaMaker, complete
from runner.errors import TemplateError
from runner.model.template import Template
from runner.model.tool import Auth, ResultSpec, Tool
from runner.model.values import JsonObject

METHODS = ("get", "put", "post", "delete", "patch")
OTHER_METHODS = ("head", "options", "trace")
MOST_DESCRIPTION = 1024
"""As for any tool."""
LONGEST_NAME = 64
_VARIABLE = re.compile(r"\{([^{}]+)\}")
_BODILESS = ("get",)
_RIGHT = 'write "server: https://api.maple.example" beside "operations"'

_Refusal: TypeAlias = UnfitError | AlreadyNotedError
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation in its document. `item` is the path's, with what all operations of the path share."""

    method: str
    path: str
    part: DocumentPart
    item: DocumentPart
    root: DocumentPart

    @property
    def id(self) -> str:
        """Its `operationId`, or none."""
        return self.part.text("operationId")

    @property
    def address(self) -> str:
        """Its name without an id, e.g. `GET /orders/{id}`."""
        return f"{self.method.upper()} {self.path}"

    @property
    def tool_name(self) -> str:
        """The tool's name for the model."""
        words = self.id or f"{self.method}{self.path}"
        return re.sub(r"[^A-Za-z0-9_-]+", "_", words).strip("_")[:LONGEST_NAME] or self.method

    @property
    def is_3_0(self) -> bool:
        """Whether its schemas are those of OpenAPI 3.0."""
        return self.root.text("openapi").startswith("3.0")


@dataclass(frozen=True, slots=True, kw_only=True)
class EntrySettings:
    """The settings of the user's entry that no document can contain."""

    auth: Auth | None
    server: str | None
    """The server of the requests, whatever the document says."""
    fixed: FixedArguments


class OperationTool:
    """Makes the tool of one operation."""

    def __init__(
        self,
        operation: Operation,
        entry: EntrySettings,
        library: Library,
        refuse: Callable[[UnfitError], None],
    ) -> None:
        self._operation = operation
        self._entry = entry
        self._library = library
        self._refuse = refuse
        self._declared: set[str] = set()
        """The names of all parameters, including refused ones."""

    def tool(self) -> Tool | None:
        """The tool, or None after reporting to `refuse` everything that cannot be expressed."""
        operation = self._operation
        refusals: list[_Refusal] = []
        parts: list[RequestParts] = []

        def make(maker: SchemaMaker) -> JsonObject:
            refusals.clear()  # from an abandoned attempt
            parts[:] = [self._parts(maker, refusals)]
            return parts[0].arguments()

        parameters = complete(make, self._library, is_3_0=operation.is_3_0)
        url = self._tried(refusals, lambda: self._url(parts[0].parameters))
        example = self._tried(refusals, self._example)
        for error in refusals:
            if isinstance(error, UnfitError):
                self._refuse(error)
        properties = parameters["properties"]
        known = [*properties, *(parameter.argument for parameter in parts[0].parameters)]
        self._entry.fixed.check(operation.id or operation.address, known, parameters.get("$defs", {}))
        if refusals or url is None:
            return None
        return Tool(
            name=operation.tool_name,
            description=self._description(),
            parameters=parameters,
            binding=parts[0].binding(operation.method.upper(), url, self._entry.auth),
            result=ResultSpec() if example is None else ResultSpec(example=example.value, has_example=True),
        )

    def _tried(self, refusals: list[_Refusal], work: Callable[[], _Result]) -> _Result | None:
        """The result of one step; a refusal is kept, so that the other steps are checked too."""
        try:
            return work()
        except (UnfitError, AlreadyNotedError) as error:
            refusals.append(error)
            return None

    # The request's content

    def _parts(self, maker: SchemaMaker, refusals: list[_Refusal]) -> RequestParts:
        operation, library = self._operation, self._library
        lists = [operation.item.get("parameters"), operation.part.get("parameters")]
        declared = self._tried(refusals, lambda: declared_parameters(library, lists)) or []
        self._declared = {part.text("name") for part in declared}
        parameters: list[Parameter] = []
        for part in declared:
            parameter = self._tried(
                refusals, partial(read_parameter, part, maker, parameters, self._entry.fixed)
            )
            if parameter is not None:
                parameters.append(parameter)
        body = self._tried(
            refusals, lambda: self._body(maker, [parameter.argument for parameter in parameters])
        )
        return RequestParts(parameters=tuple(parameters), body=body)

    def _body(self, maker: SchemaMaker, elsewhere: list[str]) -> RequestBody | None:
        declared = self._operation.part.get("requestBody")
        if declared is None:
            return None
        part = self._library.followed(declared)
        if self._operation.method in _BODILESS:
            if part.value.get("required") is True:
                raise UnfitError(part, "a GET request has no body")
            return None
        reader = BodyReader(library=self._library, maker=maker, elsewhere=elsewhere, fixed=self._entry.fixed)
        return reader.read(part)

    # The request's target

    def _url(self, parameters: tuple[Parameter, ...]) -> Template:
        operation = self._operation
        source = _literal(operation.part, self._server()).rstrip("/")
        in_path = {parameter.name: parameter for parameter in parameters if parameter.place == "path"}
        # A fragment is never sent; some documents distinguish operations of one path by it.
        for index, piece in enumerate(_VARIABLE.split(operation.path.partition("#")[0])):
            if index % 2 == 0:
                source += _literal(operation.part, piece)
            elif piece in in_path:
                source += in_path.pop(piece).template
            elif piece in self._declared:
                raise AlreadyNotedError
            else:
                raise UnfitError(
                    operation.part, f'the path has "{{{piece}}}", and no parameter is declared for it'
                )
        for name in in_path:
            raise UnfitError(
                operation.part, f'the path "{operation.path}" has no place for the parameter "{name}"'
            )
        try:
            compiled_url(source)
        except TemplateError as error:
            raise UnfitError(operation.part, str(error)) from None
        return compile_template(source)

    def _server(self) -> str:
        operation = self._operation
        if self._entry.server is not None:
            return self._entry.server
        for holder in (operation.part, operation.item, operation.root):
            servers = holder.get("servers")
            first = next(servers.entries(), None) if servers is not None else None
            if first is not None:
                return _server_url(first)
        raise UnfitError(operation.root, f"the document names no server; {_RIGHT}")

    # Description and example

    def _description(self) -> str:
        operation = self._operation
        summary, description = operation.part.text("summary"), operation.part.text("description")
        summary = summary or operation.item.text("summary")
        if summary and description.strip().startswith(summary.strip().rstrip(".")):
            summary = ""
        joint = "" if not summary or summary.rstrip().endswith((".", "!", "?")) else "."
        text = f"{summary.rstrip()}{joint} {description}".strip()
        return shortened(text, MOST_DESCRIPTION) or operation.address

    def _example(self) -> DocumentPart | None:
        """An example reply, if the document has one."""
        responses = self._operation.part.get("responses")
        for status, declared in responses.items() if responses is not None else ():
            if re.fullmatch(r"2(?:\d\d|XX)", status):
                content = self._library.followed(declared).get("content")
                for media_type, media in content.items() if content is not None else ():
                    if re.match(r"application/(?:[\w.+-]+\+)?json\b", media_type):
                        return next(self._examples(media), None)
        return None

    def _examples(self, media: DocumentPart) -> Iterator[DocumentPart]:
        if (example := media.get("example")) is not None:
            yield example
        examples = media.get("examples")
        for _, declared in examples.items() if examples is not None else ():
            if (example := self._library.followed(declared).get("value")) is not None:
                yield example
        declared_schema = media.get("schema")
        schema = self._library.followed(declared_schema) if declared_schema is not None else media
        if (example := schema.get("example")) is not None:
            yield example


def _server_url(server: DocumentPart) -> str:
    variables = server.get("variables")

    def default(match: re.Match[str]) -> str:
        variable = variables.get(match[1]) if variables is not None else None
        value = variable.value.get("default") if variable is not None else None
        if not isinstance(value, (str, int, float)):
            raise UnfitError(
                server, f'the server "{server.text("url")}" has no default for "{match[1]}"; {_RIGHT}'
            )
        return str(value)

    url = _VARIABLE.sub(default, server.text("url"))
    if not re.match(r"(?i)https?://", url):
        raise UnfitError(server, f'the server is "{url}"; {_RIGHT}')
    return url


def _literal(part: DocumentPart, text: str) -> str:
    if "{" in text or "}" in text:
        raise UnfitError(part, f'"{text}" has an unmatched brace')
    return text
