"""Drives the machine of one call: feeds it what happens, and carries out what it decides.

Owns everything that the call needs while it lasts: the sideband, the timers, the requests, the slot.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never

from runner.api.port import Order, SidebandAction
from runner.call.machine.call_counts import CallCounts
from runner.call.machine.machine import CallMachine
from runner.call.machine.world import World
from runner.model.action import (
    Action,
    ClaimCall,
    ClearTimer,
    Finish,
    Log,
    OpenSideband,
    SendRequest,
    SetTimer,
    Timer,
)
from runner.model.call import Ringing
from runner.model.conversation_event import TranscriptGrew
from runner.model.event import (
    AnswerReplied,
    CallEvent,
    EndRequested,
    SidebandOpened,
    TakenOver,
    TimerFired,
)
from runner.model.reception import RingResult
from runner.model.record import CallRecord
from runner.model.values import Instant
from runner.serve import call_log
from runner.serve.call_meter import CallMeter
from runner.serve.call_orders import CallOrders
from runner.serve.call_slot import CallSlot
from runner.serve.call_timers import CallTimers
from runner.serve.call_watch import CallWatch, Follower, Watches
from runner.serve.clients import Clients
from runner.serve.event_queue import EventQueue
from runner.serve.hold import Hold
from runner.serve.latch import Latch
from runner.serve.live_sideband import LiveSideband
from runner.serve.metrics import Metrics
from runner.serve.pace import Pace
from runner.serve.ring_outcome import RingOutcome
from runner.serve.taking_apart import take_apart
from runner.serve.timeouts import Timeouts

MOST_ENDINGS = 8
"""Calls that are closed in one turn of the event loop: each takes some tenths of a millisecond."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What the live calls of a process share."""

    clients: Clients
    counts: CallCounts
    metrics: Metrics
    timeouts: Timeouts
    clock: Callable[[], Instant] = time.time
    endings: Pace = field(default_factory=lambda: Pace(MOST_ENDINGS))
    """Many calls may end, or be another runner's, at the same moment."""


class CallDriver:
    """The machine of one call, and everything that it needs to act."""

    __slots__ = (
        "_api",
        "_clock",
        "_end_at_once",
        "_events",
        "_hold",
        "_machine_follows_words",
        "_orders",
        "_ringing",
        "_sideband",
        "_slot",
        "_spawn",
        "_timers",
        "_watch",
        "_world",
        "bug",
        "follower",
        "machine",
        "opened_or_over",
        "over",
        "ring_outcome",
        "sdp",
    )

    def __init__(
        self,
        ringing: Ringing,
        world: World,
        shared: Shared,
        *,
        hold: Hold,
        taken_over: CallMachine | None,
        watches: Sequence[CallWatch],
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        """`spawn` starts a task that ends with the call; for the rest see `LiveCall`."""
        self.machine = taken_over
        """To be read and not to be fed; None until `begin`, and once the call is let go."""
        self.ring_outcome = RingOutcome(shared.metrics)
        self.over = Latch()
        """Set when nothing more happens to the call here."""
        self.opened_or_over = Latch()
        self.bug: Exception | None = None
        """The bug of ours that has ended the call."""
        self.sdp = ""
        """The SDP answer for the call's browser."""
        self.follower: Follower | None = None
        """The current follower; without one, nothing is kept for followers."""
        self._ringing = ringing
        self._world = world
        self._api = shared.clients.api
        self._watch = Watches((CallMeter(shared.metrics.served), *watches))
        self._clock = shared.clock
        self._hold = hold
        self._spawn = spawn
        self._orders = CallOrders(
            api=self._api, tools=shared.clients.endpoints, hold=hold, timeouts=shared.timeouts
        )
        self._sideband = LiveSideband(
            call_id=ringing.call_id,
            api=self._api.api,
            sidebands=shared.clients.sidebands,
            timeouts=shared.timeouts,
            hold=hold,
            happen=self.happen,
            follows_words=self._follows_words,
            spawn=spawn,
            over=self.over,
        )
        self._slot = CallSlot(
            counts=shared.counts, hold=hold, metrics=shared.metrics, created_at=ringing.created_at
        )
        self._timers = CallTimers(self._timer_fired, self._clock)
        self._events = EventQueue(
            handle=self._handle,
            spawn=spawn,
            over=self.over,
            hold=hold,
            orders=self._orders,
            clock=self._clock,
        )
        self._machine_follows_words = False
        """Kept beside the machine: it is asked for each word."""
        self._end_at_once: str | None = None
        """The reason, when the end was requested before the call began."""

    @property
    def is_answered(self) -> bool:
        """Whether the API has put the caller through to us."""
        return self.ring_outcome.is_answered

    @property
    def api_call_id(self) -> str:
        """The API's id of the call."""
        return self.machine.reception.api_call_id if self.machine is not None else self._ringing.call_id

    def begin(self) -> None:
        """Let the call ring, or continue where the previous process has left it."""
        self.ring_outcome.begin()
        if self.machine is None:
            self._ring()
        else:
            self._take_over(self.machine)

    def happen(self, event: CallEvent) -> None:
        """Give an event to the machine, and words to the follower."""
        machine = self.machine
        if machine is None or self.over.is_set:
            return
        if self.follower is not None and isinstance(event, TranscriptGrew):
            self.follower.words(event)
            if not machine.follows_words:
                return
        self._events.put(machine, event)

    async def settle(self) -> None:
        """Wait until the events that had to wait are handled."""
        await self._events.settle()

    def end(self, reason: str) -> None:
        """End the call from outside; one that still rings once it is answered."""
        if self.is_answered:
            self.happen(EndRequested(reason=reason))
        else:
            self._end_at_once = reason

    async def close(self, *, moved: bool) -> None:
        """Free what the call has needed. `moved`: another runner serves it from now on."""
        self._timers.cancel()
        self._slot.free()
        await self._sideband.close()
        if self.follower is not None:
            self.follower.over(moved=moved)

    def report_end(self, record: CallRecord | None) -> None:
        """Report the end of the call to those who watch it or wait for it to be answered."""
        self._watch.ends(record, self._clock())
        self.ring_outcome.settle(RingResult.FAILED)

    def let_go(self) -> None:
        """Break the cycles in what is left, so that it goes without the garbage collector."""
        machine, self.machine = self.machine, None
        if machine is not None:
            take_apart(machine)
        self._watch = Watches(())
        self._timers.let_go()
        self._events.let_go()
        self._sideband.let_go()
        del self._spawn

    def _ring(self) -> None:
        now = self._clock()
        machine, actions = CallMachine.ring(self._ringing, self._world, now)
        self.machine = machine
        self._hold.append(now, self._ringing)
        call_log.rings(machine)
        self._watch.begins(machine, now)
        self._do(actions)
        self.ring_outcome.note(machine)

    def _take_over(self, machine: CallMachine) -> None:
        """Continue where the previous process has left the call. Past timers fire at once, in order."""
        call_log.taken_over(machine)
        self._watch.begins(machine, self._clock())
        if machine.agent is not None:
            self._slot.take_over(machine.agent.id)
        if machine.reception.result is not None:
            self.ring_outcome.settle(machine.reception.result)
        else:
            self._api.may_have_decided(self._ringing.call_id)
        for timer, at in sorted(machine.timers.items(), key=lambda each: each[1]):
            self._timers.set(timer, at)
        self.happen(TakenOver())

    def _handle(self, machine: CallMachine, event: CallEvent, now: Instant) -> None:
        """Any error of the machine is a bug of ours, and ends the call as one."""
        try:
            call_log.happened(event, self._ringing.call_id)
            if isinstance(event, SidebandOpened):
                self.opened_or_over.set()
            actions = machine.handle(event, now)
            self._machine_follows_words = machine.follows_words
            self._do(actions)
            self._watch.handled(event, actions, now)
            if self.ring_outcome.result is None:
                self.ring_outcome.note(machine)
                if self.is_answered and self._end_at_once is not None:
                    self.end(self._end_at_once)
            if self.follower is not None:
                self.follower.changed()
        except Exception as bug:
            self.bug = bug
            self.over.set()

    def _do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                # First, as most actions are one of these.
                case SetTimer(timer=timer, at=at):
                    self._timers.set(timer, at)
                case ClearTimer(timer=timer):
                    self._timers.clear(timer)
                case _ if isinstance(action, SidebandAction):
                    self._sideband.send(action)
                case SendRequest():
                    self._spawn(self._request(action))
                case _ if isinstance(action, Order):
                    self._spawn(self._order(action))
                case ClaimCall():
                    self._claim(action)
                case OpenSideband(again=again):
                    self._spawn(self._sideband.attend(self.api_call_id, again=again))
                case Log():
                    call_log.write(action, self._ringing.call_id)
                case Finish():
                    self.over.set()
                case _:
                    assert_never(action)

    # Orders to the API

    def _claim(self, claim: ClaimCall) -> None:
        replied = self._slot.claim_here(claim)
        if replied is None:
            self._spawn(self._claim_from_all(claim))
        else:
            self.happen(replied)

    async def _claim_from_all(self, claim: ClaimCall) -> None:
        replied = await self._slot.claim_from_all(claim)
        if self._hold.fence > 1:
            # A runner that was lost had the call before, and may have answered it.
            self._api.may_have_decided(self._ringing.call_id)
        self.happen(replied)

    async def _order(self, order: Order) -> None:
        event = await self._orders.carry_out(order, self.api_call_id)
        is_answered = isinstance(event, AnswerReplied) and event.decided.is_done
        if is_answered:
            self._slot.keep()
        if isinstance(event, AnswerReplied):
            self.sdp = event.sdp
        self.happen(event)
        if is_answered:
            await self._hold.answered(self.api_call_id)

    async def _request(self, send: SendRequest) -> None:
        replied = await self._orders.request(send)
        if self.machine is not None:
            call_log.replied(send, replied.reply, self.machine)
        self.happen(replied)

    def _timer_fired(self, timer: Timer) -> None:
        self.happen(TimerFired(timer=timer))

    def _follows_words(self) -> bool:
        return self._machine_follows_words or (self.follower is not None and self.follower.wants_words)
