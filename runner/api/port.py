"""What a voice API is to us: Protocols of pure functions over values.

Everything particular to one API (event names, paths, bodies, close codes, prices) is behind them; the rest of
the program speaks of calls, actions and events. Implementations do no I/O: `runner.serve` sends their
requests and frames. What decisions need to know about an API (prices, the longest session, whose address is
the API's own) is in the loaded configuration, because the deciding half does not know this port.

Another API (GPT-Live) or provider (Azure, xAI) differs in what these carry:

- `ringing`: other shapes of the announcement; two APIs at one webhook endpoint, each asked after one check of
  the signature.
- `session_body`: nested or flat, other fields, deployments for models.
- `request` with its `timeout_s`, `is_retryable`: other paths and bodies, mandatory statuses, slow replies.
- `answered`: a transfer whose reply is its outcome, a decision made at another API, a call that is over.
- `Conversation.frames`: other events for sentences, outputs, hand-offs and interruptions; a gate for outputs
  over the whole session.
- `Conversation.read`: delegations, turns made of fragments, replayed events, usage beside the response, keys
  that the API reports to the model itself. The machine has bounds of its own for an API that never says what
  was heard.
- `Conversation.sideband`, `is_final`: resuming under another address, other close codes.
- `Authentication`: a header of its own for the key. The configuration: prices by the minute, session lengths.

More than an implementation would be needed for: an API that answers when its sideband is opened, or cannot
reject (`request` returns None, `answered` gets no reply); instructions of a backend beside those of the voice
(`AnswerCall`, `SwitchAgent`); audio of our own (an action); calls that we place (an order, and events); a
secret that is requested before a browser's offer is sent; keys that expire; the recording of a call.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from runner.api.webhook import WebhookEvent
from runner.model.action import (
    AddItem,
    AnswerCall,
    Approve,
    HangUp,
    Interrupt,
    Refer,
    RejectCall,
    RemoveItem,
    SendOutput,
    Speak,
    SwitchAgent,
)
from runner.model.agent import Agent
from runner.model.call import Ringing
from runner.model.event import CallEvent
from runner.model.http import HttpReply, HttpRequest
from runner.model.question import Answer, Question
from runner.model.values import Json, JsonObject

Order: TypeAlias = AnswerCall | RejectCall | Refer | HangUp
"""An action that is carried out by a request to the API."""
ORDER_NAMES: Mapping[type[Order], str] = {
    AnswerCall: "answer",
    RejectCall: "reject",
    Refer: "transfer",
    HangUp: "hang-up",
}
"""What logs and metrics call them."""
SidebandAction: TypeAlias = Speak | Interrupt | AddItem | RemoveItem | SwitchAgent | Approve | SendOutput
"""An action that is carried out over the sideband."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    """How a request and a sideband authenticate. Declared, never guessed from a host name."""

    header: str = "Authorization"
    scheme: str = "Bearer"
    """Goes before the key, with a space; empty for a header that holds the key alone."""

    @classmethod
    def by(cls, key_header: str | None) -> "Authentication":
        """The key alone in this header, or a bearer token."""
        return cls() if key_header is None else cls(header=key_header, scheme="")

    def headers(self, api_key: str) -> Mapping[str, str]:
        """The header with this key."""
        return {self.header: f"{self.scheme} {api_key}".lstrip()}


class Conversation(Protocol):
    """The sideband of one call: what is read from it and written to it.

    Keeps what reading needs between two events, and nothing that the call itself depends on.
    """

    @property
    def sideband(self) -> str:
        """Where the sideband is attached, relative to the base URL."""

    @property
    def fence(self) -> int:
        """The highest fence under which any runner was seen to act for the call; 0 before one was.

        Every sideband of a call hears what one of them requests. So a runner whose own fence is lower has
        lost the call, whatever the store says.
        """

    def read(self, frame: str | bytes, *, follow_words: bool = False) -> tuple[CallEvent, ...]:
        """The events of one frame. Never raises: an unreadable frame is an `Ignored`.

        `TranscriptGrew` comes only with `follow_words`.
        """

    def frames(self, action: SidebandAction, *, fence: int = 0) -> tuple[str, ...]:
        """The frames that carry out an action, for a runner that holds the call under this fence."""


class VoiceApi(Protocol):
    """One voice API, e.g. `runner.api.realtime`."""

    @property
    def base_url(self) -> str:
        """The API's URL unless another is declared."""

    @property
    def provider(self) -> str:
        """The API's provider, as OpenTelemetry's conventions for generative AI spell it."""

    @property
    def out_of_quota(self) -> str:
        """The API's error code for an account without credit, which an alert watches."""

    def ringing(self, event: WebhookEvent) -> Ringing | None:
        """The call that a webhook announces; None when it announces no call of this API.

        Raises WebhookRejectedError for an incomplete announcement.
        """

    def is_warning(self, event: WebhookEvent) -> bool:
        """Whether a webhook that announces no call deserves somebody's attention."""

    def session_body(
        self, agent: Agent, instructions: str, servers: Sequence[JsonObject] = ()
    ) -> dict[str, Json]:
        """The API's session object of an agent, with which a call is answered and which `explain` shows."""

    def request(self, order: Order, call_id: str) -> HttpRequest:
        """The request that carries out an order, without authentication; `url` begins after the base URL.

        Its `timeout_s` is how long the API may take to reply.
        """

    def is_retryable(self, order: Order, reply: HttpReply) -> bool:
        """Whether repeating the request could help and cannot do harm."""

    def answered(self, order: Order, reply: HttpReply, *, unsettled: bool) -> CallEvent:
        """The event for the reply to an order.

        `unsettled`: the reply to an earlier try was lost, so "already decided" is most likely our own
        decision.
        """

    def complaint(self, order: Order, reply: HttpReply) -> str:
        """What the API says against the order, in one line for the log; empty when it was carried out."""

    def refuses_key(self, order: Order, reply: HttpReply) -> bool:
        """Whether the reply refuses our key, and not just this order."""

    def secret_request(self, answer: AnswerCall) -> HttpRequest:
        """The request for a secret with which a page makes such a call itself, without authentication."""

    def secret_of(self, reply: HttpReply) -> JsonObject | None:
        """The secret for the page; None when the reply holds none. Never raises."""

    def is_final(self, close_code: int | None) -> bool:
        """Whether the API refuses us with this close code, so that dialling again cannot help."""

    def conversation(self, call_id: str) -> Conversation:
        """The conversation of an answered call."""


class TextModelApi(Protocol):
    """The API that answers questions about calls that are over."""

    def request(self, question: Question) -> HttpRequest:
        """The request with the question, without authentication; `url` begins after the base URL."""

    def answer(self, question: Question, reply: HttpReply) -> Answer:
        """The answer in a reply. Error texts quote none of it. Never raises."""
