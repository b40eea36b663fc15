"""The parts of a scripted call: what the caller does, how the model answers, what breaks. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from runner.model.usage import Usage
from runner.model.values import Json


class When(Enum):
    """What a step waits for."""

    QUIET = "quiet"
    """Nobody speaks, no tool call is open, and no answer is due."""
    AGENT_SPEAKS = "agent_speaks"
    """The agent is in the middle of a sentence: a barge-in."""
    TOOL_RUNS = "tool_runs"
    """The model has called a tool and has no output yet."""
    AT_ONCE = "at_once"


class Transcription(Enum):
    """When the text of what the caller said arrives, if the session asks for it."""

    DURING_ANSWER = "during_answer"
    AFTER_ANSWER = "after_answer"
    AFTER_NEXT = "after_next"
    """Only after the transcription of the caller's next turn: out of order."""
    FAILED = "failed"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerSays:
    """A turn of the caller. With turn detection on, the API answers it by itself."""

    text: str
    when: When = When.QUIET
    transcription: Transcription = Transcription.DURING_ANSWER


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerPresses:
    """Keys of the telephone, one event each."""

    keys: str
    when: When = When.QUIET


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerHangsUp:
    """The caller leaves; the API closes the sideband with this code (1006: cut, without a closing frame)."""

    when: When = When.QUIET
    close_code: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerIsSilent:
    """The API's own nudge after `idle_timeout_ms`, and the answer that it makes."""

    when: When = When.QUIET


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """A spoken message of the model."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Echoes:
    """The model says the sentence from its instructions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsTool:
    """The model calls a tool. Text as `arguments` is sent unchanged, valid JSON or not."""

    name: str
    arguments: Mapping[str, Json] | str
    call_id: str | None = None
    """None: the stand-in makes one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsMcpTool:
    """The API calls a tool of one of the session's MCP servers, and continues when that has answered."""

    server: str
    """Its `server_label`."""
    name: str
    arguments: Mapping[str, Json] | str
    output: str | None = ""
    """None: the server fails."""
    takes_s: float = 0.0


ScriptedItem: TypeAlias = Says | Echoes | CallsTool | CallsMcpTool


class Ending(Enum):
    """How a response ends. All but COMPLETED leave its last item unfinished."""

    COMPLETED = "completed"
    TURN_DETECTED = "turn_detected"
    """Cancelled by the API, which believes that the caller speaks."""
    MAX_OUTPUT_TOKENS = "max_output_tokens"
    CONTENT_FILTER = "content_filter"
    FAILED = "failed"
    NEVER = "never"
    """The response stays active until the client cancels it or the caller interrupts."""


MODEL_FAILED = ("server_error", "The model failed.")


class Occasion(Enum):
    """The occasion of a scripted response."""

    TURN = "turn"
    """The conversation: the caller's turn, a tool's output, a bare `response.create`."""
    INSTRUCTION = "instruction"
    """A `response.create` with instructions."""
    ANY = "any"
    """Either of the two."""
    OVERTAKES = "overtakes"
    """Any `response.create`: the API has just begun an answer of its own and refuses the client's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedResponse:
    """The model's response. Steps after it wait until it has begun.

    Where the script has no response, one is made up: the model says the sentence from its instructions.
    """

    output: tuple[ScriptedItem, ...] = ()
    to: Occasion = Occasion.TURN
    ending: Ending = Ending.COMPLETED
    interleaved: bool = False
    """Whether the items come mixed instead of one after the other, as gpt-realtime-2 speaks and calls at
    once.
    """
    held_until: str | None = None
    """After `response.created` nothing comes until the client has sent an event of this type."""
    error: tuple[str, str | None] = MODEL_FAILED
    """Code and message of a response that fails."""
    usage: Usage | None = None
    """The tokens that it is billed for. None: counted by what it reads and writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drops:
    """The sideband breaks while the call lives on. 1006 cuts the connection without a closing frame."""

    close_code: int = 1006
    when: When = When.QUIET


@dataclass(frozen=True, slots=True, kw_only=True)
class Complains:
    """An `error` event without a cause; with `close_code`, the sideband is closed after it."""

    code: str
    message: str = "The server had an error while processing your request."
    type: str = "server_error"
    close_code: int | None = None
    when: When = When.QUIET


@dataclass(frozen=True, slots=True, kw_only=True)
class Sends:
    """One text frame, sent unchanged: an unknown event, or text that is not JSON."""

    frame: str
    when: When = When.QUIET


@dataclass(frozen=True, slots=True, kw_only=True)
class Expires:
    """The session has lasted for 60 minutes: an error event, a close, and the call is over."""

    when: When = When.QUIET


ScriptEvent: TypeAlias = (
    CallerSays | CallerPresses | CallerHangsUp | CallerIsSilent | Drops | Complains | Sends | Expires
)
"""A step that happens by itself, when its time has come."""

ScriptStep: TypeAlias = ScriptEvent | ScriptedResponse
Script: TypeAlias = tuple[ScriptStep, ...]


def greets(text: str | None = None) -> ScriptedResponse:
    """The model says its greeting (or these words)."""
    return ScriptedResponse(output=(Echoes() if text is None else Says(text=text),), to=Occasion.ANY)


def says(text: str) -> ScriptedResponse:
    """The model answers with one sentence."""
    return ScriptedResponse(output=(Says(text=text),))


def calls(
    name: str, arguments: Mapping[str, Json] | str | None = None, call_id: str | None = None
) -> ScriptedResponse:
    """The model answers with one tool call."""
    fields = {} if arguments is None else arguments
    return ScriptedResponse(output=(CallsTool(name=name, arguments=fields, call_id=call_id),))
