"""One call, decided, from its ring to its record: events in, actions out. The program's one state machine.

It drives real calls and everything that plays calls offline, and it knows no clock, no socket and no event
name of an API. `runner.call.machine.phase` is the table of its phases. Two tables say what an event does in
each of them: `runner.call.machine.reception` for a call that rings, and `runner.call.machine.session_events`
for one that was answered. The same events at the same instants give the same actions, so a call that has lost
its process is what its journal says.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Self

from runner.call.addresses.incoming import incoming_call
from runner.call.machine import session_events
from runner.call.machine.lookup import DEADLINE
from runner.call.machine.phase import UNANSWERED, CallPhase, Phase
from runner.call.machine.reception import Reception
from runner.call.machine.session import Session
from runner.call.machine.world import World
from runner.call.records.deeds import Deeds
from runner.call.records.redaction import Redactor
from runner.call.routes.routing import RouteTable
from runner.model.action import Action, AnswerCall, ClearTimer, Finish, SetTimer, Timer
from runner.model.agent import Agent
from runner.model.call import IncomingCall, Ringing
from runner.model.event import AnswerReplied, CallEvent, ClaimReplied, Decided, Replied, TakenOver, TimerFired
from runner.model.job import Job
from runner.model.record import CallRecord, Deed, ToolUse
from runner.model.values import Instant


class CallMachine:
    """The state of one call."""

    __slots__ = ("__weakref__", "_deeds", "_phase", "call", "reception", "session", "timers")

    def __init__(self, call: IncomingCall, world: World) -> None:
        """Use `ring` or `replay`."""
        self.call = call
        self.timers: dict[Timer, Instant] = {}
        """The timers that are set, and when they fire."""
        self._phase = CallPhase()
        self._deeds = Deeds()
        self.reception = Reception(call, world, self._phase, self._deeds)
        self.session: Session | None = None
        """The served half of the call; None before the API was told to answer, and for a call that never
        was."""

    @classmethod
    def ring(cls, ringing: Ringing, world: World, now: Instant) -> tuple[Self, list[Action]]:
        """A call rings: its machine, and the first actions."""
        machine = cls(incoming_call(ringing, world.routing), world)
        return machine, machine.reception.ring(now)

    @classmethod
    def replay(
        cls, ringing: Ringing, rang_at: Instant, events: Iterable[tuple[Instant, CallEvent]], world: World
    ) -> Self:
        """The machine of a call with these events behind it, in this order."""
        machine, _ = cls.ring(ringing, world, rang_at)
        for at, event in events:
            machine.handle(event, at)
        return machine

    @classmethod
    def answer(cls, ringing: Ringing, world: World, now: Instant) -> tuple[Self, AnswerCall | None]:
        """The machine of a call that is claimed and answered without waiting, its lookup with the default;
        and the answer, or None for a call that is rejected.
        """
        machine, actions = cls.ring(ringing, world, ringing.created_at)
        if machine.reception.agent is not None:
            actions = machine.handle(ClaimReplied(agent=machine.reception.agent), now)
        if machine.phase is Phase.LOOKING_UP:
            actions = machine.handle(TimerFired(timer=DEADLINE), now)
        return machine, next((action for action in actions if isinstance(action, AnswerCall)), None)

    @classmethod
    def bare(
        cls, ringing: Ringing, agent: Agent, world: World, now: Instant, *, is_answered: bool = True
    ) -> Self:
        """The machine of a live call whose journal is lost or unreadable.

        It serves the agent's instructions and tools, does not greet, and tells the model what is unknown. A
        call that may still ring (not `is_answered`) is about to be answered, and greeted.
        `session` is None where the agent's texts cannot be rendered: then nobody can serve the call.
        """
        machine, _ = cls.answer(ringing, replace(world, table=RouteTable.always(agent.id)), now)
        if is_answered:
            machine.handle(AnswerReplied(decided=Decided.DONE), now)
            if machine.session is not None:
                machine.session.connection.begin_bare(now)
        return machine

    @property
    def phase(self) -> Phase:
        """The phase of the call."""
        return self._phase.now

    @property
    def is_over(self) -> bool:
        """Whether the call is finished."""
        return self._phase.now is Phase.OVER

    @property
    def agent(self) -> Agent | None:
        """The agent that serves the call, or is about to answer it."""
        return self.session.serving.agent if self.session is not None else None

    @property
    def tools_ended(self) -> Sequence[ToolUse]:
        """The tool calls that have ended so far, in the order of their ends; unmasked, so not for display."""
        return self.session.builder.tools_ended if self.session is not None else ()

    @property
    def follows_words(self) -> bool:
        """Whether any part needs the agent's words as they come."""
        return self.session is not None and self.session.follows_words

    @property
    def deeds(self) -> tuple[Deed, ...]:
        """The acts of people on the call, refused ones included."""
        return self._deeds.all

    def deed(self, deed_id: str) -> Deed | None:
        """A person's act as it stands now; None for an unknown id."""
        return self._deeds.get(deed_id)

    def handle(self, event: CallEvent, now: Instant) -> list[Action]:
        """Decide on the actions for `event`, in this order."""
        if isinstance(event, TimerFired):
            self.timers.pop(event.timer, None)
        actions = self._decide(event, now)
        for action in actions:
            if isinstance(action, SetTimer):
                self.timers[action.timer] = action.at
            elif isinstance(action, ClearTimer):
                self.timers.pop(action.timer, None)
        return actions

    def _decide(self, event: CallEvent, now: Instant) -> list[Action]:
        if self._phase.now is Phase.OVER:
            # Whoever has served it to its end was lost before the record was saved.
            return [Finish()] if isinstance(event, TakenOver) else []
        if self._phase.now in UNANSWERED:
            actions = self.reception.handle(event, now)
            self.session = self.reception.session
            return actions
        if self.session is None or (isinstance(event, Replied) and event.call_id == self.call.id):
            # An attempt of the lookup that ended after the call was answered without it.
            return []
        return session_events.handle(self.session, event, now)

    @property
    def takes_long(self) -> bool:
        """Whether record and jobs may take longer to make than other calls may wait."""
        return self.session is not None and self.session.takes_long

    def record(self) -> CallRecord | None:
        """The record as it stands now, masked as its agents declare.

        None for a call that was not answered.
        """
        return self.session.record() if self.session is not None else None

    def bare_record(self, now: Instant) -> CallRecord | None:
        """For a call whose record a bug of ours keeps from being masked: nothing that would need it."""
        self.fail(now)
        return self.session.bare_record() if self.session is not None else None

    def recent(self, most: int) -> CallRecord | None:
        """The same with the last turns and tool calls alone, for those who look while the call lasts."""
        return self.session.recent(most) if self.session is not None else None

    def redactor(self, secrets: Iterable[str] = ()) -> Redactor:
        """Masks what is known now, as the record is, and all secrets: these of a request, and the declared
        ones."""
        secrets = (*self.reception.world.secrets.values(), *secrets)
        if self.session is None:
            agent = self.reception.world.agents.get(self.reception.agent or "")
            return Redactor([agent.record] if agent is not None else [], secrets)
        redactor = self.session.redactor(secrets)
        redactor.learn(self.session.builder.tools.values())
        return redactor

    def give_up(self, now: Instant) -> None:
        """Nobody learns any more when the call leaves the API: write that into its record."""
        if self.session is not None:
            self.session.builder.give_up(now)

    def fail(self, now: Instant) -> None:
        """A bug of ours has ended the call: write that into its record."""
        if self.session is not None:
            self.session.builder.fail(now)

    def jobs(self, record: CallRecord, now: Instant) -> tuple[Job, ...]:
        """The jobs that are due once the call is over, from its record."""
        return self.session.jobs(record, now) if self.session is not None else ()
