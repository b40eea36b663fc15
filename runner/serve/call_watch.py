"""Watches of live calls: they observe a call while it is served, to count it or to trace it.

A watch decides nothing, and an error in it is a bug of ours that is logged and costs no call.
"""

import logging
from collections.abc import Iterable, Sequence
from typing import Protocol

from runner.call.machine.machine import CallMachine
from runner.model.action import Action
from runner.model.agent import Agent
from runner.model.conversation_event import TranscriptGrew
from runner.model.event import CallEvent
from runner.model.record import CallRecord
from runner.model.values import Instant

log = logging.getLogger("runner.serve.call_watch")

UNKNOWN_TOOL = "unknown"
"""The label of a tool that no agent declares: the model may make up anything."""


class CallWatch(Protocol):
    """Observes one call."""

    def begins(self, machine: CallMachine, now: Instant) -> None:
        """The call has rung, or was taken over from another process. The machine is only read."""

    def handled(self, event: CallEvent, actions: Sequence[Action], now: Instant) -> None:
        """The machine has handled this event with these actions."""

    def ends(self, record: CallRecord | None, now: Instant) -> None:
        """Nothing more happens here. Without a record the call was not answered, or another runner has it."""


class Follower(Protocol):
    """Follows one call for its readers. Nothing that it does may fail."""

    @property
    def wants_words(self) -> bool:
        """Whether it needs words as they come."""

    def words(self, grew: TranscriptGrew) -> None:
        """More words came."""

    def changed(self) -> None:
        """The view of the call may have changed."""

    def over(self, *, moved: bool) -> None:
        """The call is over, or (`moved`) served by another runner from now on."""


class ServedAgents:
    """The agents that have served a call, as a watch has seen them."""

    __slots__ = ("_agents", "current")

    def __init__(self) -> None:
        self._agents: tuple[Agent, ...] = ()
        self.current: Agent | None = None
        """The agent that serves the call now; None before the call is answered."""

    def note(self, machine: CallMachine) -> bool:
        """Check which agent serves the call; returns whether it has changed."""
        agent = machine.agent
        if agent is None or agent is self.current:
            return False
        self._agents = (*self._agents, agent)
        self.current = agent
        return True

    def that_declares(self, tool: str) -> Agent | None:
        """The latest that has a tool of this name; None for a name that the model has made up."""
        return next((agent for agent in reversed(self._agents) if agent.tool(tool) is not None), None)


class Watches:
    """Several watches of one call as one. A watch that has failed is dropped."""

    __slots__ = ("_watches",)

    def __init__(self, watches: Iterable[CallWatch]) -> None:
        self._watches = tuple(watches)

    def begins(self, machine: CallMachine, now: Instant) -> None:
        for watch in self._watches:
            try:
                watch.begins(machine, now)
            except Exception:
                self._drop(watch)

    def handled(self, event: CallEvent, actions: Sequence[Action], now: Instant) -> None:
        for watch in self._watches:
            try:
                watch.handled(event, actions, now)
            except Exception:
                self._drop(watch)

    def ends(self, record: CallRecord | None, now: Instant) -> None:
        for watch in self._watches:
            try:
                watch.ends(record, now)
            except Exception:
                self._drop(watch)

    def _drop(self, failed: CallWatch) -> None:
        log.exception("watch of a call failed")
        self._watches = tuple(watch for watch in self._watches if watch is not failed)
