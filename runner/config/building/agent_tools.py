"""Builds the tools of an agent: its own, those of runner.yaml that it names, and operations of documents."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from runner.config.building.mcp import PLACES
from runner.config.building.parts import Parts, without_mistakes
from runner.config.building.shared import Shared
from runner.config.building.tools import build_tool
from runner.config.checking.checked import Checked
from runner.config.checking.scope import Scope
from runner.config.checking.suggest import did_you_mean
from runner.config.node import Node
from runner.config.problem import Problems
from runner.config.reading.files import Directory
from runner.model.tool import Tool
from runner.model.values import Place

if TYPE_CHECKING:
    from runner.config.openapi.document import ApiDocument


class AgentTools:
    """The key `tools` of one agent."""

    def __init__(
        self,
        checked: Checked,
        shared: Shared,
        directory: Directory,
        api_documents: "dict[str, ApiDocument | None]",
        *,
        parts: Parts,
        problems: Problems,
    ) -> None:
        """`api_documents` keeps the OpenAPI documents that are read, for the next agent."""
        self._checked = checked
        self._shared = shared
        self._directory = directory
        self._api_documents = api_documents
        self._parts = parts
        self._problems = problems
        self._scope = Scope()

    def built(self, scope: Scope) -> Iterator[Tool]:
        """The tools, in the order of the file; each that has a mistake is checked as far as it goes."""
        self._scope = scope
        places: dict[str, Place] = {}
        for entry in self._checked.root.entries_at("tools"):
            if (openapi := self._openapi(entry)) is not None:
                yield from self._operations(entry, openapi, places)
                continue
            if (openapi := entry.get("openapi")) is not None:
                self._check_operations(self._checked.mended(openapi))
                continue
            name = entry if isinstance(entry.value, str) else entry.get("name")
            if name is not None:
                self._note_name(name.text, name.place, places)
            tool = self._tool(entry)
            if tool is not None:
                yield tool

    def _openapi(self, entry: Node) -> Node | None:
        """The `openapi` of an entry, its own or that of a shared tool, if it has no mistake."""
        shared = self._shared.tools.get(entry.text) if isinstance(entry.value, str) else None
        if shared is not None:
            return shared.node.get("openapi") if shared.sound else None
        return entry.get("openapi") if self._checked.sound(entry) else None

    def _operations(self, entry: Node, openapi: Node, places: dict[str, Place]) -> Iterator[Tool]:
        from runner.config.openapi.operations import build_operations  # noqa: PLC0415 - few agents have documents

        built = build_operations(openapi, self._scope, self._directory, self._api_documents, self._problems)
        for node, tool in built:
            place = entry.place if isinstance(entry.value, str) else node.place
            self._note_name(tool.name, place, places)
            yield tool

    def _check_operations(self, openapi: Node | None) -> None:
        """Note the problems in the sound part of an `openapi` entry with a mistake."""
        if openapi is None or openapi.get("document") is None:
            return
        from runner.config.openapi.operations import build_operations  # noqa: PLC0415 - as above

        self._parts.check(
            openapi,
            lambda node, problems: [
                *build_operations(node, self._scope, self._directory, self._api_documents, problems)
            ],
        )

    def nodes(self) -> Iterator[tuple[str, Node]]:
        """The node of each tool, by its name."""
        for entry in self._checked.root.entries_at("tools"):
            name = entry.get("name")
            if isinstance(entry.value, str) and entry.value in self._shared.tools:
                yield entry.value, self._shared.tools[entry.value].node
            elif name is not None:
                yield name.text, entry

    def sets(self) -> Iterator[str]:
        """The variables that replies of tools set, which exist (as null) before they are set."""
        for entry in self._checked.root.entries_at("tools"):
            shared = self._shared.tools.get(entry.text) if isinstance(entry.value, str) else None
            node = shared.node if shared else entry
            for tool in (node, *node.entries_at("openapi", "operations")):
                yield from (name for name, _ in tool.items_at("result", "set"))

    def servers(self) -> Iterator[Node]:
        """The MCP servers without a mistake."""
        for entry in self._checked.root.entries_at("tools"):
            server = entry.get("mcp")
            if server is not None and self._checked.sound(entry):
                yield server

    def broken_servers(self) -> Iterator[Node]:
        """The sound rests of MCP servers with a mistake, which say where the server is, however wrong."""
        for entry in self._checked.root.entries_at("tools"):
            server = entry.get("mcp")
            if server is not None and not self._checked.sound(entry):
                rest = self._checked.mended(server)
                if rest is not None and any(rest.get(key) is not None for key in PLACES):
                    yield rest
                elif rest is not None:
                    places = {key: place for key in PLACES if (place := server.get(key)) is not None}
                    yield rest.holding({**dict(rest.items()), **places})

    def _note_name(self, name: str, place: Place, places: dict[str, Place]) -> None:
        if name in places:
            message = f'the agent has another tool "{name}", at {places[name]}; give one another name'
            self._problems.error(place, "duplicate-tool", message)
        places.setdefault(name, place)

    def _tool(self, entry: Node) -> Tool | None:
        if not isinstance(entry.value, str):
            if self._checked.sound(entry):
                return build_tool(entry, scope=self._scope, problems=self._problems)
            self._check_tool(without_mistakes(entry, self._checked))
            return None
        shared = self._shared.tools.get(entry.value)
        if shared is None:
            hint = did_you_mean(entry.value, self._shared.tools) or "; declare it there, or write it out here"
            message = f'"tools" in runner.yaml has no "{entry.value}"{hint}'
            self._problems.error(entry.place, "unknown-tool", message)
            return None
        if shared.sound:
            return build_tool(shared.node, scope=self._scope, problems=self._problems)
        self._check_tool(shared.mended)
        return None

    def _check_tool(self, tool: Node | None) -> None:
        """Note the problems in the sound part of a tool with a mistake."""
        self._parts.check(tool, lambda node, problems: build_tool(node, scope=self._scope, problems=problems))
