"""Drives the machine of one call: hands it each event, has its actions carried out, and lets others watch."""

from collections.abc import Sequence

from runner.call.machine.machine import CallMachine
from runner.call.machine.world import World
from runner.model.agent import Agent
from runner.model.call import Ringing
from runner.model.conversation_event import TranscriptGrew
from runner.model.event import CallEvent, EndRequested, SidebandOpened, TakenOver
from runner.model.reception import RingResult
from runner.model.record import CallRecord
from runner.model.values import Instant
from runner.serve import call_log
from runner.serve.call_actions import CallActions, SharedByCalls
from runner.serve.call_context import CallContext
from runner.serve.call_meter import CallMeter
from runner.serve.call_watch import CallWatch, Follower, Watches
from runner.serve.event_queue import EventQueue
from runner.serve.fleet.hold import CallHold
from runner.serve.latch import Latch
from runner.serve.ring_outcome import RingOutcome
from runner.serve.taking_apart import take_apart


class CallDriver:
    """The machine of one call at work."""

    __slots__ = (
        "_actions",
        "_agent",
        "_end_at_once",
        "_events",
        "_follower",
        "_watch",
        "_world",
        "bug",
        "context",
        "machine",
        "opened_or_over",
        "over",
        "ring_outcome",
        "ringing",
    )

    def __init__(
        self,
        ringing: Ringing,
        world: World,
        shared: SharedByCalls,
        *,
        hold: CallHold,
        taken_over: CallMachine | None = None,
        watches: Sequence[CallWatch] = (),
    ) -> None:
        """`taken_over` is the machine of a call that another process has served until now.

        `watches` observe the call, besides the one that counts for the metrics.
        """
        self.machine = taken_over
        """To be read and not to be fed; None until `begin`, and once the call is let go."""
        self.ring_outcome = RingOutcome(shared.metrics)
        self.over = Latch()
        """Set when nothing more happens to the call here."""
        self.opened_or_over = Latch()
        self.bug: Exception | None = None
        """The bug of ours that has ended the call."""
        self._agent: Agent | None = None
        """The agent that has served the call so far."""
        self._follower: Follower | None = None
        self.ringing = ringing
        self._world = world
        self._watch = Watches((CallMeter(shared.metrics.served), *watches))
        self.context = CallContext(
            call_id=ringing.call_id,
            hold=hold,
            over=self.over,
            happen=self.happen,
            timeouts=shared.timeouts,
            clock=shared.clock,
        )
        self._actions = CallActions(self.context, shared, created_at=ringing.created_at)
        self._events = EventQueue(context=self.context, handle=self._handle, orders=self._actions.orders)
        self._end_at_once: str | None = None
        """The reason, when the end was requested before the call began."""

    @property
    def is_answered(self) -> bool:
        """Whether the API has put the caller through to us."""
        return self.ring_outcome.is_answered

    @property
    def sdp(self) -> str:
        """The SDP answer for the call's browser."""
        return self._actions.sdp

    @property
    def api_call_id(self) -> str:
        """The API's id of the call."""
        return self.machine.reception.api_call_id if self.machine is not None else self.ringing.call_id

    @property
    def follower(self) -> Follower | None:
        """The current follower; without one, nothing is kept for followers."""
        return self._follower

    @follower.setter
    def follower(self, follower: Follower | None) -> None:
        self._follower = follower
        self._note_words()

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
        if self._follower is not None and isinstance(event, TranscriptGrew):
            self._follower.words(event)
            if not machine.follows_words:
                return
        self._events.put(machine, event)

    async def settle(self) -> None:
        """Wait until the events that had to wait are handled."""
        await self._events.settle()

    def leave(self) -> None:
        """Another runner serves the call: do nothing more here."""
        if self.machine is not None and not self.over.is_set:
            self._events.leave(self.machine)
        self.over.set()

    def end(self, reason: str) -> None:
        """End the call from outside; one that still rings once it is answered."""
        if self.is_answered:
            self.happen(EndRequested(reason=reason))
        else:
            self._end_at_once = reason

    async def close(self, *, moved: bool) -> None:
        """Free what the call has needed. `moved`: another runner serves it from now on."""
        await self._actions.close(moved=moved)
        if self._follower is not None:
            self._follower.over(moved=moved)

    def report_end(self, record: CallRecord | None) -> None:
        """Report the end of the call to those who watch it or wait for it to be answered."""
        self._watch.ends(record, self.context.clock())
        self.ring_outcome.settle(RingResult.FAILED)

    def let_go(self) -> None:
        """Break the cycles in what is left, so that it goes without the garbage collector."""
        machine, self.machine = self.machine, None
        if machine is not None:
            take_apart(machine)
        self._watch = Watches(())
        self._events.let_go()
        self._actions.let_go()
        self.context.let_go()

    def _ring(self) -> None:
        now = self.context.clock()
        machine, actions = CallMachine.ring(self.ringing, self._world, now)
        self.machine = machine
        self.context.hold.append(now, self.ringing)
        call_log.rings(machine)
        self._watch.begins(machine, now)
        self._actions.carry_out(actions, machine)
        self.ring_outcome.note(machine)

    def _take_over(self, machine: CallMachine) -> None:
        call_log.taken_over(machine)
        self._agent = machine.agent
        self._note_words()
        self._watch.begins(machine, self.context.clock())
        if machine.reception.result is not None:
            self.ring_outcome.settle(machine.reception.result)
        self._actions.take_over(machine)
        self.happen(TakenOver())

    def _handle(self, machine: CallMachine, event: CallEvent, now: Instant) -> None:
        """Any error of the machine is a bug of ours, and ends the call as one."""
        try:
            if type(event) in call_log.LOGGED:
                call_log.happened(event, self.ringing.call_id)
            if isinstance(event, SidebandOpened):
                self.opened_or_over.set()
            actions = machine.handle(event, now)
            if actions:
                if machine.agent is not self._agent:
                    self._agent = machine.agent
                    self._note_words()
                self._actions.carry_out(actions, machine)
            self._watch.handled(event, actions, now)
            if self.ring_outcome.result is None:
                self.ring_outcome.note(machine)
                if self.is_answered and self._end_at_once is not None:
                    self.end(self._end_at_once)
            if self._follower is not None:
                self._follower.changed()
        except Exception as bug:
            self.bug = bug
            self.over.set()

    def _note_words(self) -> None:
        """Nobody is asked with each frame of a call whose words nobody can follow."""
        machine_follows = self.machine is not None and self.machine.follows_words
        can_follow = machine_follows or self._follower is not None
        self._actions.follow_words(self._follows_words if can_follow else None)

    def _follows_words(self) -> bool:
        machine_follows = self.machine is not None and self.machine.follows_words
        return machine_follows or (self._follower is not None and self._follower.wants_words)
