"""Carries out what the machine of one call decides, with everything that this needs while the call lasts."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from runner.api.port import Order, SidebandAction
from runner.call.machine.call_counts import CallCounts
from runner.call.machine.machine import CallMachine
from runner.model.action import (
    Action,
    ClaimCall,
    ClearTimer,
    Finish,
    Log,
    OpenSideband,
    RemoveItem,
    SendRequest,
    SetTimer,
    Timer,
)
from runner.model.event import AnswerReplied, TimerFired
from runner.model.values import Instant
from runner.serve import call_log
from runner.serve.alarms import Alarms
from runner.serve.call_context import CallContext
from runner.serve.call_orders import CallOrders
from runner.serve.call_slot import CallSlot
from runner.serve.call_timers import CallTimers
from runner.serve.clients import Clients
from runner.serve.live_sideband import LiveSideband
from runner.serve.metrics import Metrics
from runner.serve.pace import LoopPace
from runner.serve.timeouts import Timeouts

MOST_ENDINGS = 8
"""Calls that are closed in one turn of the event loop: each takes some tenths of a millisecond."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedByCalls:
    """What the live calls of a process share."""

    clients: Clients
    counts: CallCounts
    metrics: Metrics
    timeouts: Timeouts
    clock: Callable[[], Instant] = time.time
    alarms: Alarms = field(default_factory=Alarms)
    endings: LoopPace = field(default_factory=lambda: LoopPace(MOST_ENDINGS))
    """Many calls may end, or be another runner's, at the same moment."""


class CallActions:
    """The sideband, the timers, the requests and the slot of one call."""

    __slots__ = ("_api", "_context", "_sideband", "_slot", "_timers", "orders", "sdp")

    def __init__(self, context: CallContext, shared: SharedByCalls, *, created_at: Instant) -> None:
        """`created_at` is when the call began to ring."""
        self._context = context
        self._api = shared.clients.api
        self.sdp = ""
        """The SDP answer for the call's browser."""
        self.orders = CallOrders(
            api=self._api, tools=shared.clients.endpoints, hold=context.hold, timeouts=context.timeouts
        )
        self._sideband = LiveSideband(context=context, api=self._api.api, sidebands=shared.clients.sidebands)
        self._slot = CallSlot(
            counts=shared.counts, hold=context.hold, metrics=shared.metrics, created_at=created_at
        )
        self._timers = CallTimers(self._timer_fired, context.clock, shared.alarms, call_id=context.call_id)

    def carry_out(self, actions: Sequence[Action], machine: CallMachine) -> None:
        """Carry out the actions, in this order. What takes time becomes a task of the call."""
        context = self._context
        for action in actions:
            match action:
                # First, as most actions are one of these.
                case SetTimer(timer=timer, at=at):
                    self._timers.set(timer, at)
                case ClearTimer(timer=timer):
                    self._timers.clear(timer)
                case RemoveItem(is_foreign=True):
                    context.spawn(self._remove(action))
                case _ if isinstance(action, SidebandAction):
                    self._sideband.send(action)
                case SendRequest():
                    context.spawn(self._request(action, machine))
                case _ if isinstance(action, Order):
                    context.spawn(self._order(action, machine))
                case ClaimCall():
                    self._claim(action)
                case OpenSideband(again=again):
                    context.spawn(self._sideband.attend(machine.reception.api_call_id, again=again))
                case Log():
                    call_log.write(action, context.call_id)
                case Finish():
                    context.over.set()
                case _:
                    assert_never(action)

    def follow_words(self, follows_words: Callable[[], bool] | None) -> None:
        """Ask with each frame whether anybody follows the agent's words; None where nobody can."""
        self._sideband.follows_words = follows_words

    def take_over(self, machine: CallMachine) -> None:
        """Have what the previous process has had for the call. Past timers fire at once, in order."""
        if machine.agent is not None:
            self._slot.take_over(machine.agent.id)
        if machine.reception.result is None:
            self._api.may_have_decided(self._context.call_id)
        for timer, at in sorted(machine.timers.items(), key=lambda each: each[1]):
            self._timers.set(timer, at)

    async def close(self, *, moved: bool) -> None:
        """Free what the call has needed. `moved`: another runner serves it from now on."""
        self._timers.cancel()
        self._slot.free(moved=moved)
        await self._sideband.close()

    def let_go(self) -> None:
        """The call is over: break the cycles with it."""
        self._timers.let_go()
        self._sideband.let_go()

    def _claim(self, claim: ClaimCall) -> None:
        replied = self._slot.claim_here(claim)
        if replied is None:
            self._context.spawn(self._claim_from_all(claim))
        else:
            self._context.happen(replied)

    async def _claim_from_all(self, claim: ClaimCall) -> None:
        replied = await self._slot.claim_from_all(claim)
        if self._context.hold.fence > 1:
            # A runner that was lost had the call before, and may have answered it.
            self._api.may_have_decided(self._context.call_id)
        self._context.happen(replied)

    async def _remove(self, foreign: RemoveItem) -> None:
        # A runner that has lost the call without knowing hears the outputs of the one that has it.
        await self._context.hold.may_act()
        self._sideband.send(foreign)

    async def _order(self, order: Order, machine: CallMachine) -> None:
        event = await self.orders.carry_out(order, machine.reception.api_call_id)
        is_answered = isinstance(event, AnswerReplied) and event.decided.is_done
        if is_answered:
            self._slot.keep()
        if isinstance(event, AnswerReplied):
            self.sdp = event.sdp
        self._context.happen(event)
        if is_answered:
            await self._context.hold.answered(machine.reception.api_call_id)

    async def _request(self, send: SendRequest, machine: CallMachine) -> None:
        replied = await self.orders.request(send)
        call_log.replied(send, replied.reply, machine)
        self._context.happen(replied)

    def _timer_fired(self, timer: Timer) -> None:
        self._context.happen(TimerFired(timer=timer))
