"""The log of a played call, entry by entry, which expectations are compared with."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from runner.api.port import SidebandAction
from runner.model.action import AddItem, SendOutput, Speak, SwitchAgent
from runner.model.http import HttpRequest


class LogKind(Enum):
    """What an entry is about. The value is its name in `order`."""

    SENTENCE = "says"
    """The agent says a sentence declared by the user."""
    INSTRUCTION = "tells"
    """The model is given an instruction."""
    HANDOFF = "handoff"
    TRANSFER = "transfer"
    END = "ended"


@dataclass(frozen=True, slots=True)
class Noted:
    """An entry of one text: words, an agent, an address, the reason of an end."""

    kind: LogKind
    text: str


@dataclass(frozen=True, slots=True)
class LoggedAttempt:
    """One attempt of a request. `key` is the same for all attempts of one request."""

    key: str
    tool: str
    request: HttpRequest


@dataclass(frozen=True, slots=True)
class Output:
    """The model is given the output of a tool. `call` counts the tool calls of the conversation."""

    tool: str
    text: str
    call: int


LogEntry: TypeAlias = Noted | LoggedAttempt | Output


def entry_of(action: SidebandAction, tools: Mapping[str, str], instructions: str) -> LogEntry | None:
    """The entry for what the model is told; None for what expectations do not see.

    `tools` has the tool calls of the conversation, in order, and their tools. Instructions for one response
    come after the agent's `instructions`, which the entry leaves out.
    """
    match action:
        case Speak(say=str() as sentence):
            return Noted(LogKind.SENTENCE, sentence)
        case Speak(tell=str() as instruction):
            return Noted(LogKind.INSTRUCTION, instruction.replace(f"{instructions}\n\n", ""))
        case AddItem(text=text, as_caller=False):
            return Noted(LogKind.INSTRUCTION, text)
        case SendOutput(call_id=call_id, output=output):
            return Output(tools[call_id], output, list(tools).index(call_id))
        case SwitchAgent(before=before, agent=agent) if agent is not before:
            return Noted(LogKind.HANDOFF, agent.id)
        case _:
            return None
