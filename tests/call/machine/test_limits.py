"""The limits of a call."""

from runner.call.machine.phase import Phase
from runner.model.action import Action, AddItem, HangUp, SendOutput, SendRequest, Speak, TimerKind
from runner.model.agent import Limits, WindDown
from runner.model.call import Role
from runner.model.conversation_event import (
    Outcome,
    ResponseEnded,
    ResponseStarted,
    SessionUpdated,
    ToolCalled,
    Transcribed,
)
from runner.model.tool import HandoffBinding
from runner.model.usage import TranscriptionUsage, Usage
from tests.call.machine.playing import Play, an_agent, expect, http_tool, talking, tool, words


def test_before_the_longest_duration_the_model_is_told_to_wind_down() -> None:
    limits = Limits(max_duration_s=900, wind_down=WindDown(before_s=60, tell=words("One minute is left.")))
    play = talking(limits=limits)
    assert play.passes(839) == []
    assert play.passes(1) == [AddItem(item_id="item_1", text="One minute is left."), Speak(wish="wish_1")]


def spends(play: Play, usage: Usage) -> list[Action]:
    return play.happens(ResponseEnded(response_id="dear", outcome=Outcome.COMPLETED, usage=usage))


def test_a_call_that_has_cost_too_much_ends() -> None:
    play = talking(limits=Limits(max_cost_usd=2.00))
    assert spends(play, Usage(audio_out=31_249)) == []
    play = talking(limits=Limits(max_cost_usd=2.00))
    (leave,) = spends(play, Usage(audio_out=31_250))
    assert "The call has to end now." in (expect(Speak, leave).tell or "")
    assert play.record.ended == "max_cost"
    assert play.record.cost_usd == 2.0


def test_a_model_whose_price_is_unknown_is_not_stopped_for_its_cost() -> None:
    play = talking(model="my-deployment", limits=Limits(max_cost_usd=0.01))
    assert spends(play, Usage(audio_out=10_000_000)) == []
    assert play.record.cost_usd is None


def test_what_transcription_costs_counts_too_though_the_price_of_the_model_is_unknown() -> None:
    play = talking(model="my-deployment", transcription_model="whisper-1", limits=Limits(max_cost_usd=0.01))
    play.happens(
        Transcribed(item_id="i", role=Role.CALLER, text="Hm.", usage=TranscriptionUsage(seconds=100.0))
    )
    assert spends(play, Usage(audio_out=1)) != []
    assert play.record.ended == "max_cost"


def test_too_many_tool_calls_end_the_call() -> None:
    play = talking(http_tool(), limits=Limits(max_tool_calls=2))
    for _ in range(2):
        (sent,) = play.responds(("find_slots", "{}"))
        play.replies(sent)
        play.responds()
    assert play.session.phase.now is Phase.TALKING
    done = play.responds(("find_slots", "{}"))
    assert not [action for action in done if isinstance(action, SendRequest)], "the one over the limit"
    assert play.record.ended == "max_tool_calls"


def test_a_tool_call_over_the_limit_that_is_told_with_its_response_only_ends_the_call_as_well() -> None:
    play = talking(http_tool(), limits=Limits(max_tool_calls=1))
    calls = tuple(
        ToolCalled(response_id="r", call_id=call_id, name="find_slots", arguments="{}") for call_id in "ab"
    )
    play.happens(ResponseStarted(response_id="r"))
    play.happens(ResponseEnded(response_id="r", outcome=Outcome.COMPLETED, calls=calls))
    assert play.record.ended == "max_tool_calls"


def test_a_limit_reached_while_a_tool_runs_waits_for_the_tool() -> None:
    play = talking(http_tool(), limits=Limits(max_duration_s=100))
    play.passes(95)
    (sent,) = play.responds(("find_slots", "{}"))
    play.passes(5)
    assert play.responds() == []
    assert play.replies(sent) == [SendOutput(call_id="call_1_0", output='{"ok":true}'), HangUp()]
    assert play.record.ended == "max_duration"


def test_limits_are_those_of_the_agent_that_took_over_counted_from_the_accept() -> None:
    for before_s, wind_down_s in ((60, 40), (100, None), (150, None)):
        wind_down = WindDown(before_s=before_s, tell=words("Wrap up."))
        other = an_agent("other", limits=Limits(max_duration_s=300, wind_down=wind_down))
        first = Limits(max_duration_s=900, wind_down=wind_down)
        play = talking(tool("over", HandoffBinding(agent="other")), others=(other,), limits=first)
        play.passes(200)
        play.responds(("over", "{}"))
        play.happens(SessionUpdated(update_id="switch_1"))
        assert play.timer(TimerKind.MAX_DURATION) == 100
        assert play.timer(TimerKind.WIND_DOWN) == wind_down_s
