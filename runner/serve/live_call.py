"""Serves one call: feeds its machine and carries out what the machine decides. Decides nothing itself.

Owns everything that the call needs while it lasts: the sideband, the timers, the requests, the slot.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, assert_never

from runner.api.port import Order
from runner.call.machine.call_counts import CallCounts
from runner.call.machine.machine import CallMachine
from runner.call.machine.reception import UNAVAILABLE_STATUS
from runner.call.machine.world import World
from runner.model.action import (
    Action,
    AddItem,
    AnswerCall,
    Approve,
    ClaimCall,
    ClearTimer,
    Finish,
    HangUp,
    Interrupt,
    Log,
    OpenSideband,
    Refer,
    RejectCall,
    RemoveItem,
    SendOutput,
    SendRequest,
    SetTimer,
    Speak,
    SwitchAgent,
    Timer,
)
from runner.model.call import Ringing, SipOrigin
from runner.model.event import (
    AnswerReplied,
    CallerConnected,
    CallEvent,
    Decided,
    EndRequested,
    SidebandOpened,
    Steered,
    TakenOver,
    TimerFired,
    TranscriptGrew,
)
from runner.model.job import Job
from runner.model.live_call import Owner
from runner.model.reception import RingResult
from runner.model.record import CallRecord, Deed
from runner.model.values import Instant
from runner.serve import call_log
from runner.serve.api_client import ApiClient
from runner.serve.call_meter import CallMeter
from runner.serve.call_orders import CallOrders
from runner.serve.call_slot import CallSlot
from runner.serve.call_timers import CallTimers
from runner.serve.call_watch import CallWatch, Follower, Watches
from runner.serve.event_queue import EventQueue
from runner.serve.hold import Hold, SoleHold
from runner.serve.latch import Latch
from runner.serve.live_sideband import LiveSideband
from runner.serve.metrics import Metrics
from runner.serve.ring_outcome import RingOutcome
from runner.serve.sideband import Sidebands
from runner.serve.taking_apart import forget_traces, take_apart
from runner.serve.timeouts import Timeouts
from runner.serve.tool_client import Sender

log = logging.getLogger("runner.serve.live_call")


class _OverError(Exception):
    """Ends the task group of the call."""


class LiveCall:
    """Serves one call from its ring to its end."""

    __slots__ = (
        "__weakref__",
        "_api",
        "_bug",
        "_clock",
        "_end_at_once",
        "_events",
        "_has_given_up",
        "_hold",
        "_is_dropped",
        "_machine",
        "_machine_follows_words",
        "_opened_or_over",
        "_orders",
        "_over",
        "_ring_outcome",
        "_ringing",
        "_sideband",
        "_slot",
        "_tasks",
        "_timers",
        "_watch",
        "_world",
        "follower",
        "id",
        "sdp",
    )

    def __init__(
        self,
        *,
        ringing: Ringing,
        world: World,
        api: ApiClient,
        sidebands: Sidebands,
        tools: Sender,
        counts: CallCounts,
        metrics: Metrics,
        timeouts: Timeouts,
        hold: Hold | None = None,
        taken_over: CallMachine | None = None,
        watches: Sequence[CallWatch] = (),
        clock: Callable[[], Instant] = time.time,
    ) -> None:
        """`taken_over` is the machine of a call that another process has served until now.

        `watches` observe the call, besides the one that counts for `metrics`.
        """
        self.id = ringing.call_id
        self._ringing = ringing
        self._world = world
        self._api = api
        self._watch = Watches((CallMeter(metrics.served), *watches))
        self._clock = clock
        self._hold = hold or SoleHold()
        self._orders = CallOrders(
            api=api,
            tools=tools,
            hold=self._hold,
            timeouts=timeouts,
        )
        self._over = Latch()
        self._sideband = LiveSideband(
            call_id=self.id,
            api=api.api,
            sidebands=sidebands,
            timeouts=timeouts,
            hold=self._hold,
            happen=self._happen,
            follows_words=self._follows_words,
            spawn=self._spawn,
            over=self._over,
        )
        self._machine = taken_over
        self._slot = CallSlot(counts=counts, hold=self._hold, metrics=metrics, created_at=ringing.created_at)
        self._ring_outcome = RingOutcome(metrics)
        self._tasks = asyncio.TaskGroup()
        self._timers = CallTimers(self._timer_fired, clock)
        self._opened_or_over = Latch()
        self._events = EventQueue(
            handle=self._handle,
            spawn=self._spawn,
            over=self._over,
            hold=self._hold,
            orders=self._orders,
            clock=clock,
        )
        self.sdp = ""
        """The SDP answer for the call's browser."""
        self._machine_follows_words = False
        """Kept beside the machine: it is asked for each word."""
        self._bug: Exception | None = None
        self._has_given_up = False
        self._is_dropped = False
        self._end_at_once: str | None = None
        """The reason, when the end was requested before the call began."""
        self.follower: Follower | None = None
        """The current follower; without one, nothing is kept for followers."""

    @property
    def machine(self) -> CallMachine | None:
        """The machine, to be read and not to be fed; None before the call is served."""
        return self._machine

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens to it here; its record may not be saved yet."""
        return self._over.is_set

    @property
    def is_answered(self) -> bool:
        """Whether the API has put the caller through to us."""
        return self._ring_outcome.is_answered

    @property
    def api_call_id(self) -> str:
        """The API's id of the call."""
        return self._machine.reception.api_call_id if self._machine is not None else self.id

    async def served(self, within_s: float) -> None:
        """Wait up to `within_s` until the sideband is open, or the call is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._opened_or_over.wait()

    def hears_us(self) -> None:
        """The browser reports that its media are connected."""
        self._happen(CallerConnected())

    async def run(self) -> CallRecord | None:
        """Serve the call until it is over, and return its record; None when it was not answered.

        A bug of ours ends this call, hung up and recorded as failed, and no other.
        """
        self._ring_outcome.begin()
        try:
            async with self._tasks:
                if self._machine is None:
                    self._ring()
                else:
                    self._take_over(self._machine)
                try:
                    await self._over.wait()
                finally:
                    # Also when a task of the call has failed: no further one is begun.
                    self._over.set()
                    self._opened_or_over.set()
                raise _OverError
        except ExceptionGroup as group:
            over, bugs = group.split(_OverError)
            self._bug = self._bug or bugs
            if over is not None:
                forget_traces(group, over, *over.exceptions)
        finally:
            self._timers.cancel()
            self._slot.free()
            await self._sideband.close()
            if self.follower is not None:
                self.follower.over(moved=self._is_dropped)
        record = None
        try:
            record = await self._record()
            return record
        finally:
            self._watch.ends(record, self._clock())
            self._ring_outcome.settle(RingResult.FAILED)

    async def ring_result(self) -> RingResult:
        """Wait for the result of the ringing."""
        return await self._ring_outcome.known()

    def end(self, reason: str) -> None:
        """End the call from outside, e.g. when the drain time is over."""
        if self.is_answered:
            self._happen(EndRequested(reason=reason))
        else:
            self._end_at_once = reason

    async def steer(self, steered: Steered) -> Deed | None:
        """Carry out a person's act, and return it as the machine has left it; None when the call is over."""
        self._happen(steered)
        await self.settle()
        return self._machine.deed(steered.id) if self._machine is not None else None

    async def settle(self) -> None:
        """Wait until the events that had to wait are handled."""
        await self._events.settle()

    def drop(self) -> None:
        """Another runner serves the call: do nothing more, without a sound, a hang-up or a record."""
        self._is_dropped = True
        self._over.set()

    @property
    def owner(self) -> Owner | None:
        """In whose name the record is saved."""
        return self._hold.owner

    async def release(self) -> None:
        """Release the hold on the call."""
        try:
            if not self._is_dropped:
                await self._hold.release(was_served=self.is_answered)
        finally:
            self._let_go()

    def _let_go(self) -> None:
        """Break the cycles in what is left of the call, so that it goes without the garbage collector."""
        machine, self._machine = self._machine, None
        if machine is not None:
            take_apart(machine)
        self._watch = Watches(())
        self._tasks = asyncio.TaskGroup()
        self._bug = None
        self._timers.let_go()
        self._events.let_go()
        self._sideband.let_go()

    def give_up(self) -> None:
        """Do nothing more, e.g. when the API accepts no hang-up: the record says what is known."""
        self._has_given_up = True
        self._over.set()

    def jobs(self, record: CallRecord) -> tuple[Job, ...]:
        """The jobs after the call."""
        return self._machine.jobs(record, self._clock()) if self._machine is not None else ()

    async def _record(self) -> CallRecord | None:
        if self._is_dropped:
            return None
        if self._bug is not None:
            return await self._failed(self._bug)
        record = self._machine.record() if self._machine is not None else None
        if record is None or not self._has_given_up:
            return record
        fault = "the call was given up before the API said that it is over"
        return replace(record, ended_at=self._clock(), faults=(*record.faults, fault))

    async def _failed(self, bug: Exception) -> CallRecord | None:
        """A bug of ours: leave nobody ringing, or talking to an agent that nobody serves."""
        log.error("call failed by a bug of ours", exc_info=bug, extra={"call_id": self.id})
        if not self.is_answered:
            if isinstance(self._ringing.origin, SipOrigin):
                await self._api.carry_out(RejectCall(status=UNAVAILABLE_STATUS), self.id)
            return None
        await self._api.carry_out(HangUp(), self.api_call_id)
        record = self._machine.record() if self._machine is not None else None
        if record is None:
            return None
        return replace(
            record,
            ended="failed",
            detail="a bug of ours; the log has its traceback",
            ended_at=record.ended_at or self._clock(),
        )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self._tasks.create_task(work)

    # The machine

    def _ring(self) -> None:
        now = self._clock()
        machine, actions = CallMachine.ring(self._ringing, self._world, now)
        self._machine = machine
        self._hold.append(now, self._ringing)
        call_log.rings(machine)
        self._watch.begins(machine, now)
        self._do(actions)
        self._ring_outcome.note(machine)

    def _take_over(self, machine: CallMachine) -> None:
        """Continue where the previous process has left the call. Past timers fire at once, in order."""
        call_log.taken_over(machine)
        self._watch.begins(machine, self._clock())
        if machine.agent is not None:
            self._slot.take_over(machine.agent.id)
        if machine.reception.result is not None:
            self._ring_outcome.settle(machine.reception.result)
        else:
            self._api.may_have_decided(self.id)
        for timer, at in sorted(machine.timers.items(), key=lambda each: each[1]):
            self._timers.set(timer, at)
        self._happen(TakenOver())

    def _happen(self, event: CallEvent) -> None:
        """Give an event to the machine, and words to the follower."""
        machine = self._machine
        if machine is None or self._over.is_set:
            return
        if self.follower is not None and isinstance(event, TranscriptGrew):
            self.follower.words(event)
            if not machine.follows_words:
                return
        self._events.put(machine, event)

    def _handle(self, machine: CallMachine, event: CallEvent, now: Instant) -> None:
        """Any error of the machine is a bug of ours, and ends the call as one."""
        try:
            call_log.happened(event)
            if isinstance(event, SidebandOpened):
                self._opened_or_over.set()
            actions = machine.handle(event, now)
            self._machine_follows_words = machine.follows_words
            self._do(actions)
            self._watch.handled(event, actions, now)
            if self._ring_outcome.result is None:
                self._ring_outcome.note(machine)
                if self.is_answered and self._end_at_once is not None:
                    self.end(self._end_at_once)
            if self.follower is not None:
                self.follower.changed()
        except Exception as bug:
            self._bug = bug
            self._over.set()

    def _do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case (
                    Speak()
                    | Interrupt()
                    | AddItem()
                    | RemoveItem()
                    | SwitchAgent()
                    | Approve()
                    | SendOutput()
                ):
                    self._sideband.send(action)
                case SetTimer(timer=timer, at=at):
                    self._timers.set(timer, at)
                case ClearTimer(timer=timer):
                    self._timers.clear(timer)
                case SendRequest():
                    self._spawn(self._request(action))
                case AnswerCall() | RejectCall() | Refer() | HangUp():
                    self._spawn(self._order(action))
                case ClaimCall():
                    self._claim(action)
                case OpenSideband(again=again):
                    self._spawn(self._sideband.attend(self.api_call_id, again=again))
                case Log():
                    call_log.told(action)
                case Finish():
                    self._over.set()
                case _:
                    assert_never(action)

    # Orders to the API

    def _claim(self, claim: ClaimCall) -> None:
        replied = self._slot.claim_here(claim)
        if replied is None:
            self._spawn(self._claim_from_all(claim))
        else:
            self._happen(replied)

    async def _claim_from_all(self, claim: ClaimCall) -> None:
        replied = await self._slot.claim_from_all(claim)
        if self._hold.fence > 1:
            # A runner that was lost had the call before, and may have answered it.
            self._api.may_have_decided(self.id)
        self._happen(replied)

    async def _order(self, order: Order) -> None:
        event = await self._orders.carry_out(order, self.api_call_id)
        is_answered = isinstance(event, AnswerReplied) and event.decided is Decided.DONE
        if is_answered:
            self._slot.keep()
        if isinstance(event, AnswerReplied):
            self.sdp = event.sdp
        self._happen(event)
        if is_answered:
            await self._hold.answered(self.api_call_id)

    async def _request(self, send: SendRequest) -> None:
        self._happen(await self._orders.request(send))

    def _timer_fired(self, timer: Timer) -> None:
        self._happen(TimerFired(timer=timer))

    def _follows_words(self) -> bool:
        return self._machine_follows_words or (self.follower is not None and self.follower.wants_words)
