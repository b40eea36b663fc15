"""A person sends a call on: to another agent, to a telephone, or to its end."""

from runner.call.machine.phase import Phase
from runner.call.machine.transfers import NOT_TRANSFERRED, destinations
from runner.model.action import AddItem, HangUp, Interrupt, Refer, SendOutput, Speak
from runner.model.agent import Wait
from runner.model.conversation_event import ApiError, ApiErrorKind, SessionUpdated
from runner.model.event import CallGone, ReferAnswered
from runner.model.steering import ChangeAgent, EndCall, TransferCall
from runner.model.tool import TransferBinding
from tests.call.machine.playing import TO_NURSE, Play, an_agent, tool, words
from tests.call.machine.steered import (
    cut_short,
    leaving,
    outcome,
    reopens,
    running,
    speaking,
    steer,
    talking,
    updates,
    without_sideband,
)

# handoff


def test_a_person_hands_the_call_to_another_agent() -> None:
    play = talking()
    (switch,) = updates(steer(play, ChangeAgent(agent="recepcion", speak=True)))
    assert outcome(play) == ("waiting", "")
    assert play.happens(SessionUpdated(update_id=switch.update_id)) == [Speak(wish="wish_1")]
    assert (outcome(play), play.session.agent.id) == (("done", ""), "recepcion")
    assert [(each.agent, each.because) for each in play.record.handoffs] == [
        ("recepcion", 'person "shift-lead"')
    ]


def test_without_being_asked_to_the_other_agent_says_nothing() -> None:
    play = talking()
    (switch,) = updates(steer(play, ChangeAgent(agent="recepcion")))
    assert play.happens(SessionUpdated(update_id=switch.update_id)) == []


def test_a_hand_off_that_the_api_refuses_was_refused() -> None:
    play = talking()
    (switch,) = updates(steer(play, ChangeAgent(agent="recepcion")))
    play.happens(ApiError(kind=ApiErrorKind.OTHER, about=switch.update_id, message="no such voice"))
    assert outcome(play) == ("refused", "the API refused it: no such voice")
    assert play.session.agent.id == "desk"


def test_a_hand_off_to_nobody_and_one_to_the_same_agent_are_refused() -> None:
    play = talking()
    steer(play, ChangeAgent(agent="nobody"), "deed_1")
    steer(play, ChangeAgent(agent="desk"), "deed_2")
    steer(play, ChangeAgent(agent="recepcion"), "deed_3")
    steer(play, ChangeAgent(agent="recepcion"), "deed_4")
    assert [each.detail for each in play.record.deeds] == [
        'no "handoff" now: there is no agent "nobody"',
        'no "handoff" now: "desk" serves the call already',
        "",
        'no "handoff" now: "recepcion" is taking over',
    ]


def test_a_hand_off_while_a_tool_runs_still_brings_its_output() -> None:
    play, sent = running()
    steer(play, ChangeAgent(agent="recepcion"))
    play.passes(2)
    assert play.replies(sent)[0] == SendOutput(call_id="call_1_0", output='{"ok":true}')


def test_a_hand_off_without_a_sideband_is_told_when_there_is_one() -> None:
    play = without_sideband()
    steer(play, ChangeAgent(agent="recepcion"))
    assert [update.agent.id for update in updates(reopens(play))] == ["recepcion"]


# transfer


def test_a_person_transfers_the_call_after_a_sentence() -> None:
    play = talking(TO_NURSE)
    act = TransferCall(to="nurse", say="I put you through.")
    assert steer(play, act) == [Speak(wish="wish_1", say="I put you through.")]
    assert play.responds() == [Refer(target="sip:nurse@maple.example")]
    assert outcome(play) == ("waiting", "")
    play.happens(ReferAnswered(ok=True))
    play.passes(3)
    play.happens(CallGone())
    assert (outcome(play), play.record.ended) == (("completed", ""), "transferred")


def test_a_transfer_that_does_not_happen_is_told_to_the_model_and_the_call_goes_on() -> None:
    play = talking(TO_NURSE)
    assert steer(play, TransferCall(to="nurse")) == [Refer(target="sip:nurse@maple.example")]
    play.happens(ReferAnswered(ok=True))
    assert play.passes(15) == [AddItem(item_id="item_1", text=NOT_TRANSFERRED), Speak(wish="wish_1")]
    assert outcome(play) == ("not_completed", "the call did not leave")
    assert play.session.phase.now is Phase.TALKING


def test_a_transfer_goes_to_declared_destinations_of_any_agent_and_nowhere_else() -> None:
    nurse = an_agent("clinic", tools=(TO_NURSE,))
    play = Play(an_agent(greeting=Wait()), nurse)
    play.opens()
    steer(play, TransferCall(to="sip:mallory@example.com"), "deed_1")
    assert outcome(play)[1] == 'no "transfer" now: "sip:mallory@example.com" is not among the destinations'
    assert steer(play, TransferCall(to="nurse"), "deed_2") == [Refer(target="sip:nurse@maple.example")]


def test_of_two_destinations_of_one_name_the_serving_agents_own_counts() -> None:
    other = tool("put_through", TransferBinding(destinations={"nurse": words("tel:+14155550123")}))
    first, serving = an_agent(tools=(TO_NURSE,)), an_agent("other", tools=(other,))
    assert destinations(serving, (first, serving), ())["nurse"] == words("tel:+14155550123")


def test_a_transfer_goes_to_what_the_admin_settings_allow() -> None:
    play = Play(an_agent(greeting=Wait()), transfer_to=("tel:+14155550199",))
    play.opens()
    assert steer(play, TransferCall(to="tel:+14155550199")) == [Refer(target="tel:+14155550199")]


def test_a_transfer_cancels_no_tool() -> None:
    play, sent = running(transfer_to=("tel:+14155550199",))
    steer(play, TransferCall(to="tel:+14155550199"))
    assert play.session.phase.now is Phase.REFERRED
    assert play.replies(sent)[0] == SendOutput(call_id="call_1_0", output='{"ok":true}')


def test_a_transfer_needs_no_sideband() -> None:
    play = without_sideband(TO_NURSE)
    act = TransferCall(to="nurse", say="I put you through.")
    assert steer(play, act) == [Refer(target="sip:nurse@maple.example")]


# hangup


def test_a_hang_up_is_done_when_the_caller_leaves_during_its_goodbye() -> None:
    play = talking()
    steer(play, EndCall(say="Goodbye."))
    assert outcome(play) == ("waiting", "")
    play.happens(CallGone())
    assert outcome(play) == ("done", "")
    assert play.record.ended == "person"


def test_a_person_hangs_up_at_once_also_without_a_sideband() -> None:
    for play in (talking(), without_sideband(), leaving(), running()[0]):
        assert steer(play, EndCall()) == [HangUp()]
        assert outcome(play) == ("done", "")


def test_a_person_hangs_up_after_a_sentence_and_waits_for_no_tool() -> None:
    play, _ = running()
    assert steer(play, EndCall(say="Goodbye.")) == [Speak(wish="wish_1", say="Goodbye.")]
    assert outcome(play) == ("waiting", "")
    assert play.responds() == [HangUp()]
    assert outcome(play) == ("done", "")
    play.happens(CallGone())
    assert play.record.ended == "person"


def test_the_sentence_before_a_hang_up_interrupts_what_the_agent_says() -> None:
    play = speaking()
    assert steer(play, EndCall(say="Goodbye.")) == [Interrupt()]
    assert cut_short(play) == [Speak(wish="wish_1", say="Goodbye.")]


def test_a_transfer_under_way_does_not_keep_a_person_from_hanging_up() -> None:
    play = talking(TO_NURSE)
    play.responds(("to_a_person", '{"destination":"nurse"}'))
    assert steer(play, EndCall(say="Goodbye.")) == [HangUp()]
