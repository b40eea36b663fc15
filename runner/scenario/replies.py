"""Answers the requests of a call as its scenario declares. Sends nothing."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from runner.model.http import Failure, HttpReply, HttpRequest
from runner.model.scenario import NoReply, Replies, Reply, TransferEnd
from runner.model.values import Json


class UnplayableError(Exception):
    """The scenario cannot continue, e.g. because it declares no reply to a request."""


@dataclass(frozen=True, slots=True)
class ExampleReply:
    """The reply that a tool declares as its example."""

    value: Json


_AS_EXAMPLE = Reply()


def reply_to(
    request: HttpRequest,
    name: str,
    attempt: int,
    replies: Mapping[str, Replies],
    example: ExampleReply | None,
) -> HttpReply:
    """The reply to an attempt (counted from 1 in its step) of a request; it comes `took_s` later.

    Raises UnplayableError when neither a reply nor an example is declared.
    """
    entry = _entry(name, attempt, replies, _AS_EXAMPLE)
    if isinstance(entry, TransferEnd):
        raise UnplayableError(f'"{name}" asks an endpoint, which cannot answer "{entry.value}"')
    if entry.failure is NoReply.TIMEOUT or entry.delay_s > request.timeout_s:
        detail = f"no complete reply within {request.timeout_s:g} s"
        return HttpReply(failure=Failure.TIMEOUT, detail=detail, took_s=request.timeout_s)
    if entry.failure is not None:
        refused = entry.failure is NoReply.CONNECTION_REFUSED
        detail = "the connection is refused" if refused else "the reply was cut off"
        return HttpReply(failure=Failure.CONNECTION, detail=detail, took_s=entry.delay_s)
    if entry.body is None and entry.status is None:
        if example is None:
            raise UnplayableError(f'{_sent(request)} for "{name}", which has neither a reply nor an example')
        entry = replace(entry, body=json.dumps(example.value).encode(), content_type="application/json")
    return HttpReply(
        status=200 if entry.status is None else entry.status,
        body=entry.body or b"",
        content_type=entry.content_type,
        took_s=entry.delay_s,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class McpReply:
    """An MCP server's answer to the API, which alone reads it. `output` None: the server fails."""

    output: str | None = ""
    took_s: float = 0.0


def mcp_reply(name: str, attempt: int, replies: Mapping[str, Replies]) -> McpReply:
    """The answer of an MCP server's tool; an empty one where none is declared."""
    entry = _entry(name, attempt, replies, _AS_EXAMPLE)
    if isinstance(entry, TransferEnd):
        raise UnplayableError(f'"{name}" asks an MCP server, which cannot answer "{entry.value}"')
    has_failed = entry.failure is not None or (entry.status or 200) >= 400
    return McpReply(output=None if has_failed else (entry.body or b"").decode(), took_s=entry.delay_s)


def transfer_end(name: str, attempt: int, replies: Mapping[str, Replies]) -> TransferEnd:
    """How a transfer ends; it is completed unless the scenario declares otherwise.

    Raises UnplayableError when the list of replies has ended.
    """
    entry = _entry(name, attempt, replies, TransferEnd.COMPLETED)
    if not isinstance(entry, TransferEnd):
        raise UnplayableError(f'"{name}" is a transfer; its reply is "completed" or "not_completed"')
    return entry


def _entry(
    name: str, attempt: int, replies: Mapping[str, Replies], undeclared: Reply | TransferEnd
) -> Reply | TransferEnd:
    if (declared := replies.get(name)) is None:
        return undeclared
    if not declared.in_turn:
        return declared.entries[0]
    count = len(declared.entries)
    if attempt > count:
        raise UnplayableError(f'this is attempt {attempt} of "{name}", which has replies for only {count}')
    return declared.entries[attempt - 1]


def _sent(request: HttpRequest) -> str:
    return f"{request.method} {request.url.partition('?')[0]} is sent"
