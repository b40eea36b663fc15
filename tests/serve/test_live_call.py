"""A live call against the stand-in: it is served to its end whatever the API does."""

import asyncio
import gc
import json
import weakref
from dataclasses import replace

import pytest

from runner.call.machine import session_events
from runner.call.machine.reception import Reception
from runner.call.records.redaction import Redactor
from runner.model.agent import Wait
from runner.model.event import Steered
from runner.model.record import CallRecord
from runner.model.steering import AddNote, EndCall
from runner.model.tool import McpServer, Retries, StaticBinding
from runner.serve.call_actions import CallActions
from runner.serve.call_orders import CallOrders
from runner.standin.faults import (
    AUDIO_FRAME,
    NOT_AN_OBJECT,
    NOT_JSON,
    UNKNOWN_EVENT,
    Faults,
    HttpFault,
    Late,
    Lost,
    Noise,
    ReferEffect,
    StreamFault,
    Twice,
)
from runner.standin.placed_call import State
from runner.standin.script import (
    CallerHangsUp,
    CallerSays,
    CallsTool,
    Complains,
    Drops,
    Ending,
    Expires,
    Occasion,
    Says,
    ScriptedResponse,
    Sends,
    When,
    calls,
    greets,
    says,
)
from tests.call.machine.playing import END_CALL, TO_NURSE, TO_SPANISH, an_agent, tool, words
from tests.patience import PATIENCE_S
from tests.serve.stage import TIMEOUTS, Stage, creates, greeting

OPENING = greets()


def said(record: CallRecord) -> list[tuple[str, str | None]]:
    return [(turn.role, turn.text) for turn in record.turns]


async def test_a_call_with_a_tool_from_greeting_to_goodbye(stage: Stage) -> None:
    record, call = await stage.play(
        greeting(
            stage.slots(),
            END_CALL,
            session={"audio": {"input": {"transcription": {"model": "gpt-transcribe"}}}},
            transcription_model="gpt-transcribe",
        ),
        OPENING,
        CallerSays(text="Anything on Friday?"),
        calls("find_slots", {"day": "2026-11-27"}, call_id="call_a"),
        says("At nine."),
        CallerSays(text="No, thank you."),
        calls("end_call"),
    )
    assert call.outputs()["call_a"] == '{"slots":["09:00"]}'
    assert stage.asked == ["call_a"]
    assert said(record) == [
        ("agent", "Hello."),
        ("caller", "Anything on Friday?"),
        ("agent", "At nine."),
        ("caller", "No, thank you."),
        ("agent", "Goodbye!"),
    ]
    assert [(use.name, use.status) for use in record.tools] == [("find_slots", "ok"), ("end_call", "ok")]
    assert record.ended == "hangup"
    assert record.cost_usd is not None
    assert record.cost_usd > 0
    assert [request.action for request in call.requests] == ["accept", "hangup"]


@pytest.mark.parametrize("code", [1000, 1001, 1006])
async def test_a_caller_who_hangs_up_ends_the_call_however_the_socket_closes(stage: Stage, code: int) -> None:
    record, call = await stage.play(greeting(), OPENING, CallerHangsUp(close_code=code))
    assert record.ended == "caller_hung_up"
    assert [request.action for request in call.requests] == ["accept"]


async def test_an_output_that_came_while_the_sideband_was_lost_is_sent_once_it_is_open(stage: Stage) -> None:
    record, call = await stage.play(
        greeting(stage.slots()),
        OPENING,
        CallerSays(text="Friday?"),
        calls("find_slots", {}, call_id="call_a"),
        Drops(when=When.TOOL_RUNS),
        says("At nine."),
        CallerHangsUp(),
    )
    assert call.outputs() == {"call_a": '{"slots":["09:00"]}'}
    assert stage.asked == ["call_a"]
    assert record.tools[0].status == "ok"


async def test_a_request_is_tried_again_with_the_same_key(stage: Stage) -> None:
    retries = Retries(attempts=2, backoff_s=0.001, on=frozenset({503}))
    record, call = await stage.play(
        greeting(stage.slots("/flaky", retries=retries)),
        OPENING,
        CallerSays(text="Friday?"),
        calls("find_slots", {}, call_id="call_a"),
        says("At nine."),
        CallerHangsUp(),
    )
    assert stage.asked == ["call_a", "call_a"]
    assert record.tools[0].attempts == 2
    assert call.outputs() == {"call_a": '{"n":2}'}


async def test_several_calls_of_one_response_are_answered_before_the_model_goes_on_once(stage: Stage) -> None:
    both = ScriptedResponse(
        output=(
            Says(text="One moment."),
            CallsTool(name="find_slots", arguments={}, call_id="call_a"),
            CallsTool(name="find_slots", arguments={"day": "x"}, call_id="call_b"),
            CallsTool(name="fly", arguments="{", call_id="call_c"),
        ),
        interleaved=True,
    )
    _, call = await stage.play(
        greeting(stage.slots()), OPENING, CallerSays(text="?"), both, says("At nine."), CallerHangsUp()
    )
    assert set(call.outputs()) == {"call_a", "call_b", "call_c"}
    assert creates(call) == 2, "the greeting, and one after the three outputs"


async def test_long_outputs_are_sent_one_after_the_other_and_none_is_lost(stage: Stage) -> None:
    long = tool("long", StaticBinding(answer=words("x" * 5000)))
    call_ids = ("call_a", "call_b", "call_c")
    all_at_once = ScriptedResponse(
        output=tuple(CallsTool(name="long", arguments={}, call_id=call_id) for call_id in call_ids)
    )
    _, call = await stage.play(
        greeting(long), OPENING, CallerSays(text="?"), all_at_once, says("Done."), CallerHangsUp()
    )
    assert call.outputs() == dict.fromkeys(call_ids, "x" * 5000)
    assert creates(call) == 2, "the greeting, and one after the three outputs"


async def test_a_response_that_the_api_began_first_is_no_error(stage: Stage) -> None:
    overtaken = ScriptedResponse(output=(Says(text="Yes?"),), to=Occasion.OVERTAKES)
    record, _ = await stage.play(greeting(), overtaken, OPENING, CallerHangsUp())
    assert ("agent", "Hello.") in said(record)
    assert record.complaints == 0


async def test_a_transfer_that_happens(stage: Stage) -> None:
    record, call = await stage.play(
        greeting(TO_NURSE),
        OPENING,
        CallerSays(text="A nurse please."),
        calls("to_a_person", {"destination": "nurse"}),
    )
    assert [request.action for request in call.requests] == ["accept", "refer"]
    assert call.requests[1].body == {"target_uri": "sip:nurse@maple.example"}
    assert record.ended == "transferred"
    assert record.tools[0].status == "completed"


async def test_a_transfer_that_is_refused(stage: Stage) -> None:
    record, call = await stage.play(
        greeting(TO_NURSE),
        OPENING,
        CallerSays(text="A nurse please."),
        calls("to_a_person", {"destination": "nurse"}, call_id="call_a"),
        says("Nobody picked up."),
        CallerHangsUp(),
        faults=Faults(refer=(HttpFault(status=500),), refer_effect=ReferEffect.STAYS),
    )
    assert json.loads(call.outputs()["call_a"])["error"] == "the transfer was not completed"
    assert (record.ended, record.tools[0].status) == ("caller_hung_up", "not_completed")


async def test_a_hand_off_changes_the_session(stage: Stage) -> None:
    spanish = an_agent("recepcion", tools=(END_CALL,), voice="cedar")
    record, call = await stage.play(
        greeting(TO_SPANISH),
        OPENING,
        CallerSays(text="¿Habla español?"),
        calls("to_spanish"),
        says("Claro."),
        CallerSays(text="Adiós."),
        calls("end_call"),
        others=(spanish,),
    )
    (update,) = [event for event in call.received if event["type"] == "session.update"]
    assert update["session"]["instructions"] == "You are recepcion."
    assert [each["name"] for each in update["session"]["tools"]] == ["end_call"]
    assert record.ended == "hangup"
    assert [each.agent for each in record.handoffs] == ["recepcion"]


def frame(kind: str, **fields: object) -> str:
    return json.dumps({"type": kind, "event_id": "event_mcp", **fields})


async def test_the_tools_of_an_mcp_server_are_asked_by_the_api_and_the_model_goes_on(stage: Stage) -> None:
    item = {"id": "m1", "type": "mcp_call", "server_label": "crm", "name": "look_up", "arguments": "{}"}
    settings = {
        "server_label": words("crm"),
        "server_url": words("https://crm.example"),
        "require_approval": words("never"),
    }
    record, call = await stage.play(
        greeting(mcp=(McpServer(label="crm", settings=settings),)),
        OPENING,
        Sends(frame=frame("conversation.item.added", previous_item_id=None, item=item)),
        Sends(frame=frame("response.mcp_call.completed", item_id="m1", output_index=0)),
        says("You are Ada."),
        CallerHangsUp(),
    )
    assert call.accept_body is not None
    assert call.accept_body["tools"] == [
        {
            "type": "mcp",
            "server_label": "crm",
            "server_url": "https://crm.example",
            "require_approval": "never",
        }
    ]
    assert [(use.name, use.status) for use in record.tools] == [("crm.look_up", "ok")]
    assert ("agent", "You are Ada.") in said(record)
    assert record.faults == ()


async def test_a_model_that_fails_again_and_again_is_given_up(stage: Stage) -> None:
    failed = ScriptedResponse(output=(Says(text="Hm"),), ending=Ending.FAILED, to=Occasion.ANY)
    record, call = await stage.play(greeting(), failed, failed, failed)
    assert record.ended == "model_failed"
    assert [request.action for request in call.requests] == ["accept", "hangup"]


@pytest.mark.parametrize(
    "fault",
    [
        Twice(type="response.created"),
        Twice(type="response.output_item.done"),
        Twice(type="response.done"),
        Twice(type="output_audio_buffer.stopped"),
        Twice(type="conversation.item.added"),
        Late(type="response.created", events=3),
        Late(type="response.output_item.done", events=3),
        Late(type="conversation.item.added", events=4),
        Lost(type="session.created"),
        Lost(type="response.output_item.done"),
        Lost(type="conversation.item.added"),
        Lost(type="input_audio_buffer.speech_stopped"),
        Lost(type="rate_limits.updated"),
        Noise(frame=AUDIO_FRAME, before="response.done"),
        Noise(frame=UNKNOWN_EVENT, before="response.done"),
        Noise(frame=NOT_JSON, before="response.done"),
        Noise(frame=NOT_AN_OBJECT, before="response.created"),
    ],
    ids=lambda fault: (
        f"{type(fault).__name__}-{getattr(fault, 'type', '')}{getattr(fault, 'frame', '')[:20]}"
    ),
)
async def test_events_told_twice_late_never_or_wrongly_do_not_break_a_call(
    stage: Stage, fault: StreamFault
) -> None:
    record, call = await stage.play(
        greeting(stage.slots(), END_CALL),
        OPENING,
        CallerSays(text="Friday?"),
        calls("find_slots", {}, call_id="call_a"),
        says("At nine."),
        CallerSays(text="Bye."),
        calls("end_call"),
        faults=Faults(stream=(fault,)),
    )
    assert call.outputs() == {"call_a": '{"slots":["09:00"]}'}
    assert stage.asked == ["call_a"]
    assert record.ended == "hangup"


async def test_what_cannot_be_read_is_counted(stage: Stage) -> None:
    noise = (
        Noise(frame=UNKNOWN_EVENT, before="response.done"),
        Noise(frame=NOT_JSON, before="response.done"),
    )
    record, _ = await stage.play(greeting(), OPENING, CallerHangsUp(), faults=Faults(stream=noise))
    assert (record.unknown_events, record.malformed_events) == (1, 1)


async def test_an_error_of_the_server_is_counted_and_the_call_goes_on(stage: Stage) -> None:
    record, _ = await stage.play(
        greeting(),
        OPENING,
        Complains(code="server_error"),
        CallerSays(text="Hi."),
        says("Yes?"),
        CallerHangsUp(),
    )
    assert (record.complaints, record.ended) == (1, "caller_hung_up")


async def test_an_expired_session_ends_the_call(stage: Stage) -> None:
    record, _ = await stage.play(greeting(), OPENING, Expires())
    assert record.ended == "session_expired"


async def test_a_hang_up_that_fails_is_tried_until_the_api_takes_it(stage: Stage) -> None:
    bad = HttpFault(status=500)
    record, call = await stage.play(
        greeting(END_CALL),
        OPENING,
        CallerSays(text="Bye."),
        calls("end_call"),
        faults=Faults(hangup=(bad,) * 3),
    )
    assert record.ended == "hangup"
    assert call.state is State.OVER


async def test_an_api_that_is_too_busy_to_hang_up_is_asked_until_it_does(stage: Stage) -> None:
    stage.use(replace(TIMEOUTS, hangup_s=10.0))
    _, call = await stage.play(
        greeting(END_CALL),
        OPENING,
        CallerSays(text="Bye."),
        calls("end_call"),
        faults=Faults(hangup=(HttpFault(status=429),) * 6),
    )
    assert call.state is State.OVER


async def test_a_call_that_the_api_does_not_hang_up_is_given_up_and_recorded(stage: Stage) -> None:
    live, call = stage.ringing(greeting(), OPENING, faults=Faults(hangup=(HttpFault(status=500),) * 100_000))
    playing = asyncio.create_task(live.run())
    await stage.api.until(lambda: call.attached)
    live.end("shutdown")
    await stage.api.until(lambda: call.requests[-1].action == "hangup")
    live.give_up()
    record = await playing
    assert record is not None
    assert (record.ended, record.faults) == (
        "shutdown",
        ("the call was given up before the API said that it is over",),
    )
    assert record.ended_at is not None


async def test_a_barge_in_cuts_the_agent_short_and_is_answered(stage: Stage) -> None:
    record, _ = await stage.play(
        greeting(),
        OPENING,
        CallerSays(text="Wait!", when=When.AGENT_SPEAKS),
        says("Yes?"),
        CallerHangsUp(),
    )
    assert ("agent", "Yes?") in said(record)


async def test_a_call_is_ended_from_outside(stage: Stage) -> None:
    live, call = stage.ringing(an_agent(greeting=Wait()), OPENING)
    running = asyncio.create_task(live.run())
    await stage.api.until(lambda: call.attached)
    live.end("shutdown")
    record = await running
    assert record is not None
    assert record.ended == "shutdown"
    assert call.state is State.OVER


async def test_a_call_that_is_ended_before_it_has_begun_is_hung_up(stage: Stage) -> None:
    live, call = stage.ringing(an_agent(greeting=Wait()), OPENING)
    live.end("shutdown")
    record = await live.run()
    assert record is not None
    assert (record.ended, record.detail) == ("shutdown", "")
    assert call.state is State.OVER


async def test_a_bug_of_ours_hangs_up_the_call_that_it_hit(
    stage: Stage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(session_events, "handle", broken)
    live, call = stage.ringing(an_agent(), OPENING)
    record = await live.run()
    assert record is not None
    assert (record.ended, record.detail) == ("failed", "a bug of ours; the log has its traceback")
    assert record.ended_at is not None
    assert call.state is State.OVER
    assert "call failed by a bug of ours" in caplog.messages


async def test_a_bug_of_ours_in_a_task_of_the_call_ends_it_as_well(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(CallOrders, "request", broken)
    live, call = stage.ringing(
        greeting(stage.slots()), OPENING, CallerSays(text="Friday?"), calls("find_slots", {})
    )
    async with asyncio.timeout(PATIENCE_S):
        record = await live.run()
    assert record is not None
    assert (record.ended, record.detail) == ("failed", "a bug of ours; the log has its traceback")
    assert call.state is State.OVER


async def test_a_bug_of_ours_while_a_call_is_closed_leaves_a_record(
    stage: Stage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(CallActions, "close", broken)
    live, call = stage.ringing(an_agent(), OPENING, CallerHangsUp())
    async with asyncio.timeout(PATIENCE_S):
        record = await live.run()
    assert record is not None
    assert (record.ended, record.detail) == ("failed", "a bug of ours; the log has its traceback")
    assert call.state is State.OVER
    assert "call failed by a bug of ours" in caplog.messages


async def test_a_bug_of_ours_in_masking_a_record_leaves_one_without_words(
    stage: Stage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Redactor, "record", broken)
    live, call = stage.ringing(an_agent(), OPENING, CallerSays(text="I am Ann."), CallerHangsUp())
    async with asyncio.timeout(PATIENCE_S):
        record = await live.run()
    assert record is not None
    assert (record.ended, record.detail) == ("failed", "a bug of ours; the log has its traceback")
    assert (record.id, record.agent, record.accepted_at is not None) == (call.id, "desk", True)
    assert (record.turns, record.caller, record.called) == ((), None, None)
    assert "Ann" not in repr(record)
    [entry] = [each for each in caplog.records if each.message == "call failed by a bug of ours"]
    assert entry.exc_info is not None


async def test_a_bug_of_ours_before_the_answer_leaves_nobody_ringing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Reception, "handle", broken)
    live, call = stage.ringing(an_agent())
    async with asyncio.timeout(PATIENCE_S):
        assert await live.run() is None
    assert [(request.action, request.body) for request in call.requests] == [("reject", {"status_code": 480})]


async def test_a_persons_act_enters_the_machine_and_its_deed_comes_back(stage: Stage) -> None:
    live, call = stage.ringing(an_agent(greeting=Wait()))
    running = asyncio.create_task(live.run())
    async with asyncio.timeout(PATIENCE_S):
        await live.ring_result()
        note = await live.steer(Steered(id="deed_1", by="shift-lead", act=AddNote(text="Knows us.")))
        over = await live.steer(Steered(id="deed_2", by="shift-lead", act=EndCall()))
        record = await running
    assert note is not None
    assert over is not None
    assert record is not None
    assert [deed.result for deed in (note, over)] == ["done", "done"]
    assert record.deeds == (note, over)
    assert record.ended == "person"
    assert [request.action for request in call.requests] == ["accept", "hangup"]
    assert await live.steer(Steered(id="deed_3", by="shift-lead", act=EndCall())) is None


async def test_what_is_left_of_a_call_goes_without_the_garbage_collector(stage: Stage) -> None:
    live, _ = stage.ringing(
        greeting(stage.slots()),
        OPENING,
        CallerSays(text="Friday?"),
        calls("find_slots", {}, call_id="call_a"),
        Drops(close_code=1011),
        says("At nine."),
        CallerHangsUp(),
    )
    gc.collect()
    gc.disable()
    try:
        async with asyncio.timeout(PATIENCE_S):
            assert await live.run() is not None
        assert live.machine is not None
        left = [weakref.ref(part) for part in (live, live.machine, live.machine.session)]
        await live.release()
        del live
        await asyncio.sleep(0)
        assert [part() for part in left] == [None, None, None]
    finally:
        gc.enable()
