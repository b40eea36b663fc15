"""The acts of a person, or of a program in their name, on a live call.

`NAME` is the name of an act in paths, records and scenarios, and its fields are the keys of its JSON object.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum
from typing import ClassVar, TypeAlias, get_args

from runner.model.values import Json, JsonObject


class SentenceTiming(Enum):
    """When a person's sentence is said."""

    PAUSE = "pause"
    """At the next pause, after what the agent already has to say."""
    NOW = "now"
    """Before everything else; the agent is interrupted for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SaySentence:
    """Say this to the caller, word for word, in the agent's voice."""

    NAME: ClassVar = "say"

    say: str
    when: SentenceTiming = SentenceTiming.PAUSE


@dataclass(frozen=True, slots=True, kw_only=True)
class TellAgent:
    """Add an instruction to the conversation, unheard by the caller; `speak` asks the agent to continue."""

    NAME: ClassVar = "tell"

    tell: str
    speak: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hush:
    """Interrupt the agent and drop what waits to be said."""

    NAME: ClassVar = "hush"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetVariables:
    """Set variables of the call, from the next tool call and the next template on."""

    NAME: ClassVar = "vars"

    set: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeInstructions:
    """Add to the instructions, or replace them; exactly one. Plain text, never a template.

    Added text survives hand-offs; replaced instructions end with the agent.
    """

    NAME: ClassVar = "instructions"

    add: str | None = None
    replace: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeAgent:
    """Hand the call to another agent; `speak` asks it to continue."""

    NAME: ClassVar = "handoff"

    agent: str
    speak: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferCall:
    """Transfer the call: to a destination that an agent declares, or to one of `server.admin.transfer_to`."""

    NAME: ClassVar = "transfer"

    to: str
    say: str | None = None
    """Said before the call leaves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndCall:
    """Hang up, at once or after this sentence."""

    NAME: ClassVar = "hangup"

    say: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeOver:
    """Lead the call: the agent says nothing of its own for `for_s` seconds, unless the lease is renewed."""

    NAME: ClassVar = "take-over"

    for_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveBack:
    """Let the agent lead the call again; `speak` asks it to continue."""

    NAME: ClassVar = "give-back"

    speak: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AddNote:
    """Write this into the call's record. Neither caller nor agent learns of it."""

    NAME: ClassVar = "note"

    text: str


SteeringAct: TypeAlias = (
    SaySentence
    | TellAgent
    | Hush
    | SetVariables
    | ChangeInstructions
    | ChangeAgent
    | TransferCall
    | EndCall
    | TakeOver
    | GiveBack
    | AddNote
)

ACTS: Mapping[str, type[SteeringAct]] = {kind.NAME: kind for kind in get_args(SteeringAct)}
"""The acts by their names."""


def act_of(name: str, fields: JsonObject) -> SteeringAct:
    """The act of this name with these fields, which were checked before."""
    known = dict(fields)
    if "when" in known:
        known["when"] = SentenceTiming(known["when"])
    return ACTS[name](**known)


def act_fields(act: SteeringAct) -> dict[str, Json]:
    """The fields of the act as JSON, without those that were left out."""
    values = {each.name: getattr(act, each.name) for each in fields(act)}
    return {
        name: value.value if isinstance(value, SentenceTiming) else value
        for name, value in values.items()
        if value is not None
    }


class DeedResult(Enum):
    """The result of a person's act."""

    WAITING = "waiting"
    """It is in progress, or waits: for a pause, for the sideband, for the voice API."""
    DONE = "done"
    REFUSED = "refused"
    """It does not fit the phase of the call; the detail says why."""
    HEARD = "heard"
    INTERRUPTED = "interrupted"
    """The caller spoke over the sentence, or the sideband was lost while it was said."""
    FAILED = "failed"
    COMPLETED = "completed"
    """The transfer has taken the caller away."""
    NOT_COMPLETED = "not_completed"
