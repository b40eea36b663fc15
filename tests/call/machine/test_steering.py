"""What people want of a call, act by act, wherever the call stands."""

import pytest

from runner.call.machine.machine import CallMachine
from runner.call.machine.phase import UNANSWERED, Phase
from runner.call.machine.steering import ROWS, TABLE
from runner.model.action import Action, HangUp
from runner.model.agent import Wait
from runner.model.event import CallGone, Steered
from runner.model.record import Deed
from runner.model.steering import WISHES, AddNote, EndCall, Wish, given_of, name_of, wish_of
from runner.model.tool import Tool
from runner.model.values import Json, JsonObject
from tests.call.machine.playing import RINGING, Play, a_world, an_agent

BY = "shift-lead"


def talking(*tools: Tool, **fields: Json) -> Play:
    """A call whose agent waits for the caller, so that the tests have the stage for themselves."""
    play = Play(an_agent(tools=tools, **{"greeting": Wait(), **fields}), an_agent("recepcion"))
    play.opens()
    return play


def steer(play: Play, wish: Wish, deed_id: str = "deed_1") -> list[Action]:
    """The actions that a person's act leads to."""
    return play.happens(Steered(id=deed_id, by=BY, wish=wish))


def deed(play: Play, deed_id: str = "deed_1") -> Deed:
    found = play.machine.deed(deed_id)
    assert found is not None
    return found


def outcome(play: Play, deed_id: str = "deed_1") -> tuple[str, str]:
    return deed(play, deed_id).result, deed(play, deed_id).detail


def test_no_wish_and_phase_has_two_handlers() -> None:
    assert len(TABLE) == sum(len(phases) for _, phases, _ in ROWS)


@pytest.mark.parametrize("phase", UNANSWERED)
def test_nobody_steers_a_call_that_was_not_answered(phase: Phase) -> None:
    assert not [wish for wish, allowed in TABLE if allowed is phase]


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("say", {"say": "One moment.", "when": "now"}),
        ("tell", {"tell": "Be brief.", "speak": True}),
        ("hush", {}),
        ("vars", {"set": {"name": "Ada"}}),
        ("instructions", {"add": "Be brief."}),
        ("handoff", {"agent": "recepcion", "speak": False}),
        ("transfer", {"to": "nurse", "say": "One moment."}),
        ("hangup", {}),
        ("take-over", {"for_s": 30.0}),
        ("give-back", {"speak": True}),
        ("note", {"text": "Knows us."}),
    ],
)
def test_a_wish_is_its_name_and_the_fields_of_its_json(name: str, given: JsonObject) -> None:
    wish = wish_of(name, given)
    assert isinstance(wish, WISHES[name])
    assert (name_of(wish), given_of(wish)) == (name, given)


def test_a_call_that_still_rings_refuses_everything() -> None:
    machine, _ = CallMachine.ring(RINGING, a_world(an_agent()), 1000.0)
    assert machine.handle(Steered(id="deed_1", by=BY, wish=EndCall()), 1000.0) == []
    found = machine.deed("deed_1")
    assert found is not None
    assert (found.result, found.detail) == ("refused", 'no "hangup" now: the call is not answered yet')


def test_a_note_stands_in_the_record_and_nowhere_else() -> None:
    play = talking()
    assert steer(play, AddNote(text="Knows us.")) == []
    assert play.record.deeds == (
        Deed(
            id="deed_1",
            by=BY,
            what="note",
            given={"text": "Knows us."},
            at=1000.0,
            result="done",
            settled_at=1000.0,
        ),
    )


def test_a_repeated_id_is_the_same_act() -> None:
    play = talking()
    steer(play, AddNote(text="Knows us."))
    play.passes(5)
    assert steer(play, EndCall()) == []
    assert [each.what for each in play.record.deeds] == ["note"]


def test_a_person_hangs_up_at_once() -> None:
    play = talking()
    assert steer(play, EndCall()) == [HangUp()]
    assert outcome(play) == ("done", "")
    play.happens(CallGone())
    assert play.record.ended == "person"


def test_what_comes_too_late_is_refused_and_stands_in_the_record() -> None:
    play = talking()
    steer(play, EndCall())
    steer(play, EndCall(), "deed_2")
    assert outcome(play, "deed_2") == ("refused", 'no "hangup" now: the call is being ended')
    assert [each.result for each in play.record.deeds] == ["done", "refused"]
