"""A live call whose sideband does not open, or is lost: it is dialled again, or the call is given up."""

import logging
from dataclasses import replace

import pytest

from runner.standin.faults import (
    HUGE,
    UNKNOWN_EVENT,
    Faults,
    Noise,
    SidebandRefusal,
)
from runner.standin.script import (
    CallerHangsUp,
    CallerSays,
    Drops,
    ScriptStep,
    Sends,
    greets,
    says,
)
from tests.patience import PATIENCE_S
from tests.serve.stage import TIMEOUTS, Stage, creates, greeting

OPENING = greets()


async def test_a_sideband_that_the_api_does_not_know_yet_is_dialled_again(stage: Stage) -> None:
    record, _ = await stage.play(greeting(), OPENING, CallerHangsUp(), faults=Faults(unknown_attempts=3))
    assert record.ended == "caller_hung_up"
    assert record.attached_at is not None


async def test_a_call_whose_sideband_never_opens_is_hung_up(stage: Stage) -> None:
    record, call = await stage.play(greeting(), faults=Faults(unknown_attempts=100))
    assert (record.ended, record.attached_at) == ("failed", None)
    assert record.detail.startswith("the sideband was not found: the caller has gone, or the accept body")
    assert [request.action for request in call.requests] == ["accept", "hangup"]


@pytest.mark.parametrize("code", [3000, 4000])
async def test_a_sideband_that_is_refused_is_not_dialled_again(stage: Stage, code: int) -> None:
    refusal = SidebandRefusal(code="invalid_api_key", message="No.", close_code=code)
    record, call = await stage.play(greeting(), faults=Faults(refusal=refusal))
    assert record.ended == "failed"
    assert f"closed the sideband with {code}" in record.detail
    assert [request.action for request in call.requests] == ["accept", "hangup"]


@pytest.mark.parametrize(
    ("code", "how"),
    [
        (1000, "the API closed the sideband with 1000"),
        (1001, "the API closed the sideband with 1001"),
        (1006, "the connection broke"),
        (1011, "the API closed the sideband with 1011"),
    ],
)
async def test_a_sideband_lost_in_mid_call_is_opened_again_and_nobody_is_greeted_twice(
    stage: Stage, code: int, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="runner.serve.live_sideband")
    record, call = await stage.play(
        greeting(),
        OPENING,
        Drops(close_code=code),
        CallerSays(text="Still there?"),
        says("Yes."),
        CallerHangsUp(),
    )
    assert record.ended == "caller_hung_up"
    assert [turn.text for turn in record.turns].count("Hello.") == 1
    assert creates(call) == 2, "the greeting, and one request to go on after the loss"
    told = [(line.levelname, line.message, line.__dict__.get("detail")) for line in caplog.records]
    assert told == [
        ("INFO", "sideband is attached", None),
        ("WARNING", "sideband was away", how),
        ("INFO", "sideband is attached", None),
        ("INFO", "sideband is lost", "the call is over: the API does not know it any more"),
    ]


async def test_a_sideband_that_is_lost_again_and_again_is_given_up_though_it_tells_something_each_time(
    stage: Stage,
) -> None:
    stage.timeouts = replace(TIMEOUTS, steady_s=PATIENCE_S)
    losses: list[ScriptStep] = [Sends(frame=UNKNOWN_EVENT), Drops(close_code=1011)] * 20
    record, call = await stage.play(greeting(), OPENING, *losses)
    assert (record.ended, record.detail) == ("failed", "the sideband is lost again and again")
    assert call.requests[-1].action == "hangup"
    assert creates(call) <= 1 + len(TIMEOUTS.redial_delays_s), "the greeting, and one for each time"


async def test_a_sideband_that_lasts_may_be_lost_any_number_of_times(stage: Stage) -> None:
    stage.timeouts = replace(TIMEOUTS, steady_s=0.0)
    losses = [Drops(close_code=1001)] * 20
    record, _ = await stage.play(greeting(), OPENING, *losses, CallerHangsUp())
    assert record.ended == "caller_hung_up"


async def test_a_frame_beyond_all_measure_costs_the_sideband_and_not_the_call(stage: Stage) -> None:
    faults = Faults(
        stream=(Noise(frame=HUGE, before="conversation.item.input_audio_transcription.completed"),)
    )
    record, _ = await stage.play(
        greeting(), OPENING, CallerSays(text="Hi."), says("Yes?"), CallerHangsUp(), faults=faults
    )
    assert record.ended == "caller_hung_up"
