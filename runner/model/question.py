"""A question to a text model about a call that is over, and its result."""

from dataclasses import dataclass, field
from typing import TypeAlias

from runner.model.values import Json, JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The question: `text` is read under `instructions`, and answered with JSON that fits `schema`."""

    model: str
    instructions: str
    text: str = field(repr=False)
    schema: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The model's answer, as JSON."""

    value: Json = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAnswer:
    """The model could not be asked, or its API refused. `hopeless`: it would refuse the question again."""

    error: str
    hopeless: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UselessAnswer:
    """The model answered, and the answer cannot be used. Another attempt may do better."""

    error: str


Answer: TypeAlias = Answered | NoAnswer | UselessAnswer
