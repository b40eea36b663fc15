"""What happens in a call that is played, entry by entry: what expectations are held against."""

from dataclasses import dataclass
from typing import TypeAlias

from runner.model.http import HttpRequest


@dataclass(frozen=True, slots=True)
class Sentence:
    """The agent says a sentence of the user's."""

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
    """The model is given the output of a tool."""

    tool: str
    text: str


@dataclass(frozen=True, slots=True)
class Handoff:
    """Another agent takes over."""

    agent: str


@dataclass(frozen=True, slots=True)
class Referral:
    """A transfer is asked for."""

    target: str


@dataclass(frozen=True, slots=True)
class End:
    """The call ends."""

    reason: str


LogEntry: TypeAlias = Sentence | Instruction | Attempt | Output | Handoff | Referral | End
