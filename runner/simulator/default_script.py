"""The call that `simulate` plays unless told otherwise: each tool of an agent once, then goodbye. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from runner.call.arguments import check_arguments
from runner.model.agent import Agent, Say, Wait
from runner.model.tool import HangupBinding, Tool, TransferBinding
from runner.model.values import JsonObject
from runner.simulator.arguments import example_arguments
from runner.simulator.faults import FINE, Faults, HttpFault
from runner.simulator.script import Answer, CallerHangsUp, CallerSays, Script, Step, calls, greets, says

OPENING = "Hello! I have a question."
GREETING = "Hello! How can I help you?"
"""Where the greeting is left to the model's own words."""
OFFER = "Is there anything else I can do for you?"
GOODBYE = "No, that is all. Thank you, goodbye!"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedCall:
    """A tool call that the user wants to see."""

    tool: str
    arguments: JsonObject | None = None
    """None: made from the tool's parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultScript:
    """A script, what has to go wrong for it, and what the user should know about it."""

    script: Script
    faults: Faults = FINE
    notes: tuple[str, ...] = ()
    tools: tuple[str, ...] = field(default=())
    """The tools that are called, in order."""


def default_script(agent: Agent, asked: Sequence[AskedCall], today: date) -> DefaultScript:
    """The greeting, a caller's line, every tool (or those asked for) once, and the end of the call.

    What ends the call comes last. Of several such tools only the last can end it, so the transfers before
    it are played as not completed.
    """
    notes: list[str] = []
    chosen = list(asked) or [AskedCall(tool=tool.name) for tool in agent.tools]
    ordered = sorted(chosen, key=lambda call: _rank(agent.tool(call.tool)))
    ending = [call for call in ordered if _rank(agent.tool(call.tool))]
    working = [call for call in ordered if not _rank(agent.tool(call.tool))]
    script: list[Step] = [_greeting(agent)] if not isinstance(agent.greeting, Wait) else []
    script.append(CallerSays(text=OPENING))
    script += [_answer(agent, call, today, notes) for call in working]
    script += [says(OFFER), CallerSays(text=GOODBYE)]
    script += [_answer(agent, call, today, notes) for call in ending[:-1] if _is_transfer(agent, call)]
    script += [_answer(agent, call, today, notes) for call in ending[-1:]]
    if not ending:
        script += [says("Goodbye!"), CallerHangsUp()]
    failing = [call.tool for call in ending[:-1] if _is_transfer(agent, call)]
    notes += [
        f'"{tool}" is played as not completed, so that "{ending[-1].tool}" can be called after it'
        for tool in failing
    ]
    notes += [
        f'"{call.tool}" is left out: "{ending[-1].tool}" ends the call'
        for call in ending[:-1]
        if not _is_transfer(agent, call)
    ]
    return DefaultScript(
        script=tuple(script),
        faults=Faults(refer=(HttpFault(status=400),) * len(failing)),
        notes=tuple(notes),
        tools=tuple(call.tool for call in ordered),
    )


def parse_asked(text: str) -> AskedCall:
    """`tool` or `tool={json object}`. Raises ValueError, with what would be right."""
    name, equals, given = text.partition("=")
    if not equals:
        return AskedCall(tool=name)
    try:
        arguments = json.loads(given)
    except ValueError:
        raise ValueError(f'"{given}" is not JSON; write {name}=\'{{"key": "value"}}\'') from None
    if not isinstance(arguments, Mapping):
        raise ValueError(f'the arguments of "{name}" must be a JSON object, not {given}')
    return AskedCall(tool=name, arguments=arguments)


def _greeting(agent: Agent) -> Answer:
    return greets() if isinstance(agent.greeting, Say) else greets(GREETING)


def _answer(agent: Agent, call: AskedCall, today: date, notes: list[str]) -> Answer:
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


def _is_transfer(agent: Agent, call: AskedCall) -> bool:
    tool = agent.tool(call.tool)
    return tool is not None and isinstance(tool.binding, TransferBinding)


def _rank(tool: Tool | None) -> int:
    """0 for what leaves the call running, then transfers, then hang-ups."""
    if tool is None:
        return 0
    return 2 if isinstance(tool.binding, HangupBinding) else int(isinstance(tool.binding, TransferBinding))
