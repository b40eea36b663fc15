"""Builds the tools of an `openapi` entry: the operations that it names, from the document that it names.

A document holds no secret and does not say who sends requests; the entry's `auth` does. Only named operations
are built, however large the document is.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from runner.call.templates.template import has_expressions
from runner.call.tools.url import compiled_url
from runner.config.building.duration import duration_s
from runner.config.building.schema_walk import argument_shapes, circular_references
from runner.config.building.tool_conduct import check_retries, with_conduct
from runner.config.building.tool_http import build_auth, build_retries
from runner.config.checking.scope import Scope
from runner.config.checking.suggest import did_you_mean, one_of
from runner.config.node import Node
from runner.config.openapi.auth import needed_auth
from runner.config.openapi.document import AlreadyNotedError, ApiDocument, DocumentPart, Library, UnfitError
from runner.config.openapi.fixed import FixedArguments
from runner.config.openapi.operation import METHODS, OTHER_METHODS, EntrySettings, Operation, OperationTool
from runner.config.problem import Problems
from runner.config.reading.files import Directory
from runner.errors import TemplateError
from runner.model.tool import HttpBinding, Tool
from runner.model.values import Json, Place

MOST_CHARS = 16_000
_RULE = "openapi"
_METHODS = ", ".join(method.upper() for method in METHODS)


def build_operations(
    entry: Node, scope: Scope, directory: Directory, read: dict[str, ApiDocument | None], problems: Problems
) -> Iterator[tuple[Node, Tool]]:
    """Each tool with the node that names its operation. The entry must be well-formed.

    `read` keeps the documents, each of which is read once.
    """
    library = Library(directory, read, problems)
    named, wanted = entry.get("document"), entry.get("operations")
    auth, server = build_auth(entry, scope, problems), _server(entry.get("server"), problems)
    if named is None or wanted is None or not _is_hidden(named, problems):
        return
    document = library.open(named)
    if document is None or not _is_openapi(document, problems):
        return
    if server is None and entry.get("server") is not None:
        return
    operations = _Operations(document, library)
    has_auth = entry.get("auth") is not None
    names: dict[str, str] = {}
    for node in wanted.entries():
        operation = operations.named(_id(node), problems)
        if operation is None:
            continue
        fixed = FixedArguments(node.get("fixed"), scope, problems)
        defaults = EntrySettings(auth=auth, server=server, fixed=fixed)
        tool = _tool(_id(node), operation, defaults, library, problems, has_auth=has_auth)
        if tool is None:
            continue
        tool = _as_declared(node, tool, scope, problems)
        if _is_other(node, tool, names, problems) and _can_be_checked(node, tool, problems):
            _check_size(node, tool, problems)
            yield node, tool


def _id(node: Node) -> Node:
    """The id of an operation, named by it alone or in a mapping."""
    return node.get("id") or node


def _server(node: Node | None, problems: Problems) -> str | None:
    """The server of the requests, or None where none is given or after noting a problem."""
    if node is None:
        return None
    try:
        if has_expressions(node.text):
            raise TemplateError(f'"{node.text}" is sent as it stands; write the whole URL out')
        compiled_url(node.text)
    except TemplateError as error:
        problems.error(
            node.place_in(error.line, error.column), "url", str(error), hide_source="@" in node.text
        )
        return None
    return node.text


def _as_declared(node: Node, tool: Tool, scope: Scope, problems: Problems) -> Tool:
    """The tool with the entry's settings for this operation, which override the document."""
    name, description, timeout = node.get("name"), node.get("description"), node.get("timeout")
    if name is not None:
        tool = replace(tool, name=name.text)
    if description is not None:
        tool = replace(tool, description=description.text)
    binding = tool.binding
    if isinstance(binding, HttpBinding):
        retries = build_retries(node.get("retries"), problems)
        binding = replace(
            binding, retries=retries, timeout_s=duration_s(timeout, problems) or binding.timeout_s
        )
    shapes, is_open = argument_shapes(_node(tool.parameters, node.place))
    conduct_scope = replace(scope, args=shapes, args_open=is_open).without_secrets()
    tool = with_conduct(replace(tool, binding=binding), node, conduct_scope, problems)
    check_retries(node.get("retries"), tool, problems)
    return tool


def _node(value: Json, place: Place) -> Node:
    """A value of the document as a node, all of it at one place."""
    if isinstance(value, Mapping):
        return Node(value={key: _node(entry, place) for key, entry in value.items()}, place=place)
    if isinstance(value, list | tuple):
        return Node(value=tuple(_node(entry, place) for entry in value), place=place)
    return Node(value=value, text=str(value), place=place)


def _is_other(node: Node, tool: Tool, names: dict[str, str], problems: Problems) -> bool:
    """Whether no earlier operation has this name, which is cut where an id is long."""
    operation = _id(node).text
    other = names.setdefault(tool.name, operation)
    if other == operation:
        return True
    message = (
        f'"{operation}" and "{other}" would both be called "{tool.name}"; '
        f'write {{id: "{operation}", name: NAME}} with another name'
    )
    problems.error(node.place, "duplicate-tool", message)
    return False


def _can_be_checked(node: Node, tool: Tool, problems: Problems) -> bool:
    """Whether arguments can be checked: a schema that contains itself at the same place never ends."""
    for reference in circular_references(_node(tool.parameters, node.place)):
        name = reference.text.rpartition("/")[2]
        message = f'"{_id(node).text}": the schema "{name}" is only a $ref that leads back to itself'
        problems.error(node.place, _RULE, message)
        return False
    return True


def _check_size(node: Node, tool: Tool, problems: Problems) -> None:
    """A tool's parameters are part of every turn's input, which costs money and time."""
    size = len(json.dumps(tool.parameters, ensure_ascii=False))
    if size > MOST_CHARS:
        message = (
            f'the parameters of "{_id(node).text}" take {size} characters of every turn; write an "http" '
            "tool with the few that the model needs"
        )
        problems.warning(node.place, "large-parameters", message)


def _is_hidden(node: Node, problems: Problems) -> bool:
    """Whether the document cannot be mistaken for configuration. A web address is no path at all."""
    steps = PurePosixPath(node.text).parts
    if "://" in node.text or any(step.startswith(("_", ".")) and step not in (".", "..") for step in steps):
        return True
    message = (
        f'"{node.text}" would be read as configuration; give its file or folder a name that begins with "_"'
    )
    problems.error(node.place, "file", message)
    return False


def _is_openapi(document: ApiDocument, problems: Problems) -> bool:
    root = document.root
    version = root.value.get("openapi") if isinstance(root.value, Mapping) else None
    if isinstance(version, (str, float)) and re.match(r"3\.[01](?:\.|$)", str(version)):
        return True
    if root.get("swagger") is not None:
        message = f"this is Swagger {root.value['swagger']}; convert it to OpenAPI 3.0 or 3.1"
        problems.error(document.place(("swagger",)), _RULE, message)
    elif version is None:
        problems.error(
            document.place(()), _RULE, 'this is not an OpenAPI document; it has no "openapi: 3.1.0"'
        )
    else:
        message = f'"openapi" is "{version}"; only 3.0 and 3.1 are supported'
        problems.error(document.place(("openapi",)), _RULE, message)
    return False


def _tool(
    node: Node,
    operation: Operation,
    entry: EntrySettings,
    library: Library,
    problems: Problems,
    *,
    has_auth: bool,
) -> Tool | None:
    def refuse(error: UnfitError) -> None:
        problems.error(error.part.place, _RULE, f'"{node.text}": {error}')

    try:
        written = needed_auth(operation.part, operation.root, library)
        if written is not None and not has_auth:
            message = f'"{node.text}" needs authentication; write auth: {written} beside "operations"'
            problems.error(node.place, "openapi-auth", message)
    except UnfitError as error:
        refuse(error)
        return None
    except AlreadyNotedError:
        return None
    return OperationTool(operation, entry, library, refuse).tool()


class _Operations:
    """The operations of a document, by id and by address."""

    def __init__(self, document: ApiDocument, library: Library) -> None:
        self._document = document
        self._by_id: dict[str, list[Operation]] = {}
        self._by_address: dict[str, Operation] = {}
        for operation in _operations(document.root, library):
            self._by_address[operation.address] = operation
            if operation.id:
                self._by_id.setdefault(operation.id, []).append(operation)

    def named(self, node: Node, problems: Problems) -> Operation | None:
        """The operation that an entry of `operations` names, or None after noting a problem."""
        matches = self._by_id.get(node.text, [])
        if not matches and node.text in self._by_address:
            matches = [self._by_address[node.text]]
        if not matches:
            problems.error(node.place, "unknown-operation", self._unknown(node.text))
        elif len(matches) > 1:
            addresses = one_of([operation.address for operation in matches])
            message = f'"{node.text}" is the id of several operations; write {addresses}'
            problems.error(node.place, "unknown-operation", message)
        elif matches[0].method in OTHER_METHODS:
            message = f'"{node.text}" has the method {matches[0].method.upper()}; tools send {_METHODS}'
            problems.error(node.place, "unknown-operation", message)
        else:
            return matches[0]
        return None

    def _unknown(self, name: str) -> str:
        nameless = [address for address, operation in self._by_address.items() if not operation.id]
        known = [*self._by_id, *nameless]
        near = did_you_mean(name, known) or did_you_mean(name, self._by_address)
        if not near and known:
            near = f"; there is {one_of(known)}"
        return f'"{self._document.name}" has no operation "{name}"{near}'


def _operations(root: DocumentPart, library: Library) -> Iterator[Operation]:
    """Every operation. An unreachable one counts as missing."""
    paths = root.get("paths")
    for path, declared in paths.items() if paths is not None else ():
        item = _reached(declared, library)
        for method, part in item.items() if item is not None else ():
            if method in (*METHODS, *OTHER_METHODS):
                operation = _reached(part, library)
                if operation is not None and item is not None and isinstance(operation.value, Mapping):
                    yield Operation(method=method, path=path, part=operation, item=item, root=root)


def _reached(part: DocumentPart, library: Library) -> DocumentPart | None:
    try:
        return library.followed(part)
    except (UnfitError, AlreadyNotedError):
        return None
