"""The log of a played call, entry by entry, which expectations are compared with."""

from dataclasses import dataclass
from typing import TypeAlias

from runner.model.http import HttpRequest


@dataclass(frozen=True, slots=True)
class Sentence:
    """The agent says a sentence declared by the user."""

    text: str


@dataclass(frozen=True, slots=True)
class Instruction:
    """The model is given an instruction."""

    text: str


@dataclass(frozen=True, slots=True)
class Attempt:
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


@dataclass(frozen=True, slots=True)
class Handoff:
    """The call is handed off to another agent."""

    agent: str


@dataclass(frozen=True, slots=True)
class Referral:
    """A transfer is requested."""

    target: str


@dataclass(frozen=True, slots=True)
class End:
    """The call ends."""

    reason: str


LogEntry: TypeAlias = Sentence | Instruction | Attempt | Output | Handoff | Referral | End
