"""`phone-agents simulate`: plays a whole call on the real server, against a stand-in for the voice API."""

import argparse
import asyncio
import json
import logging
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from runner.call.browser.agents import on_the_web
from runner.call.examples.call_for_agent import CallFinder, FixedParts, HandoffTo, handoffs_to
from runner.call.examples.example_call import ExampleCall
from runner.call.records.record_json import encode
from runner.cli.call_options import (
    add_headers,
    add_parties,
    add_time,
    call_headers,
    call_time,
    check_parties,
    later_words,
    time_words,
)
from runner.cli.call_view import CallPrinter
from runner.cli.environment import add_directory, add_environment
from runner.cli.json_document import add_format, print_document
from runner.cli.main import OK, PROBLEMS
from runner.cli.problems import print_problems
from runner.cli.terminal import Style, stderr, stdout
from runner.config.checking.suggest import did_you_mean, or_there_is
from runner.config.load import load
from runner.demo.default_script import RequestedTool, default_script, parse_requested
from runner.demo.demo_call import DemoCall, Plan, placeholders
from runner.demo.demo_result import DemoResult, problems_of
from runner.demo.timeline import TimelineEntry
from runner.errors import CannotRunError, UsageError
from runner.model.agent import Agent
from runner.model.call import Transport
from runner.model.settings import Configuration, Provider, SecretRef
from runner.model.values import Json
from runner.serve import logs
from runner.serve.secrets import find_secrets

PLEASANT_SPEED = 6.0
"""At this speed a call of half a minute takes five seconds to watch."""


class _NobodyAnswersError(Exception):
    """No agent answers with these options. The text says why, and what would help."""


_TEMPLATE = 'the template "'
"""In the faults of templates that fail."""


def configure(parser: argparse.ArgumentParser) -> None:
    add_directory(parser)
    add_environment(parser)
    parser.add_argument("--agent", metavar="NAME", help="the agent to call")
    add_parties(parser)
    add_headers(parser)
    add_time(parser)
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
        help="times as fast as people speak; 0 does not wait (default: 6 on a terminal, else 0)",
    )
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    """Play one call. Raises UsageError and CannotRunError."""
    loaded = load(options.directory, options.environment)
    print_problems(loaded.problems, loaded.sources, stderr())
    if loaded.configuration is None:
        return PROBLEMS
    # Errors in the call are shown as part of it; an error in the log is a fault of our own.
    logs.configure(sys.stderr, json=False, level=logging.ERROR)
    try:
        prepared = _prepared(options, loaded.configuration)
    except _NobodyAnswersError as error:
        stderr().line(f"phone-agents simulate: {error}")
        return PROBLEMS
    return _print_json(prepared) if options.format == "json" else _print_text(prepared)


def _print_text(prepared: "_Prepared") -> int:
    view, plan = CallPrinter(stdout(), shutil.get_terminal_size().columns), prepared.plan
    agent = plan.agent
    title = f"{agent.id}: {agent.description}" if agent.description else agent.id
    view.introduce(title, [prepared.why, prepared.found_in, prepared.when])

    def show(entry: TimelineEntry) -> None:
        view.show(entry)
        sys.stdout.flush()

    result = asyncio.run(DemoCall(plan, show).play())
    view.conclude(result.record, result.entries[-1].at_s)
    faults = result.record.faults if result.record is not None else ()
    # A transfer that is played as not completed is a note.
    view.remark("fault", [fault for fault in faults if _TEMPLATE in fault], Style.ERROR)
    view.remark("note", result.notes, Style.DIM)
    problems = problems_of(plan.play, result)
    view.remark("wrong", problems, Style.ERROR)
    return PROBLEMS if problems else OK


def _print_json(prepared: "_Prepared") -> int:
    result = asyncio.run(DemoCall(prepared.plan, lambda _: None).play())
    problems = problems_of(prepared.plan.play, result)
    print_document(_document(prepared, result, problems))
    return PROBLEMS if problems else OK


def _document(prepared: "_Prepared", result: DemoResult, problems: Sequence[str]) -> dict[str, Json]:
    plan = prepared.plan
    return {
        "call": {
            "from": plan.example.caller,
            "to": plan.example.called,
            "headers": [list(header) for header in plan.example.headers],
            "at": plan.example.at,
            "when": prepared.when,
        },
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
        "requests": list(map(asdict, result.requests)),
        "outcome": result.outcome,
        "deliveries": [{"method": delivery.method, "url": delivery.url} for delivery in result.deliveries],
        "record": json.loads(encode(result.record)) if result.record else None,
        "notes": result.notes,
        "problems": list(problems),
    }


# The call to play


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """A call that is ready to play, and the remarks before it."""

    plan: Plan
    why: str
    """Why this agent answers."""
    found_in: str
    when: str


def _prepared(options: argparse.Namespace, configuration: Configuration) -> _Prepared:
    instant = call_time(options.at)
    check_parties(options.caller, options.called, options.header)
    fixed = FixedParts(caller=options.caller, called=options.called, headers=call_headers(options.header))
    finder = CallFinder(configuration, instant.timestamp(), fixed)
    agent, example, by = _chosen(options.agent, configuration, finder, instant)
    played = agent if by is None else configuration.agents[options.agent]
    met = on_the_web(played) if example.transport is Transport.WEBRTC else played
    tools = [_requested(text, met) for text in options.call]
    watched = options.format == "text" and sys.stdout.isatty()
    speed = options.speed if options.speed is not None else PLEASANT_SPEED * watched
    found_in = example.incoming(configuration.settings.routing).called_found_in
    return _Prepared(
        plan=Plan(
            configuration=configuration,
            agent=agent,
            played=played,
            example=example,
            play=default_script(met, tools, datetime.fromtimestamp(example.at, UTC).date(), by),
            tool_secrets=_live_secrets(configuration) if options.live_tools else placeholders(configuration),
            live_tools=options.live_tools,
            pace=1 / speed if speed else 0.0,
        ),
        why=finder.match(example).why,
        found_in=f"the dialled number is in {found_in}" if found_in else "a browser calls",
        when=later_words(finder, example, instant) or f"the call comes at {time_words(instant)}",
    )


def _chosen(
    name: str | None, configuration: Configuration, finder: CallFinder, instant: datetime
) -> tuple[Agent, ExampleCall, HandoffTo | None]:
    """Who answers which call, and how it gets from there to the requested agent."""
    agents = configuration.agents
    if not agents:
        raise CannotRunError(f'there is no agent in "{configuration.directory}"')
    if name is not None and name not in agents:
        raise UsageError(f'there is no agent "{name}"{or_there_is(name, agents)}')
    if name is None and finder.fixed.called is not None:
        example = finder.fixed.call(finder.now)
        answering = finder.match(example).agent
        if answering is None:
            raise _NobodyAnswersError(_why_nobody(finder, instant))
        return agents[answering], example, None
    wanted = [agents[name]] if name is not None else list(agents.values())
    calls = [(agent, call) for agent in wanted if (call := finder.call_for(agent)) is not None]
    if calls:
        return *min(calls, key=lambda one: one[1].at), None
    for handoff in handoffs_to(name, agents) if name is not None else ():
        if (handed := finder.call_for(handoff.agent)) is not None:
            return handoff.agent, handed, handoff
    raise _NobodyAnswersError(_why_none(name, finder, instant))


def _why_nobody(finder: CallFinder, instant: datetime) -> str:
    example = finder.fixed.call(finder.now)
    return (
        f'nobody answers a call from "{example.caller}" to "{example.called}" at {time_words(instant)}: '
        f"{finder.match(example).why}; --agent NAME plays a call that this agent answers, at a time when it "
        "does"
    )


def _why_none(name: str | None, finder: CallFinder, instant: datetime) -> str:
    who = f'"{name}"' if name is not None else "any agent"
    if finder.fixed == FixedParts():
        return f"no call was found that {who} answers; say which with --from, --to and --header"
    example = finder.fixed.call(finder.now)
    match = finder.match(example)
    answered = f'"{match.agent}" answers it' if match.agent else "nobody answers it"
    return (
        f'no call from "{example.caller}" to "{example.called}" was found that {who} answers; '
        f"at {time_words(instant)} {answered}: {match.why}"
    )


def _requested(text: str, agent: Agent) -> RequestedTool:
    try:
        requested = parse_requested(text)
    except ValueError as error:
        raise UsageError(f"--call: {error}") from None
    names = [tool.name for tool in agent.tools]
    if requested.tool not in names:
        hint = did_you_mean(requested.tool, names)
        raise UsageError(f'--call: agent "{agent.id}" has no tool "{requested.tool}"{hint}')
    return requested


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
