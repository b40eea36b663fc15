"""Watches of live calls: what looks on while a call is served, to count it or to trace it.

A watch decides nothing, and costs no call: whatever it raises is a bug of ours that the log tells.
"""

import logging
from collections.abc import Iterable, Sequence
from typing import Protocol

from runner.call.machine.machine import CallMachine
from runner.model.action import Action
from runner.model.event import CallEvent
from runner.model.record import CallRecord
from runner.model.values import Instant

log = logging.getLogger("runner.serve.call_watch")


class CallWatch(Protocol):
    """Looks on at one call."""

    def begins(self, machine: CallMachine, now: Instant) -> None:
        """The call has rung, or is taken over from another process. The machine is only read."""

    def handled(self, event: CallEvent, actions: Sequence[Action], now: Instant) -> None:
        """The machine was given this event, and decided on these actions."""

    def ends(self, record: CallRecord | None, now: Instant) -> None:
        """Nothing more will happen here. No record: the call was not answered, or another runner has it."""


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
