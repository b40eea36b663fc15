"""Keys pressed on the telephone."""

import pytest

from runner.model.action import AddItem, Speak, TimerKind
from runner.model.agent import Keys
from runner.model.call import Role
from runner.model.conversation_event import ItemPlaced, KeyPressed, SessionUpdated, Transcribed
from runner.model.event import SidebandLost, SidebandOpened
from runner.model.tool import HandoffBinding
from tests.call.machine.playing import HANG_UP, an_agent, expect, http_tool, talking, tool

# Keys


@pytest.mark.parametrize(
    ("keys", "pressed", "told"),
    [
        (Keys(until="#"), "1234#", "(On the telephone I pressed 1234.)"),
        (Keys(max_keys=2), "12", "(On the telephone I pressed 12.)"),
        (Keys(until="#"), "#", "(On the telephone I pressed only #.)"),
        (Keys(until="#", max_keys=3), "1*2", "(On the telephone I pressed 1*2.)"),
    ],
)
def test_keys_enter_the_conversation_as_what_was_pressed(keys: Keys, pressed: str, told: str) -> None:
    play = talking(keys=keys)
    for key in pressed[:-1]:
        assert play.happens(KeyPressed(key=key)) == []
    assert play.happens(KeyPressed(key=pressed[-1])) == [
        AddItem(item_id="item_1", text=told, as_caller=True),
        Speak(wish="wish_1"),
    ]
    assert play.timer(TimerKind.KEYS) is None


def test_a_pause_ends_an_entry() -> None:
    play = talking(keys=Keys(timeout_s=5))
    play.happens(KeyPressed(key="4"))
    play.passes(4)
    play.happens(KeyPressed(key="2"))
    assert play.passes(4.9) == []
    assert expect(AddItem, play.passes(0.1)[0]).text == "(On the telephone I pressed 42.)"


def test_the_ending_key_after_a_pause_is_part_of_the_entry_before_it() -> None:
    play = talking(keys=Keys(until="#", timeout_s=5))
    play.happens(KeyPressed(key="1"), KeyPressed(key="2"))
    play.passes(5)
    play.passes(4.9)
    play.happens(KeyPressed(key="#"))
    texts = [action.text for action in play.done if isinstance(action, AddItem)]
    assert texts == ["(On the telephone I pressed 12.)"]


@pytest.mark.parametrize("presses", ["#", "3#"])
def test_the_ending_key_of_another_entry_ends_that_one(presses: str) -> None:
    play = talking(keys=Keys(until="#", timeout_s=5))
    play.happens(KeyPressed(key="1"), KeyPressed(key="2"))
    play.passes(5)
    play.passes(1 if presses == "3#" else 5)
    for key in presses:
        play.happens(KeyPressed(key=key))
    texts = [action.text for action in play.done if isinstance(action, AddItem)]
    other = "3" if presses == "3#" else "only #"
    assert texts == ["(On the telephone I pressed 12.)", f"(On the telephone I pressed {other}.)"]


def test_private_keys_reach_the_model_and_no_record() -> None:
    play = talking(keys=Keys(until="#", private=True))
    for key in "1234#":
        play.happens(KeyPressed(key=key))
    item = expect(AddItem, play.done[0])
    assert item.text == "(On the telephone I pressed 1234.)"
    play.happens(ItemPlaced(item_id=item.item_id, role=Role.CALLER, text=item.text))
    assert [(turn.role, turn.text) for turn in play.record.turns] == [
        ("caller", "(keys pressed, kept private)")
    ]


def test_private_keys_are_masked_wherever_the_model_repeats_them() -> None:
    play = talking(http_tool(), keys=Keys(until="#", private=True))
    for key in "4821#":
        play.happens(KeyPressed(key=key))
    play.responds(("find_slots", '{"day":"4821"}'))
    play.happens(Transcribed(item_id="i", role=Role.AGENT, text="You pressed 4 8 2 1."))
    assert play.record.tools[0].arguments == {"day": "[redacted]"}
    assert [turn.text for turn in play.record.turns][-1] == "You pressed [redacted]."


def test_keys_of_an_agent_that_wants_none_change_nothing() -> None:
    play = talking()
    assert play.happens(KeyPressed(key="1")) == []


def test_keys_pressed_while_the_sideband_is_lost_are_told_when_it_is_open_again() -> None:
    play = talking(keys=Keys(timeout_s=5))
    play.happens(KeyPressed(key="7"), SidebandLost())
    assert play.passes(5) == []
    assert expect(AddItem, play.happens(SidebandOpened())[0]).text == "(On the telephone I pressed 7.)"


# Keys across agents and entries


def test_keys_pressed_before_a_hand_off_are_told_and_the_next_entry_is_the_next_agents() -> None:
    other = an_agent("other", keys=Keys(until="#"))
    play = talking(
        tool("over", HandoffBinding(agent="other")), others=(other,), keys=Keys(until="#", timeout_s=5)
    )
    play.happens(KeyPressed(key="1"), KeyPressed(key="2"))
    play.responds(("over", "{}"))
    play.happens(SessionUpdated(update_id="switch_1"))
    play.passes(6)
    play.happens(KeyPressed(key="3"), KeyPressed(key="#"))
    texts = [action.text for action in play.done if isinstance(action, AddItem)]
    assert texts == ["(On the telephone I pressed 12.)", "(On the telephone I pressed 3.)"]


def test_the_ending_key_after_a_full_entry_is_part_of_it() -> None:
    play = talking(keys=Keys(until="#", max_keys=4))
    for key in "1234#":
        play.happens(KeyPressed(key=key))
    texts = [action.text for action in play.done if isinstance(action, AddItem)]
    assert texts == ["(On the telephone I pressed 1234.)"]
    play.happens(KeyPressed(key="#"))
    assert len([action for action in play.done if isinstance(action, AddItem)]) == 2
    for key in "123456#":
        play.happens(KeyPressed(key=key))
    texts = [action.text for action in play.done if isinstance(action, AddItem)]
    assert texts[2:] == ["(On the telephone I pressed 1234.)", "(On the telephone I pressed 56.)"]


def test_the_ending_key_long_after_a_full_entry_is_an_entry_of_its_own() -> None:
    play = talking(keys=Keys(until="#", max_keys=4, timeout_s=5))
    for key in "1234":
        play.happens(KeyPressed(key=key))
    play.responds()
    play.passes(5)
    told, _ = play.happens(KeyPressed(key="#"))
    assert expect(AddItem, told).text == "(On the telephone I pressed only #.)"


def test_keys_pressed_while_the_call_is_hung_up_are_told_to_nobody() -> None:
    play = talking(HANG_UP, keys=Keys(until="#"))
    play.responds(("hang_up", "{}"))
    assert play.happens(KeyPressed(key="1"), KeyPressed(key="#")) == []
