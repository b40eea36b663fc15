"""Builds an agent from its checked document: texts, variables, greeting, session, tools and limits."""

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from runner.api.realtime.models import transcription_model
from runner.call.templates.names import NOTHING, Shape
from runner.config.building.admission import build_busy, build_lookup
from runner.config.building.after_call import build_on_end, build_outcome, build_recording
from runner.config.building.agent_tools import AgentTools
from runner.config.building.conduct import build_guardrails, build_if_broken, build_keys, build_limits
from runner.config.building.destination import caller_variables
from runner.config.building.mcp import build_servers
from runner.config.building.parts import Parts
from runner.config.building.shared import Shared
from runner.config.building.templates import spoken, template, templated
from runner.config.checking.agent_review import review_agent
from runner.config.checking.browser_calls import check_browser_calls
from runner.config.checking.checked import Checked
from runner.config.checking.scope import Scope
from runner.config.checking.suggest import did_you_mean
from runner.config.checking.trial import Trial, check_rendering
from runner.config.node import Node, TextRun
from runner.config.problem import Problems
from runner.config.reading.characters import split_lines
from runner.config.reading.files import Directory
from runner.model.agent import Agent, Greeting, ModelOpens, Say, Tell, Wait
from runner.model.route import Route
from runner.model.template import Template, Templated
from runner.model.tool import Tool
from runner.model.values import Json, JsonObject, Place

_FILE_MARK = re.compile(r"^(@|file:(//)?)?(\./)?")
"""The prefix of a file's path in other tools."""
_PATH = re.compile(r"[\w./-]+\.(md|txt|text|markdown|prompt|jinja|jinja2|j2|ya?ml)")
_LATER = '"vars.{0}" has no value yet, since "{0}" stands below; move it above this line'
_ITSELF = '"vars.{}" cannot refer to itself'

if TYPE_CHECKING:
    from runner.config.openapi.document import ApiDocument


class AgentBuilder:
    """Builds one agent. Parts that the schema refused are skipped, so that all others are checked too."""

    def __init__(
        self,
        checked: Checked,
        shared: Shared,
        directory: Directory,
        api_documents: "dict[str, ApiDocument | None]",
        problems: Problems,
        *,
        brought: Mapping[str, tuple[Node, ...]] = MappingProxyType({}),
        brought_lookup: Node | None = None,
    ) -> None:
        """`api_documents`: see `AgentTools`.

        `brought` are the variables that a call brings from other agents, with their possible values, and
        `brought_lookup` the lookup whose result it brings.
        """
        self._checked = checked
        self._shared = shared
        self._directory = directory
        self._problems = problems
        self._parts = Parts(checked, problems)
        self._tools = AgentTools(
            checked, shared, directory, api_documents, parts=self._parts, problems=problems
        )
        variables, lookup = checked.root.get("vars"), checked.root.get("lookup") or brought_lookup
        self._default = default = lookup.find("default") if lookup is not None else None
        declared = {name: _shape(node) for name, node in variables.items()} if variables else {}
        self._brought_nodes = brought
        self._brought = {name: _shape(*nodes) for name, nodes in brought.items()}
        self._scope = Scope(
            secrets=shared.secrets,
            vars={**dict.fromkeys(self._tools.sets()), **self._brought, **declared}
            if variables is None or isinstance(variables.value, Mapping)
            else None,  # Anything but a mapping was meant to hold whatever templates name.
            has_lookup=lookup is not None,
            lookup_keys=frozenset(key for key, _ in default.items()) if default is not None else frozenset(),
        )

    def build(self, routes: tuple[Route, ...]) -> Agent | None:
        """The agent; None when an essential part is missing or wrong."""
        part, parts = self._checked.part, self._parts
        variables = self._variables(self._checked.sound_part("vars"))
        self._scope = replace(self._scope, caller_vars=caller_variables(variables))
        instructions = self._instructions(part("instructions"))
        greeting = self._greeting(part("greeting"))
        lookup = parts.built(
            "lookup", lambda node, problems: build_lookup(node, variables, self._scope, problems)
        )
        tools = tuple(self._tools.built(self._scope))
        servers = tuple(build_servers(self._tools.servers(), self._scope, self._problems))
        for broken in self._tools.broken_servers():
            parts.check(broken, lambda node, problems: [*build_servers(iter((node,)), self._scope, problems)])
        session = self._session(part("session"), tools)
        agent_id, model, voice, description = map(part, ("agent", "model", "voice", "description"))
        spoken, problems = self._scope.without_secrets(), self._problems
        transcription = transcription_model(session)
        limits = parts.of_mapping(
            "limits",
            lambda node, problems: build_limits(
                node,
                models=[name for name in (model.text if model else None, transcription) if name],
                prices=self._shared.prices,
                scope=spoken,
                problems=problems,
            ),
        )
        guardrails = parts.entries(
            "guardrails", lambda nodes, problems: build_guardrails(nodes, spoken, problems)
        )
        if_broken = parts.built("if_broken", lambda node, problems: build_if_broken(node, spoken, problems))
        keys = build_keys(part("keys"), problems)
        busy = build_busy(self._checked, problems)
        outcome = parts.built("outcome", lambda node, problems: build_outcome(node, part("record"), problems))
        on_end = parts.entries("on_end", lambda nodes, problems: build_on_end(nodes, self._scope, problems))
        record = build_recording(
            part("record"),
            tools=None if servers else tools,
            own_file=self._checked.root.key_place("agent").file,
            country=self._shared.default_country,
            problems=problems,
        )
        if agent_id is None or model is None or instructions is None:
            return None
        agent = Agent(
            id=agent_id.text,
            description=description.text if description else "",
            routes=routes,
            model=model.text,
            voice=voice.text if voice else None,
            session=session,
            transcription_model=transcription,
            instructions=instructions,
            vars=variables,
            greeting=greeting,
            lookup=lookup,
            tools=tools,
            mcp=servers,
            limits=limits,
            busy=busy,
            keys=keys,
            guardrails=guardrails,
            if_broken=if_broken,
            outcome=outcome,
            on_end=on_end,
            record=record,
            place=self._checked.root.key_place("agent"),
        )
        trial = Trial(
            agent=agent.id,
            vars={**self._values_brought(), **variables},
            lookup=self._default.data() if self._default is not None else None,
            set_later=frozenset(self._tools.sets()) - variables.keys(),
        )
        check_rendering(trial, self._scope.templates, problems)
        review_agent(
            agent,
            self._checked.root,
            dict(self._tools.nodes()),
            problems,
            has_api_names=self._shared.has_api_names,
        )
        check_browser_calls(
            agent,
            self._checked.root,
            dict(self._tools.nodes()),
            problems,
            takes_them=self._shared.takes_browser_calls,
            opens_data_channel=self._shared.opens_data_channel,
        )
        return agent

    def _values_brought(self) -> dict[str, Templated]:
        """The variables that a call brings along, as the nearest agent that leads here declares them."""
        apart = Scope(vars=self._brought, has_lookup=True)
        return {
            name: templated(nodes[0], apart, Problems()) if nodes else None
            for name, nodes in self._brought_nodes.items()
        }

    def _text(self, node: Node) -> Template | None:
        """A text for the model or the caller, so it may not contain a secret."""
        return template(node, self._scope.without_secrets(), self._problems)

    def _variables(self, node: Node | None) -> dict[str, Templated]:
        """Variables are rendered in their order when a call begins: each may name those before it."""
        values = dict(node.items()) if node is not None else {}
        before: dict[str, Shape] = dict(self._brought)
        later = {name: _LATER.format(name) for name in values}
        scope = replace(self._scope.without_secrets(), vars=before, late_vars=later)
        variables: dict[str, Templated] = {}
        for name, value in values.items():
            later[name] = _ITSELF.format(name)
            variables[name] = templated(value, scope, self._problems)
            before[name] = _shape(value)
            del later[name]
        return variables

    def _instructions(self, node: Node | None) -> Template | None:
        if node is None:
            return None
        file = node.get("file")
        if file is None:
            path = self._is_path(node)
            if path is not None:
                right = f"write {{file: {path}}}"
                message = f"the instructions are a path, not the content of the file; {right}"
                self._problems.error(node.place, "file", message)
            return self._text(node)
        source = self._directory.referenced_text(file)
        if source is None:
            return None
        name, text = source
        if not text.strip():
            self._problems.error(
                file.place, "file", f'"{file.text}" is empty; write the instructions into it'
            )
        return self._text(_whole_file(name, text))

    def _is_path(self, node: Node) -> str | None:
        """The path of a file in place of its text; None where it is a text."""
        path = _FILE_MARK.sub("", node.text)
        is_path = _PATH.fullmatch(path) or self._directory.has(node.holding(path))
        return path if is_path else None

    def _greeting(self, node: Node | None) -> Greeting:
        if node is None:
            return ModelOpens()
        if node.get("wait") is not None:
            return Wait()
        tell = node.get("tell")
        if tell is not None:
            instruction = self._text(tell)
            return Tell(text=instruction) if instruction is not None else ModelOpens()
        if self._is_path(node) is not None:
            message = f'the greeting is "{node.text}", the path of a file; write the sentence itself'
            self._problems.error(node.place, "file", message)
        sentence = spoken(node, self._scope.without_secrets(), self._problems)
        return Say(text=sentence) if sentence is not None else ModelOpens()

    def _session(self, node: Node | None, tools: tuple[Tool, ...]) -> JsonObject:
        if node is None:
            return {}
        voice = node.find("audio", "output", "voice")
        if voice is not None and self._checked.part("voice") is not None:
            message = "the voice is set twice; keep the agent's \"voice\" or the session's"
            self._problems.error(voice.place, "one-of", message)
        chosen = node.find("tool_choice", "name")
        names = {*(tool.name for tool in tools), *dict(self._tools.nodes())}
        if chosen is not None and node.find("tool_choice", "type") and chosen.text not in names:
            message = f'there is no tool "{chosen.text}"{did_you_mean(chosen.text, names)}'
            self._problems.error(chosen.place, "unknown-tool", message)
        session: Json = node.data()
        return dict(session)


def _shape(node: Node | None = None, *others: Node) -> Shape:
    """What templates may name below a variable. The value of a template of one expression is unknown.

    So is that of a variable that several agents declare, or that a reply sets.
    """
    if node is None or others:
        return None
    if isinstance(node.value, Mapping):
        return {key: _shape(value) for key, value in node.items()}
    if isinstance(node.value, tuple) or "{" in node.text:
        return None
    return NOTHING


def _whole_file(name: str, text: str) -> Node:
    """The text of a file as a value whose places are in that file."""
    lines = split_lines(text)
    runs = [
        TextRun(line=number, column=1, place=Place(name, number, 1)) for number in range(1, len(lines) + 1)
    ]
    return Node(value="\n".join(lines), text=text, place=Place(name, 1, 1), runs=tuple(runs))
