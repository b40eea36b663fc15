"""One live call: feeds the session machine and does what it decides. Decides nothing itself.

Owns everything that the call needs while it lasts: the sideband, the timers, the requests. The timers
stand outside the sideband, because the call lives on without it.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Protocol

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from runner.api.realtime import events, frame_of
from runner.api.realtime_events import parse
from runner.call.session.session import Session
from runner.errors import ProviderError
from runner.model.action import (
    Action,
    AddItem,
    Approve,
    ClearTimer,
    Finish,
    HangUp,
    Interrupt,
    Refer,
    SendOutput,
    SendRequest,
    SetTimer,
    Speak,
    SwitchAgent,
    Timer,
)
from runner.model.event import (
    CallEvent,
    CallGone,
    EndRequested,
    ReferAnswered,
    Replied,
    SidebandLost,
    SidebandOpened,
    TimerFired,
    Unreachable,
)
from runner.model.http import HttpReply, HttpRequest
from runner.model.job import Job
from runner.model.record import CallRecord
from runner.model.values import Instant
from runner.serve.provider import Provider, is_retryable
from runner.serve.sideband import Lost, SidebandLostError, attach, check_close, reattach
from runner.serve.timeouts import Timeouts

log = logging.getLogger("runner.serve.live_call")


class Sender(Protocol):
    """Sends one attempt of a tool's request. Never raises but for cancellation."""

    async def send(self, request: HttpRequest) -> HttpReply:
        """The reply, or why there is none."""


class _OverError(Exception):
    """Ends the group of the call's tasks."""


class LiveCall:
    """Plays one accepted call to its end."""

    def __init__(
        self,
        *,
        session: Session,
        provider: Provider,
        tools: Sender,
        timeouts: Timeouts,
        clock: Callable[[], Instant] = time.time,
    ) -> None:
        self.id = session.call.id
        self._session = session
        self._provider = provider
        self._tools = tools
        self._timeouts = timeouts
        self._clock = clock
        self._tasks = asyncio.TaskGroup()
        self._timers: dict[Timer, asyncio.TimerHandle] = {}
        self._outbox: asyncio.Queue[str] | None = None
        self._over = asyncio.Event()
        self._bug: Exception | None = None
        self._has_begun = False
        self._has_given_up = False
        self._end_at_once: str | None = None
        """The reason, when the end was asked for before the call has begun."""

    async def run(self) -> CallRecord:
        """Attach the sideband, serve the call until it is over, and return its record.

        A bug of ours ends this call, hung up and recorded as failed, and no other.
        """
        try:
            async with self._tasks:
                self._has_begun = True
                self._do(self._session.begin(self._clock()))
                if self._end_at_once is not None:
                    self.end(self._end_at_once)
                self._spawn(self._attend())
                await self._over.wait()
                raise _OverError
        except* _OverError:
            pass
        except* Exception as bugs:
            self._bug = bugs
        finally:
            for handle in self._timers.values():
                handle.cancel()
        return await self._record()

    def end(self, reason: str) -> None:
        """End the call from outside, e.g. when a drain has run out of time."""
        if self._has_begun:
            self._happen(EndRequested(reason=reason))
        else:
            self._end_at_once = reason

    def give_up(self) -> None:
        """Do nothing more, e.g. when the API takes no hang-up: the record tells what is known."""
        self._has_given_up = True
        self._over.set()

    def jobs(self, record: CallRecord) -> tuple[Job, ...]:
        """What is owed now that the call is over."""
        return self._session.jobs(record, self._clock())

    async def _record(self) -> CallRecord:
        if self._bug is None:
            record = self._session.record()
            if not self._has_given_up:
                return record
            fault = "the call was given up before the API said that it is over"
            return replace(record, ended_at=self._clock(), faults=(*record.faults, fault))
        log.error("call failed by a bug of ours", exc_info=self._bug, extra={"call_id": self.id})
        try:
            await self._provider.hangup(self.id)
        except ProviderError as failed:
            log.warning("hang-up failed", extra={"call_id": self.id, "error": str(failed)})
        record = self._session.record()
        return replace(
            record,
            ended="failed",
            detail="a bug of ours; the log has its traceback",
            ended_at=record.ended_at or self._clock(),
        )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self._tasks.create_task(work)

    def _happen(self, event: CallEvent) -> None:
        """The one way into the machine. Whatever it raises is a bug, and ends the call as one."""
        if self._over.is_set():
            return
        try:
            self._do(self._session.handle(event, self._clock()))
        except Exception as bug:
            self._bug = bug
            self._over.set()

    def _do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Speak() | Interrupt() | AddItem() | SwitchAgent() | Approve() | SendOutput():
                    self._send(action)
                case SetTimer(timer=timer, after_s=after_s):
                    self._clear(timer)
                    loop = asyncio.get_running_loop()
                    self._timers[timer] = loop.call_later(after_s, self._fire, timer)
                case ClearTimer(timer=timer):
                    self._clear(timer)
                case SendRequest():
                    self._spawn(self._request(action))
                case Refer(target=target):
                    self._spawn(self._refer(target))
                case HangUp():
                    self._spawn(self._hang_up())
                case Finish():
                    self._over.set()

    # Timers

    def _clear(self, timer: Timer) -> None:
        handle = self._timers.pop(timer, None)
        if handle is not None:
            handle.cancel()

    def _fire(self, timer: Timer) -> None:
        del self._timers[timer]
        self._happen(TimerFired(timer=timer))

    # The sideband

    async def _attend(self) -> None:
        """Keep the sideband open until the call is gone or cannot be reached."""
        # The headers are asked for each time: the key may have been rotated since.
        url, headers = self._provider.sideband_url(self.id), self._provider.headers
        try:
            connection = await attach(url, headers(), self._timeouts)
            flaps = int(not await self._listen(connection, again=False))
            # Each time it opens the model is asked to go on, which costs money, and the caller hears a
            # beginning: it is not to go on for ever, and not without a growing pause.
            while flaps < len(self._timeouts.redial_delays_s):
                connection = await reattach(url, headers(), self._timeouts, earlier=flaps)
                flaps = 0 if await self._listen(connection, again=True) else flaps + 1
            lost = SidebandLostError(Lost.UNREACHABLE, "the sideband is lost again and again")
        except SidebandLostError as error:
            lost = error
        log.info(
            "sideband is lost",
            extra={"call_id": self.id, "lost": lost.lost.value, "detail": str(lost)},
        )
        self._happen(CallGone() if lost.lost is Lost.GONE else Unreachable(detail=str(lost)))

    async def _listen(self, connection: ClientConnection, *, again: bool) -> bool:
        """Read one sideband until it is lost; whether it has lasted."""
        opened_at = asyncio.get_running_loop().time()
        self._outbox = asyncio.Queue()
        writer = self._spawn(self._write(connection, self._outbox))
        log.info("sideband is attached", extra={"call_id": self.id, "again": again})
        self._happen(SidebandOpened(again=again))
        try:
            while True:
                frame = await connection.recv()
                for event in parse(frame, follow_words=self._session.follows_words):
                    self._happen(event)
        except ConnectionClosed as closed:
            check_close(closed)
        finally:
            self._outbox = None
            writer.cancel()
            # A closing handshake that nobody answers must not hold up the call.
            await connection.close()
        self._happen(SidebandLost())
        return asyncio.get_running_loop().time() - opened_at >= self._timeouts.steady_s

    def _send(self, action: Action) -> None:
        """Without a sideband nothing is kept: the machine tells again what was not confirmed."""
        if self._outbox is not None:
            for event in events(action):
                self._outbox.put_nowait(frame_of(event))

    async def _write(self, connection: ClientConnection, outbox: "asyncio.Queue[str]") -> None:
        try:
            while True:
                await connection.send(await outbox.get())
        except ConnectionClosed:
            # The reader sees the same close, and it is the one to say so.
            return

    # Requests

    async def _request(self, send: SendRequest) -> None:
        reply = await self._tools.send(send.request)
        log.info(
            "tool was answered",
            extra={
                "call_id": self.id,
                "tool": send.tool,
                "attempt": send.attempt,
                "status": reply.status,
                "failure": reply.failure.value if reply.failure else None,
                "took_s": round(reply.took_s, 3),
            },
        )
        self._happen(Replied(call_id=send.call_id, attempt=send.attempt, reply=reply))

    async def _refer(self, target: str) -> None:
        try:
            await self._provider.refer(self.id, target)
        except ProviderError as failed:
            log.warning("transfer was refused", extra={"call_id": self.id, "error": str(failed)})
            self._happen(ReferAnswered(ok=False, detail=str(failed)))
        else:
            self._happen(ReferAnswered(ok=True))

    async def _hang_up(self) -> None:
        """Until the API has taken it: a call that stays up talks to nobody and costs money."""
        while True:
            try:
                await self._provider.hangup(self.id)
            except ProviderError as failed:
                log.error("hang-up failed", extra={"call_id": self.id, "error": str(failed)})
                if not is_retryable(failed.status):
                    break
                await asyncio.sleep(self._timeouts.hangup_again_s)
            else:
                break
        self._happen(CallGone())
