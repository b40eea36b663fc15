"""What the voice API reports of a call's conversation, over the sideband, independent of any API.

`runner.api` reads these from frames.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from runner.model.call import Role
from runner.model.usage import TranscriptionUsage, Usage


class ApiErrorKind(Enum):
    """What an error of the API means to the machine."""

    BUSY_SPEAKING = "busy_speaking"
    """A response was requested while one is active. Benign."""
    NOTHING_TO_CANCEL = "nothing_to_cancel"
    """Benign too."""
    SESSION_EXPIRED = "session_expired"
    OTHER = "other"
    RATE_LIMITED = "rate_limited"
    """Passes in a second or two."""
    OUT_OF_QUOTA = "out_of_quota"
    """Does not pass: somebody has to pay."""


class Outcome(Enum):
    """How a response of the model ended."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCalled:
    """The model has completed a tool call. `arguments` is its text, unchanged."""

    response_id: str
    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseStarted:
    """The model begins to answer. `wish` is the id of the `Speak` that requested it, or None for the API's
    own.
    """

    response_id: str
    wish: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseEnded:
    """The model has finished answering. The answer may still play: see `PlaybackEnded`."""

    response_id: str
    outcome: Outcome
    wish: str | None = None
    cause: ApiErrorKind = ApiErrorKind.OTHER
    """Why it failed, where it did."""
    code: str = ""
    """The API's own name for that."""
    detail: str = ""
    calls: tuple[ToolCalled, ...] = ()
    """Every complete tool call of the response, reported before or not."""
    usage: Usage = field(default_factory=Usage)
    audible: bool = True
    """Whether it holds anything for the caller to hear."""
    audio_s: float = 0.0
    """How long that plays; 0 where the API does not say."""
    is_empty: bool = False
    """Whether it holds nothing at all: no words, no sound, no call of a tool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionUpdated:
    """The API reports the session in force: at its beginning, and after each update that it has accepted."""

    model: str | None = None
    """The real name of the model, behind an alias or a deployment."""
    update_id: str | None = None
    """The update that this confirms, where it is known."""
    is_unasked: bool = False
    """Whether no update of ours can have led to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnTruncated:
    """The caller has interrupted an item of the agent and heard this much of it."""

    item_id: str
    heard_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybackStarted:
    """The caller begins to hear this response."""

    response_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybackEnded:
    """The caller has heard this response, or has `interrupted` it."""

    response_id: str
    interrupted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerSpeaks:
    """The caller began to speak, or stopped (`began` False)."""

    began: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemPlaced:
    """An item has its place in the conversation: after the item `after`, or at an unknown end.

    `role` is None for items that nobody says: tool calls and their outputs.
    """

    item_id: str
    after: str | None = None
    role: Role | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcribed:
    """The whole text of an item. It may come late and out of order. `failed`: there will be none."""

    item_id: str
    role: Role
    text: str = ""
    failed: bool = False
    usage: TranscriptionUsage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptGrew:
    """More words of an item, as they come. Sent only to those who follow words."""

    item_id: str
    role: Role
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputTaken:
    """The API has the output of this tool call."""

    call_id: str
    item_id: str = ""
    """The output's own id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class McpListed:
    """An MCP server has listed its tools, or (`ok` False) will not."""

    item_id: str
    ok: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class McpCallStarted:
    """The API calls a tool of an MCP server."""

    item_id: str
    server: str
    tool: str


@dataclass(frozen=True, slots=True, kw_only=True)
class McpCallEnded:
    """The MCP server has answered, or failed."""

    item_id: str
    ok: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalAsked:
    """The API asks whether a tool of an MCP server may run; the call waits for the answer."""

    request_id: str
    server: str
    tool: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPressed:
    """The caller pressed a key of the telephone: 0 to 9, *, # or A to D."""

    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceNudge:
    """The API itself noticed that the caller is silent; its message is not a turn of the caller."""

    item_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiError:
    """The API refused something. `about` is the id of the refused action, where it is known."""

    kind: ApiErrorKind
    about: str | None = None
    code: str = "unknown_error"
    """The API's own name for the error."""
    message: str = "no reason given"


class IgnoredBecause(Enum):
    """Why an event was ignored."""

    UNKNOWN = "unknown"
    """Of a type that we do not know. Normal: the API grows."""
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event without a meaning to us. It is counted, and never a failure."""

    because: IgnoredBecause


ConversationEvent: TypeAlias = (
    ResponseStarted
    | ResponseEnded
    | ToolCalled
    | SessionUpdated
    | TurnTruncated
    | PlaybackStarted
    | PlaybackEnded
    | CallerSpeaks
    | ItemPlaced
    | Transcribed
    | TranscriptGrew
    | OutputTaken
    | McpListed
    | McpCallStarted
    | McpCallEnded
    | ApprovalAsked
    | KeyPressed
    | SilenceNudge
    | ApiError
    | Ignored
)
"""What the API reports over the sideband."""
