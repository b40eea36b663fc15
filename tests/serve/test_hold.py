"""What a live call asks of its hold, and when: before it acts, not after."""

import asyncio
import json
from dataclasses import replace

import pytest

from runner.call.machine.call_counts import Load
from runner.call.machine.machine import CallMachine
from runner.model.action import AnswerCall, ClaimCall, RemoveItem, SendRequest
from runner.model.conversation_event import ResponseEnded, ToolCalled
from runner.model.entry import Lived
from runner.model.event import (
    AnswerReplied,
    CallEvent,
    CallGone,
    ClaimReplied,
    Decided,
    SidebandLost,
    SidebandOpened,
    Steered,
    ToolCallMissed,
)
from runner.model.http import HttpRequest
from runner.model.reception import RingResult
from runner.model.steering import EndCall
from runner.model.values import Instant
from runner.serve.call_orders import CallOrders
from runner.serve.pace import LoopPace
from runner.standin.faults import Faults
from runner.standin.placed_call import PlacedCall
from runner.standin.script import CallerHangsUp, CallerSays, Drops, Sends, calls, greets, says
from tests.call.machine.playing import END_CALL, RINGING, a_world
from tests.clock import clock
from tests.patience import PATIENCE_S
from tests.serve.sole_hold import SoleHold
from tests.serve.stage import Stage, creates, greeting


class WatchedHold(SoleHold):
    """Notes how far the call has come at the API, each time that it is asked."""

    def __init__(self, call: PlacedCall) -> None:
        self._call = call
        self.kept: list[Lived] = []
        self.kept_at: list[tuple[type[Lived], list[str], int]] = []
        self.acted_after: list[list[str]] = []
        self.looked_after: list[int] = []
        self.looked_with: list[list[str]] = []
        self.looked_attached: list[int] = []
        self.pauses_after: type[Lived] | None = None
        self.was_lost_after: list[int] = []
        self._was_paused = False

    def _requests(self) -> list[str]:
        return [request.action for request in self._call.requests]

    def append(self, at: Instant, event: Lived) -> None:
        self.kept.append(event)
        if type(event) is self.pauses_after:
            self._was_paused = True

    async def written(self) -> None:
        await asyncio.sleep(0)
        self.kept_at.append((type(self.kept[-1]), self._requests(), creates(self._call)))

    async def known(self, within_s: float) -> None:
        await self.written()

    async def may_act(self) -> None:
        await asyncio.sleep(0)
        self.acted_after.append(self._requests())

    @property
    def was_paused(self) -> bool:
        return self._was_paused

    @property
    def fence(self) -> int:
        return 2

    def lost(self) -> None:
        self.was_lost_after.append(creates(self._call))

    async def looked(self) -> None:
        if self._was_paused:
            await asyncio.sleep(0)
            self.looked_after.append(creates(self._call))
            self.looked_with.append(self._requests())
            self.looked_attached.append(self._call.attached)
            self._was_paused = False


class StuckHold(WatchedHold):
    """Its store takes nothing down any more once the model has called a tool."""

    async def written(self) -> None:
        if any(isinstance(event, ToolCalled) for event in self.kept):
            await asyncio.Event().wait()


async def played(
    stage: Stage, *, pauses_after: type[Lived] | None = None, hangs_up: bool = False
) -> WatchedHold:
    """The hold of a call that is greeted and ended, by the agent or else by the caller."""
    holds: list[WatchedHold] = []

    def hold_of(call: PlacedCall) -> WatchedHold:
        hold = WatchedHold(call)
        hold.pauses_after = pauses_after
        holds.append(hold)
        return hold

    end = (CallerSays(text="Bye."), calls("end_call")) if hangs_up else (CallerHangsUp(),)
    live, call = stage.ringing(greeting(END_CALL), greets(), *end, hold_of=hold_of)
    async with asyncio.timeout(PATIENCE_S):
        assert await live.run() is not None
    assert call.violations == []
    assert creates(call) >= 1
    return holds[0]


async def test_a_call_is_hung_up_only_after_it_is_certain_whose_it_is(stage: Stage) -> None:
    hold = await played(stage, hangs_up=True)
    assert hold.acted_after == [["accept"]]


class SecondHold(WatchedHold):
    """Of a call that a runner has answered which was lost then, before anybody knew."""

    async def claim(self, claim: ClaimCall) -> ClaimReplied:
        session = {"type": "realtime", "model": "gpt-realtime-2.1", "instructions": "Be brief."}
        self._call.answer("accept", session, 0.0)
        return await super().claim(claim)


async def test_a_call_that_a_lost_runner_has_answered_is_ours(stage: Stage) -> None:
    live, call = stage.ringing(greeting(END_CALL), greets(), hold_of=SecondHold)
    serving = asyncio.create_task(live.run())
    async with asyncio.timeout(PATIENCE_S):
        assert await live.ring_result() is RingResult.ACCEPTED
        live.drop()
        await serving
    assert [request.action for request in call.requests] == ["accept"]
    assert stage.counts.load("desk", clock()) == Load(), "it counts where it is served from now on"


async def test_the_ring_is_written_down_before_the_call_is_answered(stage: Stage) -> None:
    hold = await played(stage)
    assert hold.kept_at[0][1:] == ([], 0)


async def test_the_opening_is_written_down_before_the_caller_is_greeted(stage: Stage) -> None:
    hold = await played(stage)
    assert (SidebandOpened, ["accept"], 0) in hold.kept_at


@pytest.mark.parametrize("event", [AnswerReplied, SidebandOpened], ids=["before", "while it is written down"])
async def test_after_a_pause_the_store_is_asked_before_the_caller_is_greeted(
    stage: Stage, event: type[Lived]
) -> None:
    hold = await played(stage, pauses_after=event)
    assert hold.looked_after == [0]
    assert sum(isinstance(event, SidebandOpened) for event in hold.kept) == 1


async def test_after_a_pause_the_store_is_asked_before_the_call_is_answered(stage: Stage) -> None:
    hold = await played(stage, pauses_after=ClaimReplied)
    assert hold.looked_with == [[]]


async def test_whoever_takes_up_a_call_that_had_no_sideband_opens_its_first(stage: Stage) -> None:
    agent = greeting(END_CALL)
    machine, _ = CallMachine.ring(replace(RINGING, created_at=clock()), a_world(agent), clock())
    (accept,) = machine.handle(ClaimReplied(agent=agent.id), clock())
    assert isinstance(accept, AnswerCall)
    holds: list[WatchedHold] = []

    def hold_of(call: PlacedCall) -> WatchedHold:
        holds.append(WatchedHold(call))
        return holds[0]

    live, call = stage.ringing(agent, greets(), CallerHangsUp(), hold_of=hold_of, taken_over=machine)
    machine.handle(await stage.client.carry_out(accept, call.id), clock())
    async with asyncio.timeout(PATIENCE_S):
        record = await live.run()
    assert record is not None
    assert [turn.text for turn in record.turns] == ["Hello."]
    assert [event for event in holds[0].kept if isinstance(event, SidebandOpened)] == [SidebandOpened()]


async def test_whoever_takes_up_a_call_that_is_over_makes_its_record(stage: Stage) -> None:
    agent = greeting()
    machine, _ = CallMachine.ring(replace(RINGING, created_at=clock()), a_world(agent), clock())
    for event in (ClaimReplied(agent=agent.id), AnswerReplied(decided=Decided.DONE), CallGone()):
        machine.handle(event, clock())
    live, call = stage.ringing(agent, taken_over=machine, hold_of=WatchedHold)
    async with asyncio.timeout(PATIENCE_S):
        record = await live.run()
    assert record is not None
    assert (record.ended, call.requests, call.attempts) == ("caller_hung_up", [], 0)


async def test_a_sideband_whose_time_passed_in_a_pause_is_opened_all_the_same(stage: Stage) -> None:
    def hold_of(call: PlacedCall) -> WatchedHold:
        hold = WatchedHold(call)
        hold.pauses_after = AnswerReplied
        return hold

    most = len(stage.timeouts.attach_delays_s)
    live, call = stage.ringing(
        greeting(), greets(), CallerHangsUp(), hold_of=hold_of, faults=Faults(unknown_attempts=most)
    )
    async with asyncio.timeout(PATIENCE_S):
        record = await live.run()
    assert record is not None
    assert (record.ended, call.attached) == ("caller_hung_up", 1)


async def test_after_a_pause_the_store_is_asked_before_a_sideband_is_opened_again(stage: Stage) -> None:
    holds: list[WatchedHold] = []

    def hold_of(call: PlacedCall) -> WatchedHold:
        holds.append(WatchedHold(call))
        holds[0].pauses_after = SidebandLost
        return holds[0]

    live, call = stage.ringing(greeting(), greets(), Drops(), CallerHangsUp(), hold_of=hold_of)
    async with asyncio.timeout(PATIENCE_S):
        await live.run()
    assert (holds[0].looked_attached, call.attached) == ([1, 2], 2)


class DoubtfulHold(WatchedHold):
    """Whose the call is shows only once the test says so."""

    def __init__(self, call: PlacedCall) -> None:
        super().__init__(call)
        self.is_asked, self.is_certain = asyncio.Event(), asyncio.Event()
        self.acts = False

    async def may_act(self) -> None:
        self.is_asked.set()
        await self.is_certain.wait()
        self.acts = True


async def test_what_was_perhaps_added_by_the_next_owner_is_removed_only_if_the_call_is_ours(
    stage: Stage,
) -> None:
    hold: list[DoubtfulHold] = []

    def hold_of(call: PlacedCall) -> DoubtfulHold:
        hold.append(DoubtfulHold(call))
        return hold[0]

    def removed() -> list[object]:
        return [event["item_id"] for event in call.received if event["type"] == "conversation.item.delete"]

    live, call = stage.ringing(greeting(), greets(), hold_of=hold_of)
    running = asyncio.create_task(live.run())
    async with asyncio.timeout(PATIENCE_S):
        assert await live.ring_result() is RingResult.ACCEPTED
        await live.served(PATIENCE_S)
        assert live.machine is not None
        items = [RemoveItem(item_id=f"item_{foreign}", is_foreign=foreign) for foreign in (True, False)]
        live._driver._actions.carry_out(items, live.machine)
        await hold[0].is_asked.wait()
        live.end("shutdown")
        hold[0].is_certain.set()
        await running
    assert removed() == ["item_False", "item_True"]


class Crowd(LoopPace):
    """So many calls end at once that it is nobody's turn before the test says so."""

    def __init__(self) -> None:
        super().__init__(1)
        self.waits, self.is_over = asyncio.Event(), asyncio.Event()

    async def turn(self) -> None:
        self.waits.set()
        await self.is_over.wait()


async def test_a_call_that_is_lost_together_with_many_is_not_hung_up_while_it_waits_for_its_end(
    stage: Stage,
) -> None:
    holds: list[DoubtfulHold] = []

    def hold_of(call: PlacedCall) -> DoubtfulHold:
        holds.append(DoubtfulHold(call))
        return holds[0]

    stage.endings = crowd = Crowd()
    live, call = stage.ringing(
        greeting(END_CALL), greets(), CallerSays(text="Bye."), calls("end_call"), hold_of=hold_of
    )
    running = asyncio.create_task(live.run())
    async with asyncio.timeout(PATIENCE_S):
        await holds[0].is_asked.wait()
        # As when the store has said whose all calls are.
        live.drop()
        holds[0].is_certain.set()
        await crowd.waits.wait()
        crowd.is_over.set()
        assert await running is None
    assert (holds[0].acts, [request.action for request in call.requests]) == (False, ["accept"])


class PausedHold(SoleHold):
    """The process stood still, and the store has not said yet whose the call is."""

    def __init__(self) -> None:
        self.is_asked = asyncio.Event()
        self.has_said = asyncio.Event()

    async def looked(self) -> None:
        self.is_asked.set()
        await self.has_said.wait()


async def test_after_a_pause_the_store_is_asked_before_a_tool_is(stage: Stage) -> None:
    hold = PausedHold()
    orders = CallOrders(api=stage.client, tools=stage.tools, hold=hold, timeouts=stage.timeouts)
    request = HttpRequest(
        method="GET", url=f"{stage.endpoint}/slots", headers=(("Idempotency-Key", "call_a"),)
    )
    send = SendRequest(call_id="call_a", attempt=1, tool="find_slots", request=request)
    asking = asyncio.create_task(orders.request(send))
    await hold.is_asked.wait()
    assert stage.asked == []
    hold.has_said.set()
    assert (await asking).reply.status == 200
    assert stage.asked == ["call_a"]


class SlowHold(SoleHold):
    """What it is given is written once the test says so."""

    def __init__(self) -> None:
        self.kept: list[Lived] = []
        self.is_asked, self.is_written = asyncio.Event(), asyncio.Event()

    def append(self, at: Instant, event: Lived) -> None:
        self.kept.append(event)

    async def written(self) -> None:
        if any(isinstance(event, ToolCallMissed) for event in self.kept):
            self.is_asked.set()
            await self.is_written.wait()


@pytest.mark.parametrize("is_lost", [False, True])
async def test_missed_tool_calls_are_taken_up_once_the_journal_has_them(stage: Stage, is_lost: bool) -> None:
    hold = SlowHold()
    live, _ = stage.ringing(greeting(), greets(), hold_of=lambda _: hold)
    running = asyncio.create_task(live.run())
    called = ToolCalled(response_id="resp_x", call_id="call_x", name="find_slots", arguments="{}")
    async with asyncio.timeout(PATIENCE_S):
        assert await live.ring_result() is RingResult.ACCEPTED
        written = live.take_up([called])
        await hold.is_asked.wait()
        assert not written.is_set
        if is_lost:
            live.drop()
            await running
            assert not written.is_set
        else:
            hold.is_written.set()
            await written.wait()
            live.drop()
            await running


class StillHold(SoleHold):
    """The process stands still once the caller has been greeted, and the store says nothing."""

    def __init__(self) -> None:
        self.kept: list[Lived] = []

    def append(self, at: Instant, event: Lived) -> None:
        self.kept.append(event)

    @property
    def was_paused(self) -> bool:
        return any(isinstance(event, ResponseEnded) for event in self.kept)

    async def looked(self) -> None:
        if self.was_paused:
            await asyncio.Event().wait()


async def test_a_tool_call_that_waits_for_the_store_is_left_to_whoever_has_the_call(stage: Stage) -> None:
    hold = StillHold()
    live, _ = stage.ringing(
        greeting(stage.slots()),
        greets(),
        CallerSays(text="Anything on Friday?"),
        calls("find_slots", {"day": "2026-11-27"}, call_id="call_a"),
        hold_of=lambda _: hold,
    )
    running = asyncio.create_task(live.run())
    async with asyncio.timeout(PATIENCE_S):
        waiting: list[CallEvent] = []
        while not any(isinstance(event, ToolCalled) for event in waiting):
            await asyncio.sleep(0)
            waiting = live._driver._events._waiting or []
        live.drop()
        assert await running is None
    assert stage.asked == []
    kept = [event for event in hold.kept if isinstance(event, ToolCalled)]
    assert [called.call_id for called in kept] == ["call_a"]


@pytest.mark.parametrize(("method", "asked"), [("GET", ["call_a"]), ("POST", [])])
async def test_a_request_that_may_not_be_sent_twice_is_not_sent_before_it_is_written_down(
    stage: Stage, method: str, asked: list[str]
) -> None:
    live, call = stage.ringing(
        greeting(stage.slots(method=method, timeout_s=PATIENCE_S if asked else 0.1)),
        greets(),
        CallerSays(text="Anything on Friday?"),
        calls("find_slots", {"day": "2026-11-27"}, call_id="call_a"),
        says("Let me see."),
        CallerHangsUp(),
        hold_of=StuckHold,
    )
    async with asyncio.timeout(PATIENCE_S):
        record = await live.run()
    assert stage.asked == asked
    assert record is not None
    assert [(use.name, use.status) for use in record.tools] == [("find_slots", "ok" if asked else "error")]
    assert "call_a" in call.outputs()


async def test_a_request_to_speak_tells_under_which_fence_the_call_is_held(stage: Stage) -> None:
    live, call = stage.ringing(greeting(), greets(), CallerHangsUp(), hold_of=WatchedHold)
    async with asyncio.timeout(PATIENCE_S):
        await live.run()
    (create,) = (event for event in call.received if event["type"] == "response.create")
    assert create["response"]["metadata"]["fence"] == "2"


@pytest.mark.parametrize(
    ("fence", "lost_after", "hears"), [("3", [1], False), ("2", [], True), ("1", [], True)]
)
async def test_whoever_sees_a_higher_fence_than_its_own_has_lost_the_call(
    stage: Stage, fence: str, lost_after: list[int], hears: bool
) -> None:
    response = {"id": "resp_other", "metadata": {"wish": "wish_9", "fence": fence}}
    holds: list[WatchedHold] = []

    def hold_of(call: PlacedCall) -> WatchedHold:
        holds.append(WatchedHold(call))
        return holds[0]

    live, _ = stage.ringing(
        greeting(),
        greets(),
        Sends(frame=json.dumps({"type": "response.created", "event_id": "event_1", "response": response})),
        CallerHangsUp(),
        hold_of=hold_of,
    )
    async with asyncio.timeout(PATIENCE_S):
        await live.run()
    assert holds[0].was_lost_after == lost_after
    assert any(getattr(event, "response_id", "") == "resp_other" for event in holds[0].kept) is hears


async def test_a_persons_act_is_written_down_before_it_is_carried_out(stage: Stage) -> None:
    holds: list[WatchedHold] = []

    def hold_of(call: PlacedCall) -> WatchedHold:
        holds.append(WatchedHold(call))
        return holds[-1]

    live, _ = stage.ringing(greeting(), greets(), hold_of=hold_of)
    running = asyncio.create_task(live.run())
    async with asyncio.timeout(PATIENCE_S):
        await live.ring_result()
        deed = await live.steer(Steered(id="deed_1", by="shift-lead", act=EndCall()))
        await running
    assert deed is not None
    assert deed.result == "done"
    assert [requests for kind, requests, _ in holds[0].kept_at if kind is Steered] == [["accept"]]
