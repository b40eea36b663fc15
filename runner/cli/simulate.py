"""`phone-agents simulate`: a whole call on the real server, against a stand-in for the voice API."""

import argparse
import asyncio
import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from runner.call.records.record_json import encode
from runner.call.routes.routing import RouteTable
from runner.cli.call_view import CallView
from runner.cli.environment import add_environment
from runner.cli.main import OK, PROBLEMS
from runner.cli.problems import print_problems
from runner.cli.terminal import Style, stderr, stdout
from runner.config.checking.suggest import did_you_mean
from runner.config.load import load
from runner.demo.default_script import ReachedByHandoff, RequestedTool, default_script, parse_requested
from runner.demo.demo_call import DemoResult, Plan, placeholders, play_call, problems_of
from runner.demo.example_call import CALLED, CALLER, ExampleCall, agent_of, example_call
from runner.demo.timeline import TimelineEntry
from runner.errors import CannotRunError, UsageError
from runner.model.agent import Agent
from runner.model.settings import Configuration, Provider, SecretRef
from runner.model.tool import HandoffBinding
from runner.model.values import Instant, Json
from runner.serve import logs
from runner.serve.secrets import find_secrets

JSON_VERSION = 1
"""Of the document that `--format json` prints. Keys may be added; a change of meaning raises it."""
PLEASANT_SPEED = 6.0
"""A call of half a minute is watched in five seconds."""


class _NobodyAnswersError(Exception):
    """No agent is to be seen with these options. The text says why, and what would help."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "directory",
        nargs="?",
        type=Path,
        default=Path("agents"),
        metavar="DIR",
        help="the configuration directory (default: agents)",
    )
    add_environment(parser)
    parser.add_argument("--agent", metavar="NAME", help="the agent to call")
    parser.add_argument("--from", dest="caller", metavar="N", help="who calls: a number, or a sip: address")
    parser.add_argument("--to", dest="called", metavar="N", help="the number or sip: address that is dialled")
    parser.add_argument(
        "--call",
        action="append",
        default=[],
        metavar="TOOL={JSON}",
        help="a tool for the model to call, with these arguments; may be repeated (default: every tool once)",
    )
    parser.add_argument(
        "--live-tools",
        action="store_true",
        help="send the requests of tools, and deliveries, to their real endpoints",
    )
    parser.add_argument(
        "--speed",
        type=_speed,
        metavar="X",
        help="how many times faster than people speak; 0 does not wait (default: 6 on a terminal, else 0)",
    )
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="how to print (default: text)"
    )


def run(options: argparse.Namespace) -> int:
    """Play one call. Raises UsageError and CannotRunError."""
    loaded = load(options.directory, options.environment)
    print_problems(loaded.problems, loaded.sources, stderr())
    if loaded.configuration is None:
        return PROBLEMS
    # What goes wrong in the call is shown as part of it; an error in the log is a fault of our own.
    logs.configure(sys.stderr, json=False, level=logging.ERROR)
    try:
        plan = _plan(options, loaded.configuration)
    except _NobodyAnswersError as error:
        stderr().line(f"phone-agents simulate: {error}")
        return PROBLEMS
    return _print_json(plan) if options.format == "json" else _print_text(plan)


def _print_text(plan: Plan) -> int:
    view = CallView(stdout(), shutil.get_terminal_size().columns)
    call = plan.example.incoming(plan.configuration.settings.routing)
    match = RouteTable.of(plan.configuration).match(call, plan.example.at)
    schedule = plan.configuration.settings.schedules.get(plan.example.waits_for or "")
    zone = schedule.timezone if schedule else ZoneInfo("UTC")
    view.introduce(call, match, plan.agent, plan.example, zone)

    def show(entry: TimelineEntry) -> None:
        view.show(entry)
        sys.stdout.flush()

    result = asyncio.run(play_call(plan, show))
    view.conclude(result.record, result.entries[-1].at_s)
    view.remark("note", result.notes, Style.DIM)
    problems = problems_of(plan.play, result)
    view.remark("wrong", problems, Style.ERROR)
    return PROBLEMS if problems else OK


def _print_json(plan: Plan) -> int:
    result = asyncio.run(play_call(plan, lambda _: None))
    problems = problems_of(plan.play, result)
    json.dump(_document(plan, result, problems), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
    return PROBLEMS if problems else OK


def _document(plan: Plan, result: DemoResult, problems: Sequence[str]) -> dict[str, Json]:
    return {
        "version": JSON_VERSION,
        "call": {"from": plan.example.caller, "to": plan.example.called, "at": plan.example.at},
        "agent": plan.agent.id,
        "conversation": [
            {
                "at_s": round(entry.at_s, 3),
                "what": entry.what.value,
                "text": entry.text,
                "tool_call_id": entry.tool_call_id,
                "ok": entry.ok,
                "took_s": entry.took_s,
            }
            for entry in result.entries
        ],
        "requests": [
            {
                "tool": request.tool,
                "tool_call_id": request.tool_call_id,
                "method": request.method,
                "url": request.url,
            }
            for request in result.requests
        ],
        "outcome": result.outcome,
        "deliveries": [{"method": delivery.method, "url": delivery.url} for delivery in result.deliveries],
        "record": json.loads(encode(result.record)) if result.record else None,
        "notes": result.notes,
        "problems": list(problems),
    }


# What to play.


def _plan(options: argparse.Namespace, configuration: Configuration) -> Plan:
    now = time.time()
    agent, example, by = _chosen(options, configuration, now)
    played = agent if by is None else configuration.agents[options.agent]
    asked = [_asked(text, played) for text in options.call]
    watched = options.format == "text" and sys.stdout.isatty()
    speed = options.speed if options.speed is not None else PLEASANT_SPEED * watched
    return Plan(
        configuration=configuration,
        agent=agent,
        played=played,
        example=example,
        play=default_script(played, asked, datetime.fromtimestamp(example.at, UTC).date(), by),
        tool_secrets=_live_secrets(configuration) if options.live_tools else placeholders(configuration),
        live_tools=options.live_tools,
        pace=1 / speed if speed else 0.0,
    )


def _chosen(
    options: argparse.Namespace, configuration: Configuration, now: Instant
) -> tuple[Agent, ExampleCall, ReachedByHandoff | None]:
    agents, table = configuration.agents, RouteTable.of(configuration)
    caller, called = options.caller, options.called
    if not agents:
        raise CannotRunError(f'there is no agent in "{configuration.directory}"')
    if options.agent is not None and options.agent not in agents:
        raise UsageError(f'there is no agent "{options.agent}"{did_you_mean(options.agent, agents)}')
    if options.agent is None and called is not None:
        example = ExampleCall(caller=caller or CALLER, called=called, at=now)
        name = agent_of(example, configuration, table)
        if name is None:
            raise _NobodyAnswersError(_why_nobody(example, configuration, table))
        return agents[name], example, None

    def example_of(name: str) -> ExampleCall | None:
        return example_call(name, configuration, table, now, caller=caller, called=called)

    wanted = [options.agent] if options.agent else list(agents)
    examples = [(agents[name], found) for name in wanted if (found := example_of(name))]
    if examples:
        return *min(examples, key=lambda found: found[1].at), None
    for answering, tool in _hand_offs_to(options.agent, agents.values()):
        if (handed := example_of(answering.id)) is not None:
            return answering, handed, ReachedByHandoff(answering=answering, tool=tool)
    raise _NobodyAnswersError(_why_none(options, configuration, table, now))


def _hand_offs_to(name: str | None, agents: Iterable[Agent]) -> Iterator[tuple[Agent, str]]:
    """The agents that hand calls to this one, each with its tool for it."""
    for agent in agents:
        for tool in agent.tools:
            if isinstance(tool.binding, HandoffBinding) and tool.binding.agent == name:
                yield agent, tool.name


def _why_nobody(example: ExampleCall, configuration: Configuration, table: RouteTable) -> str:
    match = table.match(example.incoming(configuration.settings.routing), example.at)
    return (
        f'nobody answers a call from "{example.caller}" to "{example.called}" now: {match.why}; '
        "--agent NAME plays a call that this agent answers, at a time when it does"
    )


def _why_none(
    options: argparse.Namespace, configuration: Configuration, table: RouteTable, now: Instant
) -> str:
    who = f'"{options.agent}"' if options.agent else "any agent"
    if options.caller is None and options.called is None:
        return f"no call was found that {who} answers; say which with --from and --to"
    example = ExampleCall(caller=options.caller or CALLER, called=options.called or CALLED, at=now)
    match = table.match(example.incoming(configuration.settings.routing), now)
    answered = f'"{match.agent}" answers it' if match.agent else "nobody answers it"
    return (
        f'{who} does not answer a call from "{example.caller}" to "{example.called}": {answered}: {match.why}'
    )


def _asked(text: str, agent: Agent) -> RequestedTool:
    try:
        asked = parse_requested(text)
    except ValueError as error:
        raise UsageError(f"--call: {error}") from None
    names = [tool.name for tool in agent.tools]
    if asked.tool not in names:
        hint = did_you_mean(asked.tool, names)
        raise UsageError(f'--call: agent "{agent.id}" has no tool "{asked.tool}"{hint}')
    return asked


def _live_secrets(configuration: Configuration) -> dict[str, str]:
    """The tools' own secrets. Those of the voice API are not needed: it is a stand-in."""
    provider = Provider(api_key=SecretRef(env="STAND_IN"), webhook_secrets=())
    settings = replace(configuration.settings, provider=provider)
    return dict(find_secrets(settings, {**os.environ, "STAND_IN": "unused"}).tools)


def _speed(text: str) -> float:
    speed = float(text)
    if not 0 <= speed <= 1000:
        raise argparse.ArgumentTypeError("must be between 0 and 1000")
    return speed
