"""`phone-agents explain`: shows the effective settings of an agent, where each comes from, and the accept
body.

Calls nobody, and shows no secret.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from runner.api.realtime import api as realtime
from runner.call.examples.call_for_agent import CallFinder, FixedParts, handoffs_to
from runner.call.examples.example_call import ExampleCall
from runner.call.machine.machine import CallMachine
from runner.call.machine.world import World
from runner.call.routes.routing import RouteTable
from runner.cli.call_options import add_parties, add_time, call_time, check_parties, later_words, time_words
from runner.cli.environment import add_directory, add_environment
from runner.cli.json_document import add_format, print_document
from runner.cli.main import OK, PROBLEMS
from runner.cli.problems import print_problems
from runner.cli.terminal import Style, Terminal, printable, stderr, stdout
from runner.config.checking.suggest import or_there_is
from runner.config.load import load
from runner.config.origins import MASK, Origins, Value, ValueOrigin
from runner.errors import UsageError
from runner.model.action import AnswerCall
from runner.model.agent import Agent
from runner.model.call import IncomingCall, Ringing
from runner.model.settings import Configuration
from runner.model.values import Json, JsonObject
from runner.wording import cut

WIDEST_VALUE = 48
"""A longer value is cut; `--format json` has it whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Explained:
    """Everything that is shown of an agent."""

    agent: Agent
    environment: str | None
    values: Sequence[Value]
    call: IncomingCall
    at: datetime
    later: str | None
    """Why the call comes at another time than requested."""
    why: str
    """Why the agent answers such a call, or why it would not."""
    accept: JsonObject | None
    problem: str
    """Why there is no accept body."""


def configure(parser: argparse.ArgumentParser) -> None:
    add_directory(parser)
    parser.add_argument("agent", metavar="AGENT", help="the agent to explain")
    add_parties(parser)
    add_time(parser)
    add_environment(parser)
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    """Explain one agent. Raises UsageError and CannotRunError."""
    loaded = load(options.directory, options.environment)
    print_problems(loaded.problems, loaded.sources, stderr())
    if loaded.configuration is None:
        return PROBLEMS
    agents = loaded.configuration.agents
    if options.agent not in agents:
        hint = or_there_is(options.agent, agents)
        raise UsageError(f'there is no agent "{options.agent}" in "{options.directory}"{hint}')
    origins = Origins(loaded.runner, options.environment)
    explained = _explained(options, loaded.configuration, origins.values(loaded.documents[options.agent]))
    if options.format == "json":
        print_document(_document(explained))
    else:
        _show(explained, stdout())
    if explained.accept is None:
        sys.stdout.flush()
        stderr().line(f"phone-agents explain: {printable(explained.problem)}")
        return PROBLEMS
    return OK


def _explained(
    options: argparse.Namespace, configuration: Configuration, values: Iterable[Value]
) -> _Explained:
    agent = configuration.agents[options.agent]
    instant = call_time(options.at)
    check_parties(options.caller, options.called)
    finder = CallFinder(
        configuration, instant.timestamp(), FixedParts(caller=options.caller, called=options.called)
    )
    example, why = _example(agent, finder, configuration)
    call = example.incoming(configuration.settings.routing)
    answer = _answer(agent, configuration, call)
    accept = (
        _masked(realtime.session_body(answer.agent, answer.instructions, answer.servers))
        if isinstance(answer, AnswerCall)
        else None
    )
    problem = "" if isinstance(answer, AnswerCall) else f"such a call would be rejected: {answer}"
    return _Explained(
        agent=agent,
        environment=options.environment,
        values=tuple(values),
        call=call,
        at=datetime.fromtimestamp(example.at, instant.tzinfo),
        later=later_words(finder, example, instant),
        why=why,
        accept=accept,
        problem=problem,
    )


def _example(agent: Agent, finder: CallFinder, configuration: Configuration) -> tuple[ExampleCall, str]:
    """A call that reaches the agent, if one was found, and why it does or does not."""
    example = finder.call_for(agent)
    if example is not None:
        return example, finder.match(example).why
    for handoff in handoffs_to(agent.id, configuration.agents):
        example = finder.call_for(handoff.agent)
        if example is not None:
            why = f'"{handoff.agent.id}" answers such a call, and hands it over with "{handoff.tool}"'
            return example, why
    example = finder.fixed.call(finder.now)
    return example, f"such a call would not reach the agent: {finder.match(example).why}"


def _answer(agent: Agent, configuration: Configuration, call: IncomingCall) -> AnswerCall | str:
    """The machine's own answer to the call; or why it rejects it."""
    world = World(
        agents=configuration.agents,
        # Whoever calls, this agent is explained.
        table=RouteTable.always(agent.id),
        routing=configuration.settings.routing,
        secrets=dict.fromkeys(configuration.settings.secrets, MASK),
    )
    ringing = Ringing(call_id=call.id, created_at=call.created_at, origin=call.origin)
    machine, answer = CallMachine.answer(ringing, world, call.created_at)
    return answer or machine.reception.detail


def _masked(body: dict[str, Json]) -> dict[str, Json]:
    """The body without the credentials of MCP servers, which may be literal."""
    tools = [_masked_server(tool) if tool["type"] == "mcp" else tool for tool in body.get("tools", ())]
    return {**body, "tools": tools} if tools else body


def _masked_server(server: JsonObject) -> JsonObject:
    masked = {**server}
    if "authorization" in server:
        masked["authorization"] = MASK
    if "headers" in server:
        masked["headers"] = dict.fromkeys(server["headers"], MASK)
    return masked


# JSON


def _document(explained: _Explained) -> dict[str, Json]:
    lookup = explained.agent.lookup
    return {
        "agent": explained.agent.id,
        "environment": explained.environment,
        "values": [
            {
                "path": ".".join(value.path),
                "value": value.value,
                "from": value.origin.value,
                "file": value.place.file if value.place else None,
                "line": value.place.line if value.place else None,
                "column": value.place.column if value.place else None,
            }
            for value in explained.values
        ],
        "call": {
            "from": explained.call.caller.number or explained.call.caller.uri,
            "to": explained.call.called.number or explained.call.called.uri,
            "at": explained.at.isoformat(),
            "later": explained.later,
            "why": explained.why,
        },
        "lookup": None if lookup is None else {"default": lookup.default},
        "accept": explained.accept,
        "problem": explained.problem or None,
    }


# Text


def _show(explained: _Explained, terminal: Terminal) -> None:
    agent = explained.agent
    title = f"{agent.id}: {agent.description}" if agent.description else agent.id
    terminal.line(terminal.styled(_flat(title), Style.BOLD))
    _show_values(explained, terminal)
    _heading("call", terminal)
    caller, called = explained.call.caller, explained.call.called
    _row("from", caller.number or caller.uri, terminal)
    _row("to", called.number or called.uri, terminal)
    _row("at", time_words(explained.at), terminal)
    if explained.later is not None:
        _row("", explained.later, terminal)
    _row("why", explained.why, terminal)
    if agent.lookup is not None:
        _row("lookup", f"not asked here; its default is used: {_as_json(agent.lookup.default)}", terminal)
    if explained.accept is not None:
        _heading("accepted with", terminal)
        for line in json.dumps(explained.accept, indent=2, ensure_ascii=False).split("\n"):
            terminal.line(printable(line))


def _show_values(explained: _Explained, terminal: Terminal) -> None:
    """Each section under its name: the top of the document, then each mapping and tool."""
    sections: dict[str, list[Value]] = {}
    for value in explained.values:
        sections.setdefault(value.path[0] if len(value.path) > 1 else "agent", []).append(value)
    names = [".".join(_below(value)) for value in explained.values]
    texts = [_cut(_text(value.value)) for value in explained.values]
    wide_name, wide_text = max(map(len, names)), max(map(len, texts))
    for section, values in sections.items():
        _heading(section, terminal)
        for value in values:
            name, text = ".".join(_below(value)), _cut(_text(value.value))
            terminal.line(
                f"  {terminal.styled(printable(f'{name:{wide_name}}'), Style.NAME)}  {text:{wide_text}}  "
                + terminal.styled(_whence(value, explained.environment), Style.DIM)
            )


def _below(value: Value) -> tuple[str, ...]:
    return value.path[1:] or value.path


def _whence(value: Value, environment: str | None) -> str:
    place = printable(str(value.place)) if value.place is not None else ""
    match value.origin:
        case ValueOrigin.AGENT:
            return place
        case ValueOrigin.BUILT_IN:
            return ValueOrigin.BUILT_IN.value
        case ValueOrigin.ENVIRONMENT:
            return f'{place} (environment "{environment}")'
        case _:
            return f"{place} ({value.origin.value})"


def _heading(text: str, terminal: Terminal) -> None:
    terminal.line()
    terminal.line(terminal.styled(printable(text), Style.BOLD))


def _row(name: str, text: str, terminal: Terminal) -> None:
    terminal.line(f"  {terminal.styled(f'{name:6}', Style.NAME)}  {_flat(text)}")


def _text(value: Json) -> str:
    return str(value) if isinstance(value, str) else _as_json(value)


def _as_json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)


def _cut(text: str) -> str:
    return cut(_flat(text), WIDEST_VALUE)


def _flat(text: str) -> str:
    return printable(" ".join(text.split()))
