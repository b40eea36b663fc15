"""Watches of live calls: what looks on while a call is served, to count it or to trace it.

A watch decides nothing, and costs no call: whatever it raises is a bug of ours that the log tells.
"""

import logging
from collections.abc import Iterable, Sequence
from typing import Protocol

from runner.call.machine.machine import CallMachine
from runner.model.action import Action
from runner.model.agent import Agent
from runner.model.event import CallEvent, TranscriptGrew
from runner.model.record import CallRecord
from runner.model.values import Instant

log = logging.getLogger("runner.serve.call_watch")

UNKNOWN_TOOL = "unknown"
"""What is told for a tool that no agent declares: the model may make up anything."""


class CallWatch(Protocol):
    """Looks on at one call."""

    def begins(self, machine: CallMachine, now: Instant) -> None:
        """The call has rung, or is taken over from another process. The machine is only read."""

    def handled(self, event: CallEvent, actions: Sequence[Action], now: Instant) -> None:
        """The machine was given this event, and decided on these actions."""

    def ends(self, record: CallRecord | None, now: Instant) -> None:
        """Nothing more will happen here. No record: the call was not answered, or another runner has it."""


class Follower(Protocol):
    """Follows one call for whoever looks at it now. Nothing that it does may fail."""

    @property
    def wants_words(self) -> bool:
        """Whether it wants to hear words as they come."""

    def words(self, grew: TranscriptGrew) -> None:
        """More words came."""

    def changed(self) -> None:
        """The call may look otherwise than before."""

    def over(self, *, moved: bool) -> None:
        """The call is over, or (`moved`) served by another runner from now on."""


class ServedAgents:
    """The agents that have served a call, as a watch has seen them."""

    def __init__(self) -> None:
        self._agents: list[Agent] = []

    @property
    def current(self) -> Agent | None:
        """The one that serves the call now; None before it is to be answered."""
        return self._agents[-1] if self._agents else None

    def note(self, machine: CallMachine) -> bool:
        """Look who serves the call now; whether that is another one than before."""
        agent = machine.agent
        if agent is None or agent is self.current:
            return False
        self._agents.append(agent)
        return True

    def that_declares(self, tool: str) -> Agent | None:
        """The latest that has a tool of this name; None for a name that the model has made up."""
        return next((agent for agent in reversed(self._agents) if agent.tool(tool) is not None), None)


class Watches:
    """Several watches of one call as one. A watch that has failed looks on no more."""

    def __init__(self, watches: Iterable[CallWatch]) -> None:
        self._watches = tuple(watches)

    def begins(self, machine: CallMachine, now: Instant) -> None:
        """See `CallWatch`."""
        for watch in self._watches:
            try:
                watch.begins(machine, now)
            except Exception:
                self._drop(watch)

    def handled(self, event: CallEvent, actions: Sequence[Action], now: Instant) -> None:
        """See `CallWatch`."""
        for watch in self._watches:
            try:
                watch.handled(event, actions, now)
            except Exception:
                self._drop(watch)

    def ends(self, record: CallRecord | None, now: Instant) -> None:
        """See `CallWatch`."""
        for watch in self._watches:
            try:
                watch.ends(record, now)
            except Exception:
                self._drop(watch)

    def _drop(self, failed: CallWatch) -> None:
        log.exception("call is not watched any more")
        self._watches = tuple(watch for watch in self._watches if watch is not failed)
