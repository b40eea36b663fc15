"""What a voice API is to us: a Protocol of pure functions over values.

Everything particular to one API (event names, paths, bodies, close codes, prices) stands behind it; the rest
of the program speaks of calls, actions and events. Implementations do no I/O: `runner.serve` sends the
requests and frames that they make.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from runner.model.action import Action, AnswerCall, HangUp, Refer, RejectCall
from runner.model.agent import Agent
from runner.model.call import Ringing
from runner.model.event import CallEvent
from runner.model.http import HttpReply, HttpRequest
from runner.model.values import JsonObject

Order: TypeAlias = AnswerCall | RejectCall | Refer | HangUp
"""An action that is carried out by a request to the API, not over the sideband."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    """How a request and a sideband prove who we are. Declared, never guessed from a host name."""

    header: str = "Authorization"
    scheme: str = "Bearer"
    """Stands before the key, with a space; empty for a header that holds the key alone."""

    def headers(self, api_key: str) -> dict[str, str]:
        """The header that carries this key."""
        return {self.header: f"{self.scheme} {api_key}".lstrip()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """A verified webhook. `ringing` is None when it announces no call that could be answered."""

    webhook_id: str
    """The same on every delivery of the event."""
    type: str
    ringing: Ringing | None = None


class VoiceApi(Protocol):
    """One voice API, e.g. `runner.api.realtime`."""

    name: str
    """The value of `api:` in an agent, e.g. `realtime`."""
    longest_s: float
    """The API ends every session after so many seconds."""

    def verify(
        self, body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: float
    ) -> Announcement:
        """The announcement in a webhook. Raises WebhookRejectedError when it is not the API's or too old."""

    def session_body(
        self, agent: Agent, instructions: str, servers: Sequence[JsonObject] = ()
    ) -> dict[str, object]:
        """The API's session object of an agent: what a call is answered with, and `explain` shows."""

    def request(self, order: Order, call_id: str) -> HttpRequest:
        """The request that carries out an order, without authentication; `url` begins after the base URL."""

    def is_retryable(self, order: Order, reply: HttpReply) -> bool:
        """Whether sending the request again could help and cannot do harm."""

    def answered(self, order: Order, reply: HttpReply, *, unsettled: bool) -> CallEvent:
        """What a reply to an order means. `unsettled`: the reply to an earlier try was lost, so that
        "already decided" is most likely our own decision."""

    def sideband(self, call_id: str) -> str:
        """Where the sideband of a call is attached, relative to the base URL."""

    def is_final(self, close_code: int | None) -> bool:
        """Whether the API refuses us with this close code, so that dialling again cannot help."""

    def read(self, frame: str | bytes, *, follow_words: bool = False) -> tuple[CallEvent, ...]:
        """What one frame of the sideband means. Never raises."""

    def frames(self, action: Action) -> tuple[str, ...]:
        """The frames that carry out an action; none for what is not done over the sideband."""

    def cost_usd(self, model: str, usage: object) -> float | None:
        """What usage costs in US dollars; None when the model's price is unknown."""
