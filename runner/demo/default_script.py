"""Writes the script of `simulate`'s default call: each tool of an agent once, then goodbye. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from runner.call.examples.call_for_agent import HandoffTo
from runner.call.schemas.example_arguments import example_arguments
from runner.call.tools.arguments import check_arguments
from runner.model.agent import Agent, Say, Wait
from runner.model.tool import Binding, HangupBinding, TransferBinding
from runner.model.values import JsonObject
from runner.standin.faults import FINE, Faults, HttpFault
from runner.standin.script import (
    CallerHangsUp,
    CallerSays,
    Script,
    ScriptedResponse,
    ScriptStep,
    calls,
    greets,
    says,
)

OPENING = "Hello! I have a question."
GREETING = "Hello! How can I help you?"
"""Used where the greeting is left to the model's own words."""
OTHER = "Could somebody else help me with this?"
OFFER = "Is there anything else I can do for you?"
WISH = "Could you put me through to somebody, please?"
SORRY = "I am sorry, nobody picked up."
GOODBYE = "That is all. Thank you, goodbye!"
SAYING_GOODBYE = "Goodbye!"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedTool:
    """A tool call that the user wants to see."""

    tool: str
    arguments: JsonObject | None = None
    """None: made up from the tool's parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultScript:
    """A script, the faults that it needs, and what the user should know about it."""

    script: Script
    faults: Faults = FINE
    notes: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    """The tools that are called."""
    failing: tuple[str, ...] = ()
    """Transfers among them that are played as not completed."""


def default_script(
    agent: Agent, requested: Sequence[RequestedTool], today: date, by: HandoffTo | None = None
) -> DefaultScript:
    """The greeting, a caller's line, every tool (or the requested ones) once, and the end of the call.

    What ends the call comes last. Only one tool can end it, so transfers before that are played as not
    completed, and further hang-ups are left out. Hand-offs are played only on request: the tools after one
    would be another agent's.
    """
    notes: list[str] = []
    chosen = list(requested) or [
        RequestedTool(tool=tool.name) for tool in agent.tools if tool.binding.hands_to is None
    ]
    if not requested:
        notes += [
            f'"{tool.name}" hands the call to "{tool.binding.hands_to}"; --call {tool.name} plays that'
            for tool in agent.tools
            if tool.binding.hands_to is not None
        ]
    transfers = [call for call in chosen if _is_bound(agent, call, TransferBinding)]
    hangups = [call for call in chosen if _is_bound(agent, call, HangupBinding)]
    working = [call for call in chosen if call not in transfers and call not in hangups]
    failing = transfers if hangups else transfers[:-1]

    def answers(some: Sequence[RequestedTool]) -> list[ScriptStep]:
        return [_answer(agent, call, today, notes) for call in some]

    answering = agent if by is None else by.agent
    script: list[ScriptStep] = [_greeting(answering)] if not isinstance(answering.greeting, Wait) else []
    script.append(CallerSays(text=OPENING if by is None else OTHER))
    script += [calls(by.tool, {})] if by is not None else []
    script += [*answers(working), says(OFFER)]
    if transfers:
        script += [CallerSays(text=WISH), *answers(transfers)]
    if transfers and hangups:
        script.append(says(SORRY))
    if hangups or not transfers:
        script.append(CallerSays(text=GOODBYE))
    script += answers(hangups[:1])
    if not transfers and not hangups:
        script += [says(SAYING_GOODBYE), CallerHangsUp()]
    last = (hangups[:1] or transfers[-1:] or working[-1:])[-1].tool if chosen else ""
    notes += [
        f'"{call.tool}" is played as not completed, so that "{last}" can be called after it'
        for call in failing
    ]
    notes += [f'"{call.tool}" is not called: "{last}" ends the call' for call in hangups[1:]]
    return DefaultScript(
        script=tuple(script),
        faults=Faults(refer=(HttpFault(status=400),) * sum(_tries(agent, call) for call in failing)),
        notes=tuple(notes),
        tools=tuple(call.tool for call in (*working, *transfers, *hangups[:1])),
        failing=tuple(call.tool for call in failing),
    )


def parse_requested(text: str) -> RequestedTool:
    """`tool` or `tool={json object}`. Raises ValueError, with what would be right."""
    name, equals, json_text = text.partition("=")
    if not equals:
        return RequestedTool(tool=name)
    try:
        arguments = json.loads(json_text)
    except ValueError:
        raise ValueError(f'"{json_text}" is not JSON; write {name}=\'{{"key": "value"}}\'') from None
    if not isinstance(arguments, Mapping):
        raise ValueError(f'the arguments of "{name}" must be a JSON object, not {json_text}')
    return RequestedTool(tool=name, arguments=arguments)


def _greeting(agent: Agent) -> ScriptedResponse:
    return greets() if isinstance(agent.greeting, Say) else greets(GREETING)


def _answer(agent: Agent, call: RequestedTool, today: date, notes: list[str]) -> ScriptedResponse:
    tool = agent.tool(call.tool)
    if call.arguments is not None or tool is None:
        return calls(call.tool, call.arguments or {})
    arguments = example_arguments(tool.parameters, today)
    wrong = check_arguments(tool, json.dumps(arguments))
    if isinstance(wrong, str):
        notes.append(
            f'no arguments for "{tool.name}" could be made up ({wrong}); '
            f"add examples to its parameters, or --call '{tool.name}={{…}}'"
        )
    return calls(tool.name, arguments)


def _tries(agent: Agent, call: RequestedTool) -> int:
    """The number of addresses that a transfer tries."""
    tool = agent.tool(call.tool)
    if tool is None or not isinstance(tool.binding, TransferBinding):
        return 0
    first = (call.arguments or {}).get("destination", next(iter(tool.binding.destinations)))
    return 1 if tool.binding.fallback in (None, first) else 2


def _is_bound(agent: Agent, call: RequestedTool, binding: type[Binding]) -> bool:
    tool = agent.tool(call.tool)
    return tool is not None and isinstance(tool.binding, binding)
