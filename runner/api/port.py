"""What a voice API is to us: Protocols of pure functions over values.

Everything particular to one API (event names, paths, bodies, close codes, prices) is behind them; the rest of
the program speaks of calls, actions and events. Implementations do no I/O: `runner.serve` sends their
requests and frames. What decisions need to know about an API (prices, the longest session, whose address is
the API's own) is in the loaded configuration, because the deciding half does not know this port.

Other APIs and providers would need no other shape:

- Two APIs at one webhook endpoint: the signature is checked once, then each API's `ringing` is asked.
- Nested bodies, mandatory statuses, slow replies: `request` and its `timeout_s`.
- A transfer whose reply is its outcome: `answered` returns another event than for one that proves nothing
  yet.
- An API that answers a call when its sideband is opened, or cannot reject one: `request` would return None,
  and `answered` would be called without a reply.
- Delegations, transcript fragments without turns, replayed events, a gate for tool outputs over the whole
  session, resuming under another address: state of the `Conversation`, which also says where it is.
- Keys that the API itself reports to the model, no report of what was heard: the events of `read`.
- Keys in a header of their own: `Authentication`. Deployments and prices by the minute: the price list.
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


class TextModel(Protocol):
    """The API that answers questions about calls that are over."""

    def request(self, question: Question) -> HttpRequest:
        """The request with the question, without authentication; `url` begins after the base URL."""

    def answer(self, question: Question, reply: HttpReply) -> Answer:
        """The answer in a reply. Error texts quote none of it. Never raises."""
