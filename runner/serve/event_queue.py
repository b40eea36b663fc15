"""Hands the events of one call to its machine, one after the other, each written to the journal before.

Nearly all are handled at once. An event waits, and with it whatever comes behind it, in three cases:

- after a pause of this process, until the store has said whether the call is still ours;
- the first opening of the sideband, until it is in the store: no caller is greeted twice;
- a person's act, until it is in the store: none is carried out twice.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from runner.call.machine.machine import CallMachine
from runner.call.machine.phase import Phase
from runner.model.conversation_event import Ignored
from runner.model.event import CallEvent, SidebandOpened, Steered
from runner.model.values import Instant
from runner.serve.call_context import CallContext
from runner.serve.call_orders import WRITTEN_S, CallOrders

_WRITTEN_FIRST = frozenset({SidebandOpened, Steered})


@dataclass(slots=True, kw_only=True, eq=False)
class EventQueue:
    """The one way into the machine of a call."""

    context: CallContext
    handle: Callable[[CallMachine, CallEvent, Instant], None]
    """Called with each event until the call is over."""
    orders: CallOrders
    _waiting: list[CallEvent] | None = field(default=None, init=False)
    _catching_up: asyncio.Task[None] | None = field(default=None, init=False)

    def put(self, machine: CallMachine, event: CallEvent) -> None:
        """Have the machine handle an event, now or once it may."""
        context = self.context
        is_first = type(event) in _WRITTEN_FIRST and _is_written_first(machine, event)
        if self._waiting or is_first or context.hold.was_paused:
            if self._waiting:
                self._waiting.append(event)
            else:
                self._waiting = [event]
                self._catching_up = context.spawn(self._catch_up(machine, self._waiting))
            return
        now = context.clock()
        if type(event) is not Ignored:
            context.hold.append(now, event)
        self.handle(machine, event, now)

    async def settle(self) -> None:
        """Wait until the events that had to wait are handled."""
        if self._catching_up is not None:
            await asyncio.wait([self._catching_up])

    def leave(self, machine: CallMachine) -> None:
        """Another runner serves the call: only the journal tells it what waits here, such as a tool call."""
        waiting = self._waiting or []
        if waiting and _is_written_first(machine, waiting[0]):
            waiting = waiting[1:]  # The first is perhaps in the journal already.
        for event in waiting:
            if type(event) is not Ignored:
                self.context.hold.append(self.context.clock(), event)

    def let_go(self) -> None:
        """The call is over: break the cycle with it."""
        del self.handle
        self._catching_up = None

    async def _catch_up(self, machine: CallMachine, waiting: list[CallEvent]) -> None:
        while waiting and not self.context.over.is_set:
            await self.context.hold.looked()
            event, now = waiting[0], self.context.clock()
            if type(event) is not Ignored:
                self.context.hold.append(now, event)
            if _is_written_first(machine, event):
                await self.orders.is_written(WRITTEN_S)
                # This process may have stood still while it waited.
                await self.context.hold.looked()
            if not self.context.over.is_set:
                self.handle(machine, event, now)
            del waiting[0]
        self._waiting = self._catching_up = None


def _is_written_first(machine: CallMachine, event: CallEvent) -> bool:
    if type(event) is SidebandOpened:
        return machine.phase is Phase.WAITING
    return type(event) is Steered
