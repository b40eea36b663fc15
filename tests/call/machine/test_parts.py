"""Where parts of a session meet."""

from runner.model.agent import Guardrail, Limits, Silence, Then
from runner.model.call import Role
from runner.model.conversation_event import Transcribed
from runner.model.event import CallGone, ReferAnswered
from tests.call.machine.playing import HANG_UP, TO_NURSE, talking, words

ASK = Silence(after_s=20, say=words("Are you still there?"), times=2)


def test_a_hang_up_asked_for_in_the_same_breath_as_a_transfer_is_refused() -> None:
    play = talking(TO_NURSE, HANG_UP)
    play.responds(("to_a_person", '{"destination":"nurse"}'), ("hang_up", "{}"))
    assert play.outputs() == {"call_1_1": '{"error":"not now: the call is being transferred"}'}


def test_a_guardrail_that_ends_the_call_during_a_transfer_waits_for_its_outcome() -> None:
    guardrail = Guardrail(name="g", on=Role.CALLER, pattern="stop", then=Then.HANGUP)
    play = talking(TO_NURSE, guardrails=(guardrail,))
    play.responds(("to_a_person", '{"destination":"nurse"}'))
    play.responds()
    play.happens(Transcribed(item_id="i", role=Role.CALLER, text="stop"))
    play.happens(ReferAnswered(ok=True), CallGone())
    assert play.record.ended == "transferred"


def test_silence_is_not_counted_while_the_call_is_being_transferred() -> None:
    play = talking(TO_NURSE, limits=Limits(silence=ASK))
    play.responds(("to_a_person", '{"destination":"nurse"}'))
    play.responds()
    play.happens(ReferAnswered(ok=True))
    assert "Are you still there?" not in play.spoken()
