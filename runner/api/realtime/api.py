"""The port to OpenAI's Realtime API: this module is a `runner.api.port.VoiceApi`."""

from typing import Final

from runner.api.realtime.client_secrets import secret_of, secret_request
from runner.api.realtime.conversation import RealtimeConversation as conversation  # noqa: N813 - the port's name
from runner.api.realtime.facts import BASE_URL as base_url  # noqa: N811 - the port's name
from runner.api.realtime.facts import INSUFFICIENT_QUOTA as out_of_quota  # noqa: N811 - the port's name
from runner.api.realtime.facts import PROVIDER as provider  # noqa: N811 - the port's name
from runner.api.realtime.orders import answered, complaint, is_retryable, refuses_key, request
from runner.api.realtime.ringing import is_warning, ringing
from runner.api.realtime.session import session_body

__all__ = [
    "answered",
    "base_url",
    "complaint",
    "conversation",
    "is_final",
    "is_retryable",
    "is_warning",
    "out_of_quota",
    "provider",
    "refuses_key",
    "request",
    "ringing",
    "secret_of",
    "secret_request",
    "session_body",
]

REFUSED_CODES: Final = frozenset({3000, 4000})
"""A bad key or a bad session: the API closes like this after an `error`, and dialling again cannot help."""


def is_final(close_code: int | None) -> bool:
    """Whether the API refuses us with this close code."""
    return close_code in REFUSED_CODES
