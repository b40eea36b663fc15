"""Serves one call from its ring to its record. Its driver handles what happens in between."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from contextvars import copy_context
from typing import Any, TypeVar

from runner.call.machine.machine import CallMachine
from runner.call.machine.reception import UNAVAILABLE_STATUS
from runner.model.action import HangUp, RejectCall
from runner.model.call import SipOrigin
from runner.model.conversation_event import ToolCalled
from runner.model.event import CallerConnected, Steered, ToolCallMissed
from runner.model.job import Job
from runner.model.live_call import Owner
from runner.model.reception import RingResult
from runner.model.record import CallRecord, Deed
from runner.serve.call_actions import SharedByCalls
from runner.serve.call_driver import CallDriver
from runner.serve.call_watch import Follower
from runner.serve.latch import Latch
from runner.serve.taking_apart import forget_traces

log = logging.getLogger("runner.serve.live_call")

Result = TypeVar("Result")


class _OverError(Exception):
    """Ends the task group of the call."""


class LiveCall:
    """Serves one call from its ring to its end."""

    __slots__ = (
        "__weakref__",
        "_api",
        "_driver",
        "_endings",
        "_has_given_up",
        "_is_dropped",
        "_log_context",
        "_tasks",
        "id",
    )

    def __init__(self, driver: CallDriver, shared: SharedByCalls) -> None:
        self.id = driver.ringing.call_id
        self._api = shared.clients.api
        self._driver = driver
        self._endings = shared.endings
        self._tasks = asyncio.TaskGroup()
        self._log_context = copy_context()
        driver.context.spawn = self._spawn
        self._has_given_up = False
        self._is_dropped = False

    @property
    def machine(self) -> CallMachine | None:
        """The machine, to be read and not to be fed; None before the call is served."""
        return self._driver.machine

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens to it here; its record may not be saved yet."""
        return self._driver.over.is_set

    @property
    def is_answered(self) -> bool:
        """Whether the API has put the caller through to us."""
        return self._driver.is_answered

    @property
    def sdp(self) -> str:
        """The SDP answer for the call's browser."""
        return self._driver.sdp

    @property
    def follower(self) -> Follower | None:
        return self._driver.follower

    @follower.setter
    def follower(self, follower: Follower | None) -> None:
        self._driver.follower = follower

    async def served(self, within_s: float) -> None:
        """Wait up to `within_s` until the sideband is open, or the call is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._driver.opened_or_over.wait()

    def hears_us(self) -> None:
        """The browser reports that its media are connected."""
        self._driver.happen(CallerConnected())

    async def run(self) -> CallRecord | None:
        """Serve the call until it is over, and return its record; None when it was not answered.

        A bug of ours ends this call, hung up and recorded as failed, and no other.
        """
        driver, self._log_context = self._driver, copy_context()
        try:
            await self._until_over(driver)
            if self._is_dropped:
                await self._endings.turn()
        finally:
            await self._close(driver)
        record = None
        try:
            record = await self._record()
            if self._is_dropped:  # meanwhile
                record = None
            return record
        finally:
            driver.report_end(record)

    async def ring_result(self) -> RingResult:
        """Wait for the result of the ringing."""
        return await self._driver.ring_outcome.known()

    def end(self, reason: str) -> None:
        """End the call from outside, e.g. when the drain time is over."""
        self._driver.end(reason)

    async def steer(self, steered: Steered) -> Deed | None:
        """Carry out a person's act, and return it as the machine has left it; None when the call is over."""
        self._driver.happen(steered)
        await self.settle()
        return self.machine.deed(steered.id) if self.machine is not None else None

    def take_up(self, called: Sequence[ToolCalled]) -> Latch:
        """The model has called these tools while another process served the call, which could not write it
        down. The latch is set once the journal of this call has them.
        """
        written = Latch()
        if not self.is_over:
            self._spawn(self._take_up(called, written))
        return written

    async def settle(self) -> None:
        """Wait until the events that had to wait are handled."""
        await self._driver.settle()

    def drop(self) -> None:
        """Another runner serves the call: do nothing more, without a sound, a hang-up or a record."""
        self._is_dropped = True
        self._driver.leave()

    def give_up(self) -> None:
        """Do nothing more, e.g. when the API accepts no hang-up: the record says what is known."""
        self._has_given_up = True
        self._driver.over.set()

    async def jobs(self, record: CallRecord) -> tuple[Job, ...]:
        """The jobs after the call."""
        machine, now = self.machine, self._driver.context.clock()
        return () if machine is None else await _aside(machine, lambda: machine.jobs(record, now))

    @property
    def owner(self) -> Owner | None:
        """The runner and the fence under which the record is saved."""
        return self._driver.context.hold.owner

    async def release(self) -> None:
        """Nothing more happens to the call here: its record is saved, or there is none."""
        try:
            if not self._is_dropped:
                await self._driver.context.hold.release(was_served=self.is_answered)
        finally:
            self._driver.let_go()
            self._tasks = asyncio.TaskGroup()

    async def _take_up(self, called: Sequence[ToolCalled], written: Latch) -> None:
        driver = self._driver
        await driver.opened_or_over.wait()
        for each in called:
            driver.happen(ToolCallMissed(called=each))
        await self.settle()
        await driver.context.hold.written()
        if not self.is_over:
            written.set()

    async def _until_over(self, driver: CallDriver) -> None:
        try:
            async with self._tasks:
                driver.begin()
                try:
                    await driver.over.wait()
                    if not self._is_dropped:
                        # Another runner acts for a dropped call, so its tasks here stop at once.
                        await self._endings.turn()
                finally:
                    # Also when a task of the call has failed: no further one is begun.
                    driver.over.set()
                    driver.opened_or_over.set()
                raise _OverError
        except ExceptionGroup as group:
            over, bugs = group.split(_OverError)
            driver.bug = driver.bug or bugs
            if over is not None:
                forget_traces(group, over, *over.exceptions)

    async def _close(self, driver: CallDriver) -> None:
        try:
            await driver.close(moved=self._is_dropped)
        except Exception as error:
            driver.bug = driver.bug or error

    async def _record(self) -> CallRecord | None:
        if self._is_dropped:
            return None
        machine, bug = self.machine, self._driver.bug
        if bug is not None:
            await self._hang_up_after(bug)
        if machine is None or (bug is not None and not self.is_answered):
            return None
        if bug is not None:
            machine.fail(self._driver.context.clock())
        elif self._has_given_up:
            machine.give_up(self._driver.context.clock())
        try:
            return await _aside(machine, machine.record)
        except Exception as error:
            log.error("call failed by a bug of ours", exc_info=error, extra={"call_id": self.id})
            return machine.bare_record(self._driver.context.clock())

    async def _hang_up_after(self, bug: Exception) -> None:
        """A bug of ours: leave nobody ringing, or talking to an agent that nobody serves."""
        log.error("call failed by a bug of ours", exc_info=bug, extra={"call_id": self.id})
        if self.is_answered:
            await self._api.carry_out(HangUp(), self._driver.api_call_id)
        elif isinstance(self._driver.ringing.origin, SipOrigin):
            await self._api.carry_out(RejectCall(status=UNAVAILABLE_STATUS), self.id)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        # A person's act, or the end of a drain, comes from a task that logs no call's id, or another's.
        return self._tasks.create_task(work, context=self._log_context.copy())


async def _aside(machine: CallMachine, make: Callable[[], Result]) -> Result:
    """The result of `make`, which reads a machine after its last event; in a thread if that takes long."""
    return await asyncio.to_thread(make) if machine.takes_long else make()
