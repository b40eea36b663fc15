"""What has happened in a call that is played, in its order: what expectations are held against."""

from dataclasses import dataclass
from typing import TypeAlias

from runner.model.http import HttpRequest


@dataclass(frozen=True, slots=True)
class Said:
    """The caller has heard a sentence."""

    text: str


@dataclass(frozen=True, slots=True)
class Told:
    """The model was given an instruction."""

    text: str


@dataclass(frozen=True, slots=True)
class Sent:
    """One attempt of a request. `key` is the same for all attempts of one request."""

    key: str
    tool: str
    request: HttpRequest


@dataclass(frozen=True, slots=True)
class Given:
    """The model was given the output of a tool."""

    tool: str
    output: str


@dataclass(frozen=True, slots=True)
class HandedOver:
    """Another agent has taken over."""

    agent: str


@dataclass(frozen=True, slots=True)
class Referred:
    """A transfer was asked for."""

    target: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The call has ended."""

    reason: str


Happened: TypeAlias = Said | Told | Sent | Given | HandedOver | Referred | Ended
