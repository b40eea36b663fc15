"""Knows the other runners of the store: which of them serves a call, and how to ask it in the sender's
name."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from runner.errors import StoreError
from runner.model.live_call import FleetCall, RunnerInfo
from runner.model.values import Json
from runner.serve.admin.access import COOKIE
from runner.serve.admin.problem import AdminProblem
from runner.serve.forwarding import ASK_S, FORWARDED, QUIET_S
from runner.store.store import FleetStore

log = logging.getLogger("runner.serve.admin.peers")

FRESH_S = 1.0
"""How long the list of runners is valid."""
CALLS_FRESH_S = 0.2
"""How long the list of all live calls is valid."""
MOST_LINE = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingRunner:
    """Another runner that serves a call."""

    runner: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerReply:
    """Another runner's reply."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEvent:
    """One event of another runner's stream."""

    name: str
    data: str
    id: str


class PeerError(Exception):
    """Another runner cannot be reached, or does not answer like one."""


class AdminPeers:
    """The runners that share our store."""

    def __init__(
        self, store: FleetStore, runner: str, session: aiohttp.ClientSession, is_over: Callable[[str], bool]
    ) -> None:
        """`is_over`: whether this process has brought a call to its end, which the store may not know."""
        self._store = store
        self._is_over = is_over
        self._runner = runner
        self._session = session
        self._others: list[RunnerInfo] = []
        self._asked_at = float("-inf")
        self._calls: dict[str, FleetCall] = {}
        self._calls_at = float("-inf")
        self._asking = asyncio.Lock()

    async def others(self) -> list[RunnerInfo]:
        """The other runners. The previous list, where the store fails."""
        now = asyncio.get_running_loop().time()
        if now - self._asked_at >= FRESH_S:
            self._asked_at = now
            try:
                runners = await self._store.runners()
            except StoreError as error:
                log.warning("runners cannot be listed", extra={"error": str(error)})
            else:
                self._others = [each for each in runners if each.id != self._runner]
        return self._others

    async def owner(self, call_id: str) -> ServingRunner | None:
        """The other runner that serves a call; None when none does now. Raises AdminProblem when the store is
        away.
        """
        try:
            call = (await self._live_calls()).get(call_id)
        except StoreError as error:
            if self._is_over(call_id):
                return None
            raise AdminProblem(503, "store", f"the store cannot say who serves the call: {error}") from None
        if call is None or call.runner in {None, self._runner}:
            return None
        if call.address is None:
            detail = f'runner "{call.runner}" serves the call, and has no admin API to be asked at'
            raise AdminProblem(502, "runner-away", detail)
        return ServingRunner(runner=str(call.runner), address=call.address)

    async def is_live(self, call_id: str) -> bool:
        """Whether the call is live as far as is known, served or between two runners."""
        try:
            call = (await self._live_calls()).get(call_id)
        except StoreError:
            return not self._is_over(call_id)  # The store is away: the call may be live.
        is_anothers = call is not None and call.runner not in {None, self._runner}
        return call is not None and (is_anothers or not self._is_over(call_id))

    async def _live_calls(self) -> dict[str, FleetCall]:
        """The live calls of all runners. When a runner is lost, many readers of its calls ask at once."""
        async with self._asking:
            now = asyncio.get_running_loop().time()
            if now - self._calls_at >= CALLS_FRESH_S:
                self._calls = {each.call.id: each for each in await self._store.live_calls()}
                self._calls_at = now
            return self._calls

    async def ask(
        self,
        address: str,
        method: str,
        path: tuple[str, ...],
        headers: Mapping[str, str],
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> PeerReply:
        """Ask another runner. `path` are its parts, not encoded yet. Raises PeerError."""
        try:
            async with (
                asyncio.timeout(ASK_S),
                self._session.request(
                    method, _url(address, path, query), headers=headers, data=body, allow_redirects=False
                ) as response,
            ):
                read = await response.read()
                return PeerReply(status=response.status, content_type=response.content_type, body=read)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise PeerError(str(error) or type(error).__name__) from None

    async def follow(
        self, address: str, headers: Mapping[str, str], query: Mapping[str, str]
    ) -> AsyncIterator[StreamEvent]:
        """Another runner's events. Raises PeerError when the stream breaks or is refused."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=ASK_S, sock_read=QUIET_S)
        url = _url(address, ("admin", "events"), query)
        try:
            async with self._session.get(
                url, headers=headers, timeout=timeout, allow_redirects=False, read_bufsize=MOST_LINE
            ) as response:
                if response.status != 200:
                    raise PeerError(f"answered {response.status}")
                async for event in _events(response.content):
                    yield event
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise PeerError(str(error) or type(error).__name__) from None


async def _events(stream: aiohttp.StreamReader) -> AsyncIterator[StreamEvent]:
    """Server-sent events as runners send them: each field once, data on one line."""
    fields: dict[str, str] = {}
    async for line in stream:
        text = line.decode().rstrip("\r\n")
        if not text:
            if "data" in fields:
                yield StreamEvent(
                    name=fields.get("event", "message"), data=fields["data"], id=fields.get("id", "")
                )
            fields = {}
        elif not text.startswith(":"):
            name, _, value = text.partition(":")
            fields[name] = value.removeprefix(" ")


def _url(address: str, path: tuple[str, ...], query: Mapping[str, str] | None) -> URL:
    """A call's id may hold any character, and is one part of the path all the same."""
    parts = "/".join(quote(part, safe="") for part in path)
    return URL(f"{address}/{parts}", encoded=True).with_query(query or {})


def passed_on(headers: Mapping[str, str], cookie: str | None, runner: str) -> dict[str, str]:
    """The headers of a request in the name of the sender of ours.

    We have checked that sender's origin, which the other runner cannot.
    """
    kept = {
        name: headers[name]
        for name in ("Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID")
        if name in headers
    }
    if cookie is not None:
        kept["Cookie"] = f"{COOKIE}={cookie}"
    return {**kept, "Sec-Fetch-Site": "same-origin", FORWARDED: runner}


def reply_object(reply: PeerReply) -> dict[str, Json]:
    """The object in another runner's reply. Raises PeerError."""
    try:
        value: Any = json.loads(reply.body)
    except ValueError:
        raise PeerError("did not answer with JSON") from None
    if not isinstance(value, dict):
        raise PeerError("did not answer with an object")
    return value
