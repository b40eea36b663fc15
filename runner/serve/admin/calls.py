"""Lists, reads, follows and steers live calls for the admin API, whichever runner serves them."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from uuid import uuid4

from aiohttp import web
from aiohttp_sse import sse_response

from runner.model.event import Steered
from runner.model.steering import DeedResult, act_fields, act_of
from runner.model.values import Instant, Json
from runner.serve.admin.access import Access
from runner.serve.admin.app import AdminHandler, AdminRequest
from runner.serve.admin.followed import FollowedCalls, in_turns
from runner.serve.admin.json_in_turns import encode_in_turns
from runner.serve.admin.peers import AdminPeers, PeerError, PeerReply, ServingRunner, passed_on, reply_object
from runner.serve.admin.problem import CONTENT_TYPE, AdminProblem, not_found
from runner.serve.admin.streams import FeedReader, ReaderGoneError, Streams
from runner.serve.forwarding import AGAIN_S, HEARTBEAT_S
from runner.serve.live_calls import LiveCalls

MOST_STREAMS = 64
BETWEEN_S = 15.0
"""How long an act is retried whose call is between two runners; a lease and a little more."""

ACTS: Mapping[str, str] = {
    "say": "say",
    "tell": "tell",
    "hush": "hush",
    "vars": "vars",
    "instructions": "instructions",
    "handoff": "handoff",
    "transfer": "transfer",
    "hangup": "hangup",
    "takeOver": "take-over",
    "giveBack": "give-back",
    "note": "note",
}
"""The acts, by the document's operations."""


@dataclass(slots=True, eq=False)
class CallRequests:
    """Answers requests about live calls."""

    live_calls: LiveCalls
    followed: FollowedCalls
    peers: AdminPeers
    streams: Streams
    access: Access
    clock: Callable[[], Instant]
    _open_streams: int = field(default=0, init=False)

    def handlers(self) -> dict[str, AdminHandler]:
        """Handlers by the ids of the document's operations."""
        acts = {operation: self._act(what) for operation, what in ACTS.items()}
        return {"listCalls": self.list, "readCall": self.read, "followEvents": self.follow, **acts}

    async def list(self, request: AdminRequest) -> web.StreamResponse:
        agent, text = request.arguments.get("agent"), request.arguments.get("q")
        rows = [row for row in self.followed.rows().values() if _fits(row, agent, text)]
        total, missing = len(rows), []
        if not request.is_forwarded:
            others = await self.peers.others()
            asking = (self._rows_of(each.address, request) for each in others)
            for each, reply in zip(others, await asyncio.gather(*asking), strict=True):
                if reply is None:
                    missing.append(each.id)
                else:
                    rows += reply["calls"]
                    total += reply["total"]
        # A call that has just moved may be reported by both.
        unique = {row["id"]: row for row in rows}
        oldest_first = sorted(unique.values(), key=lambda row: (row["created_at"], row["id"]))
        return web.json_response(
            {
                "now": self.clock(),
                "total": total - (len(rows) - len(unique)),
                "calls": oldest_first[: request.arguments["limit"]],
                "missing": missing,
            }
        )

    async def read(self, request: AdminRequest) -> web.StreamResponse:
        call_id = str(request.arguments["id"])
        call = self.followed.call(call_id)
        if call is not None:
            view = self.followed.view(call)
            await in_turns(view.mask_ahead())
            text = await encode_in_turns(view.whole(self.clock()))
            return web.Response(text=text, content_type="application/json")
        owner = await self._owner(call_id, request)
        try:
            path = ("admin", "calls", call_id)
            return _relayed(await self.peers.ask(owner.address, "GET", path, self._passed_on(request)))
        except PeerError as error:
            raise _away(error) from None

    async def follow(self, request: AdminRequest) -> web.StreamResponse:
        """The events of all calls, or of one."""
        http, call_id = request.http, request.arguments.get("call")
        reader = FeedReader(
            identity=request.identity,
            headers=self._passed_on(request, "Content-Type", "Last-Event-ID"),
            is_forwarded=request.is_forwarded,
            last_event_id=request.arguments.get("Last-Event-ID"),
            is_there=lambda: http.transport is not None and not http.transport.is_closing(),
            may_still=lambda: self.access.may_still(http.headers, request.cookie, self.clock()),
        )
        if call_id is not None:
            await self.streams.find(call_id, reader)
        if self._open_streams >= MOST_STREAMS:
            raise AdminProblem(
                503,
                "too-many-streams",
                f"{MOST_STREAMS} streams are open already",
                headers={"Retry-After": "10"},
            )
        self._open_streams += 1
        try:
            async with sse_response(http, ping_interval=HEARTBEAT_S, sep="\n") as response:

                async def send(name: str, data: str, event_id: str) -> None:
                    await response.send(data, id=event_id or None, event=name)

                try:
                    if call_id is None:
                        await self.streams.all_calls(reader, send)
                    else:
                        await self.streams.one_call(call_id, reader, send)
                except (ConnectionResetError, ReaderGoneError, TimeoutError, AdminProblem):
                    # The reader is gone, may read no more, or reconnects.
                    response.force_close()
            return response
        finally:
            self._open_streams -= 1

    def _act(self, what: str) -> AdminHandler:
        async def act(request: AdminRequest) -> web.StreamResponse:
            deed_id = str(request.arguments.get("Idempotency-Key") or uuid4().hex)
            return await self._steer(what, deed_id, request)

        return act

    async def _steer(self, what: str, deed_id: str, request: AdminRequest) -> web.StreamResponse:
        """Carry out the act here, or forward it to the runner that serves the call.

        Between two runners it is retried: its id keeps it a single act.
        """
        call_id = str(request.arguments["id"])
        until = asyncio.get_running_loop().time() + BETWEEN_S
        while True:
            if self.followed.call(call_id) is not None:
                answer = await self._steer_here(what, deed_id, call_id, request)
                if answer is not None:
                    return answer
            try:
                owner = await self._owner(call_id, request)
                headers = {**self._passed_on(request), "Idempotency-Key": deed_id}
                reply = await self.peers.ask(
                    owner.address, "POST", ("admin", "calls", call_id, what), headers, body=request.raw
                )
            except PeerError as error:
                problem = _away(error)
            except AdminProblem as error:
                if request.is_forwarded or error.status != 502:
                    raise
                problem = error
            else:
                # A runner that has lost the call must not say so: another has it.
                if reply.status != 404:
                    return _relayed(reply)
                problem = not_found(f'there is no live call "{call_id}"')
            if asyncio.get_running_loop().time() >= until:
                raise problem
            await asyncio.sleep(AGAIN_S)

    async def _steer_here(
        self, what: str, deed_id: str, call_id: str, request: AdminRequest
    ) -> web.StreamResponse | None:
        steered = Steered(id=deed_id, by=request.identity.by, act=act_of(what, request.body))
        deed = await self.live_calls.steer(call_id, steered)
        call = self.live_calls.find(call_id)
        if deed is None:
            return None
        if (deed.what, deed.given) != (what, act_fields(steered.act)):
            other = f'"{deed.what}"' if deed.what != what else f'"{what}" with another body'
            detail = f"the Idempotency-Key has been used for another act, {other}: use a new key for each act"
            raise AdminProblem(422, "key-reused", detail)
        if deed.result == DeedResult.REFUSED.value:
            served = self.followed.call(call_id) if call is not None else None
            shown = self.followed.view(served).deed(deed_id) if served is not None else None
            raise AdminProblem(409, "refused", deed.detail, **({"deed": shown} if shown is not None else {}))
        return web.json_response({"deed": deed_id, "result": deed.result}, status=202)

    # Other runners

    async def _owner(self, call_id: str, request: AdminRequest) -> ServingRunner:
        if not request.is_forwarded:
            owner = await self.peers.owner(call_id)
            if owner is not None:
                return owner
            if await self.peers.is_live(call_id):
                raise AdminProblem(502, "runner-away", "the call is between two runners; try again")
        raise not_found(f'there is no live call "{call_id}"')

    async def _rows_of(self, address: str | None, request: AdminRequest) -> dict[str, Json] | None:
        if address is None:
            return None
        query = {name: str(value) for name, value in request.arguments.items()}
        try:
            reply = await self.peers.ask(
                address, "GET", ("admin", "calls"), self._passed_on(request), query=query
            )
            return reply_object(reply) if reply.status == 200 else None
        except PeerError:
            return None

    def _passed_on(self, request: AdminRequest, *without: str) -> dict[str, str]:
        headers = passed_on(request.http.headers, request.cookie, self.followed.runner)
        return {name: value for name, value in headers.items() if name not in without}


def _fits(row: Mapping[str, Json], agent: Json, text: Json) -> bool:
    if agent is not None and row["agent"] != agent:
        return False
    if text is None:
        return True
    words = (row["id"], row["agent"], row["caller"], row["called"], row["last_words"])
    return any(str(text).casefold() in str(word).casefold() for word in words if word)


def _relayed(reply: PeerReply) -> web.Response:
    if reply.status in {401, 403, 421, 429}:
        detail = f"the runner that serves the call answers {reply.status}: are its tokens and hosts the same?"
        raise AdminProblem(502, "runner-away", detail)
    if reply.content_type not in {"application/json", CONTENT_TYPE}:
        raise AdminProblem(502, "runner-away", "the runner that serves the call does not answer as one")
    return web.Response(status=reply.status, body=reply.body, content_type=reply.content_type)


def _away(error: PeerError) -> AdminProblem:
    return AdminProblem(502, "runner-away", f"the runner that serves the call cannot be reached: {error}")
