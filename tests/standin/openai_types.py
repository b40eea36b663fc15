"""The oracle: the types that the `openai` package publishes, and what of a value they do not know."""

from collections.abc import Mapping
from typing import Any

from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent, RealtimeSessionCreateRequest
from openai.types.realtime.call_accept_params import CallAcceptParams
from openai.types.realtime.call_create_params import CallCreateParams
from openai.types.realtime.call_refer_params import CallReferParams
from openai.types.realtime.call_reject_params import CallRejectParams
from openai.types.realtime.client_secret_create_params import ClientSecretCreateParams
from openai.types.responses import Response
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from openai.types.webhooks import RealtimeCallIncomingWebhookEvent
from pydantic import TypeAdapter, ValidationError

CLIENT_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)
SERVER_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
SESSION: TypeAdapter[Any] = TypeAdapter(RealtimeSessionCreateRequest)
RESPONSE: TypeAdapter[Any] = TypeAdapter(Response)
WEBHOOK: TypeAdapter[Any] = TypeAdapter(RealtimeCallIncomingWebhookEvent)
REQUESTS: Mapping[str, TypeAdapter[Any]] = {
    "accept": TypeAdapter(CallAcceptParams),
    "client_secrets": TypeAdapter(ClientSecretCreateParams),
    "create": TypeAdapter(CallCreateParams),
    "refer": TypeAdapter(CallReferParams),
    "reject": TypeAdapter(CallRejectParams),
    "responses": TypeAdapter(ResponseCreateParamsNonStreaming),
}

LEFT_OUT = frozenset({"obfuscation", "phase"})
"""Fields that recordings show and the package's types do not have."""


def complaint(adapter: TypeAdapter[Any], value: Any) -> str | None:
    """What the types have against this value: that it does not parse, or a field that they do not know.

    The package's models keep unknown fields, so they are looked for: in `model_extra`, at any depth.
    """
    try:
        parsed = adapter.validate_python(value)
    except ValidationError as error:
        return str(error)
    unknown = sorted(_unknown(parsed, ""))
    return f"unknown fields: {', '.join(unknown)}" if unknown else None


def client_complaint(kind: str, value: Any) -> str | None:
    """`inspect_received`: what is wrong with an event or a REST body of the runner's."""
    if kind == "event":
        return complaint(CLIENT_EVENT, value)
    problem = complaint(REQUESTS[kind], value) if kind in REQUESTS else None
    if problem is not None:
        return problem
    # A TypedDict drops what it does not know without a word; the model of the same shape keeps it.
    if kind == "accept":
        return complaint(SESSION, value)
    if kind in ("create", "client_secrets"):
        return complaint(SESSION, value["session"])
    return problem


def server_complaint(kind: str, value: Any) -> str | None:
    """`inspect_sent`: what is wrong with an event of the stand-in's, or an answer of its text model."""
    if kind == "responses":
        return complaint(RESPONSE, value) if "error" not in value or value["error"] is None else None
    problem = complaint(SERVER_EVENT, value)
    return f"{kind} {value['type']}: {problem}" if problem else None


def _unknown(parsed: Any, path: str) -> set[str]:
    if isinstance(parsed, Mapping):
        return {name for key, value in parsed.items() for name in _unknown(value, f"{path}.{key}")}
    if isinstance(parsed, list):
        return {name for index, value in enumerate(parsed) for name in _unknown(value, f"{path}[{index}]")}
    extra = getattr(parsed, "model_extra", None) or {}
    fields = type(parsed).model_fields if hasattr(type(parsed), "model_fields") else {}
    found = {f"{path}.{name}".lstrip(".") for name in extra if name not in LEFT_OUT}
    for name in fields:
        found |= _unknown(getattr(parsed, name), f"{path}.{name}")
    return found
