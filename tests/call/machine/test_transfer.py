"""Transfers: announced, requested, completed or not."""

from runner.call.machine.phase import Phase
from runner.model.action import AddItem, Finish, LogEvent, Refer, SendOutput, Speak, TimerKind
from runner.model.conversation_event import Outcome, PlaybackEnded, ResponseEnded, ResponseStarted, ToolCalled
from runner.model.event import CallGone, ReferAnswered, SidebandLost
from runner.model.tool import TransferBinding
from tests.call.machine.playing import TO_NURSE, Play, expect, talking, tool, words


def transferring() -> Play:
    play = talking(TO_NURSE)
    assert play.responds(("to_a_person", '{"destination":"nurse"}')) == [
        Speak(wish="wish_1", say="One moment.")
    ]
    return play


def test_a_transfer_is_asked_for_when_its_sentence_has_been_heard() -> None:
    play = transferring()
    play.responds(heard=False)
    assert play.happens(PlaybackEnded(response_id="resp_2")) == [Refer(target="sip:nurse@maple.example")]


def test_an_announcement_that_fails_is_neither_said_later_nor_apologised_for() -> None:
    play = transferring()
    failed = ResponseEnded(response_id="r", wish="wish_1", outcome=Outcome.FAILED, audible=False)
    play.happens(ResponseStarted(response_id="r", wish="wish_1"))
    assert play.happens(failed) == [Refer(target="sip:nurse@maple.example")]
    play.happens(ReferAnswered(ok=False, detail="no"))
    assert play.spoken() == ["One moment.", None]
    assert [action for action in play.done if isinstance(action, AddItem)] == []


def test_a_transfer_does_not_wait_for_ever_for_its_sentence() -> None:
    play = talking(TO_NURSE)
    play.responds(("to_a_person", '{"destination":"nurse"}'))
    play.happens(SidebandLost())
    assert play.timer(TimerKind.LAST_WORDS) is None, "lost while it was said, which ends the wait"
    play = talking(TO_NURSE)
    called = ToolCalled(response_id="r", call_id="c", name="to_a_person", arguments='{"destination":"nurse"}')
    play.happens(ResponseStarted(response_id="r"), called, SidebandLost())
    assert play.passes(29.9) == []
    assert play.passes(0.1) == [Refer(target="sip:nurse@maple.example")]


def test_a_transfer_is_completed_when_the_call_has_left() -> None:
    play = transferring()
    play.responds()
    assert play.happens(ReferAnswered(ok=True)) == []
    assert play.happens(SidebandLost(), CallGone()) == [Finish()]
    assert play.record.ended == "transferred"
    assert play.record.tools[0].status == "completed"


def test_a_transfer_that_was_accepted_and_did_not_happen_is_told_to_the_model() -> None:
    play = transferring()
    play.responds()
    play.happens(ReferAnswered(ok=True))
    assert play.passes(14.9) == []
    assert play.passes(0.1) == [
        SendOutput(
            call_id="call_1_0",
            output='{"error":"the transfer was not completed","on_error":"Say that nobody picked up."}',
        ),
        Speak(wish="wish_2"),
    ]
    assert play.record.tools[0].status == "not_completed"
    assert play.session.phase.now is Phase.TALKING


def test_a_transfer_to_what_is_no_address_is_told_to_the_model_which_goes_on() -> None:
    nowhere = tool(
        "put_through",
        TransferBinding(destinations={"desk": words("{{ vars.desk }}")}, say=words("One moment.")),
    )
    play = talking(nowhere)
    assert play.responds(("put_through", '{"destination":"desk"}')) == [
        Speak(wish="wish_1", say="One moment.")
    ]
    assert play.responds() == [
        SendOutput(call_id="call_1_0", output='{"error":"the transfer was not completed"}'),
        Speak(wish="wish_2"),
    ]


def test_a_transfer_that_was_refused_is_told_to_the_model_at_once() -> None:
    play = transferring()
    play.responds()
    output, go_on = play.happens(ReferAnswered(ok=False, detail="refer was answered 500"))
    assert expect(SendOutput, output).call_id == "call_1_0"
    assert go_on == Speak(wish="wish_2")
    assert play.record.faults == ("a transfer was not completed: refer was answered 500",)


def test_a_transfer_that_nobody_takes_goes_to_the_fallback_before_the_model_is_told() -> None:
    binding = TransferBinding(
        destinations={"nurse": words("sip:nurse@maple.example"), "office": words("tel:+14155550123")},
        fallback="office",
    )
    play = talking(tool("transfer", binding, parameters={"type": "object"}))
    assert play.responds(("transfer", '{"destination":"nurse"}')) == [Refer(target="sip:nurse@maple.example")]
    play.happens(ReferAnswered(ok=True))
    assert play.passes(15) == [Refer(target="tel:+14155550123")]
    output, *_ = play.happens(ReferAnswered(ok=False, detail="no"))
    assert expect(SendOutput, output).call_id == "call_1_0"
    assert len(play.record.faults) == 2


def test_a_destination_that_is_no_address_for_this_call_is_not_asked_for() -> None:
    binding = TransferBinding(destinations={"desk": words("tel:{{ vars.number }}")})
    play = talking(tool("transfer", binding, parameters={"type": "object"}), vars={"number": words("nine")})
    output, go_on = play.responds(("transfer", '{"destination":"desk"}'))
    assert expect(SendOutput, output).output == '{"error":"the transfer was not completed"}'
    assert go_on == Speak(wish="wish_1")
    assert play.record.faults == ("a transfer was not completed: the destination is not an address",)


def test_the_fallback_itself_has_no_fallback() -> None:
    binding = TransferBinding(destinations={"office": words("tel:+14155550123")}, fallback="office")
    play = talking(tool("transfer", binding, parameters={"type": "object"}))
    play.responds(("transfer", '{"destination":"office"}'))
    output, *_ = play.happens(ReferAnswered(ok=False))
    assert expect(SendOutput, output).call_id == "call_1_0"


def test_a_caller_who_leaves_before_the_transfer_was_asked_for_has_hung_up() -> None:
    play = transferring()
    play.happens(CallGone())
    assert play.record.ended == "caller_hung_up"


def test_the_log_is_told_that_a_transfer_was_completed() -> None:
    play = transferring()
    play.responds()
    play.happens(ReferAnswered(ok=True), CallGone())
    assert [entry.event for entry in play.logged] == [LogEvent.TRANSFER_COMPLETED]
