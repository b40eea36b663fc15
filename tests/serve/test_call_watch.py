"""What looks on at a call sees all of it, and costs it nothing, whatever it does."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

import pytest

from runner.call.machine.machine import CallMachine
from runner.model.action import Action, AnswerCall, Finish, OpenSideband, Speak
from runner.model.event import AnswerReplied, CallEvent, CallGone, ClaimReplied, SidebandOpened, TakenOver
from runner.model.record import CallRecord
from runner.model.values import Instant
from runner.serve.call_meter import CallMeter
from runner.serve.call_watch import Watches
from runner.serve.metrics import Metrics
from runner.standin.script import CallerHangsUp, greets
from tests.call.machine.playing import RINGING, a_world, an_agent
from tests.clock import clock
from tests.patience import PATIENCE_S
from tests.serve.stage import Stage, greeting


class Noted:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.machines: list[CallMachine] = []
        self.events: list[CallEvent] = []
        self.actions: list[Action] = []
        self.records: list[CallRecord | None] = []

    def begins(self, machine: CallMachine, now: Instant) -> None:
        assert not self.events
        self.machines.append(machine)

    def handled(self, event: CallEvent, actions: Sequence[Action], now: Instant) -> None:
        self.events.append(event)
        self.actions += actions

    def ends(self, record: CallRecord | None, now: Instant) -> None:
        self.records.append(record)

    def kinds(self) -> set[type]:
        return {type(noted) for noted in (*self.events, *self.actions)}


async def test_a_watch_sees_a_call_from_its_ring_to_its_record(stage: Stage) -> None:
    noted = Noted()
    live, call = stage.ringing(greeting(), greets(), CallerHangsUp(), watches=[noted])
    async with asyncio.timeout(PATIENCE_S):
        record = await live.run()
    assert [machine.call.id for machine in noted.machines] == [call.id]
    assert noted.kinds() >= {ClaimReplied, AnswerCall, AnswerReplied, SidebandOpened, Speak, CallGone, Finish}
    assert noted.records == [record]
    assert record is not None


async def test_a_watch_sees_a_call_that_is_taken_over_from_there_on(stage: Stage) -> None:
    agent, noted = greeting(), Noted()
    machine, _ = CallMachine.ring(replace(RINGING, created_at=clock()), a_world(agent), clock())
    (accept,) = machine.handle(ClaimReplied(agent=agent.id), clock())
    assert isinstance(accept, AnswerCall)
    live, call = stage.ringing(agent, greets(), CallerHangsUp(), taken_over=machine, watches=[noted])
    machine.handle(await stage.client.carry_out(accept, call.id), clock())
    async with asyncio.timeout(PATIENCE_S):
        record = await live.run()
    assert noted.machines == [machine]
    assert noted.events[0] == TakenOver()
    assert noted.kinds() >= {OpenSideband, SidebandOpened, CallGone, Finish}
    assert noted.records == [record]


async def test_of_a_call_that_another_runner_has_a_watch_gets_no_record(stage: Stage) -> None:
    noted = Noted()
    live, _ = stage.ringing(greeting(), greets(), watches=[noted])
    live.drop()
    async with asyncio.timeout(PATIENCE_S):
        await live.run()
    assert noted.records == [None]


class Broken(CallMeter):
    """Fails at what it is told to fail at."""

    def __init__(self, at: str) -> None:
        super().__init__(Metrics().served)
        self.told: list[str] = []
        self._at = at

    def __getattribute__(self, name: str) -> object:
        if name in {"begins", "handled", "ends"}:
            self.told.append(name)
            if name == self._at:
                raise RuntimeError("a bug of ours")
        return super().__getattribute__(name)


@pytest.mark.parametrize(
    ("at", "told"),
    [("begins", 1), ("handled", 2), ("ends", 3)],
)
def test_a_watch_that_fails_looks_on_no_more_and_the_others_do(
    at: str, told: int, caplog: pytest.LogCaptureFixture
) -> None:
    broken, fine = Broken(at), Broken("")
    watches = Watches((broken, fine))
    machine, _ = CallMachine.ring(RINGING, a_world(an_agent()), 1000.0)
    watches.begins(machine, 1000.0)
    watches.handled(CallGone(), [], 1001.0)
    watches.ends(None, 1002.0)
    assert (broken.told, fine.told) == (
        ["begins", "handled", "ends"][:told],
        ["begins", "handled", "ends"],
    )
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [error.getMessage() for error in errors] == ["watch of a call failed"]
