"""What a live call shows: its fields, what has changed, and nothing that its record would mask."""

import json
from typing import Any

import pytest

from runner.call.records.redaction import Redactor
from runner.call.view.call_view import CallView
from runner.model.agent import Agent, Recording, Sensitive
from runner.model.call import Role
from runner.model.conversation_event import (
    CallerSpeaks,
    ItemPlaced,
    Outcome,
    PlaybackEnded,
    PlaybackStarted,
    ResponseEnded,
    ResponseStarted,
    ToolCalled,
    Transcribed,
    TranscriptGrew,
)
from runner.model.event import Replied, SidebandLost, SidebandOpened, Steered
from runner.model.http import HttpReply
from runner.model.steering import AddNote, SaySentence, TakeOver
from tests.call.machine.playing import TO_NURSE, Play, an_agent, http_tool

CARD = "4111 1111 1111 1111"


def opened(agent: Agent | None = None, *others: Agent) -> tuple[Play, CallView]:
    """A call that has begun, and a view of it that was shown whole."""
    play = Play(agent or an_agent(tools=(http_tool(), TO_NURSE)), *others)
    play.happens(SidebandOpened())
    view = CallView(play.machine, "runner-1")
    view.whole(play.now)
    return play, view


def said(play: Play, text: str, item_id: str = "item_1", role: Role = Role.CALLER) -> None:
    play.happens(ItemPlaced(item_id=item_id, role=role), Transcribed(item_id=item_id, role=role, text=text))


def changes(play: Play, view: CallView) -> list[tuple[str, Any]]:
    return list(view.changes(play.now))


def test_nothing_has_changed_when_nothing_has_happened() -> None:
    play, view = opened()
    assert changes(play, view) == []


def test_a_turn_is_told_when_it_comes_and_when_it_is_transcribed() -> None:
    play, view = opened()
    play.happens(ItemPlaced(item_id="item_1", role=Role.CALLER))
    begun = {
        "id": "item_1",
        "after": None,
        "role": "caller",
        "text": None,
        "at": 1000.0,
        "heard_ms": None,
        "waited_s": None,
        "is_whole": False,
    }
    assert ("turn", begun) in changes(play, view)
    play.happens(Transcribed(item_id="item_1", role=Role.CALLER, text="Hello?"))
    assert changes(play, view) == [("turn", {**begun, "text": "Hello?", "is_whole": True})]
    said(play, "Hi.", "item_2", Role.AGENT)
    [(_, turn)] = [change for change in changes(play, view) if change[0] == "turn"]
    assert (turn["id"], turn["after"]) == ("item_2", "item_1")


def test_a_turn_that_comes_late_stands_where_it_belongs() -> None:
    play, view = opened()
    said(play, "Hello?", "item_1")
    said(play, "Goodbye.", "item_3")
    changes(play, view)
    play.happens(ItemPlaced(item_id="item_2", after="item_1", role=Role.AGENT, text="Hi."))
    told = {turn["id"]: turn["after"] for name, turn in changes(play, view) if name == "turn"}
    assert told == {"item_2": "item_1", "item_3": "item_2"}


def test_who_speaks_is_told() -> None:
    play, view = opened()
    play.happens(CallerSpeaks(began=True))
    [(name, floor)] = changes(play, view)
    assert name == "floor"
    assert {key: floor[key] for key in ("phase", "caller", "agent", "tools", "is_attached")} == {
        "phase": "talking",
        "caller": True,
        "agent": False,
        "tools": 0,
        "is_attached": True,
    }
    assert floor["spans"] == [{"who": "caller", "from": 1000.0, "to": None, "interrupted": False}]
    play.now += 2
    play.happens(CallerSpeaks(began=False), SidebandLost())
    [(_, floor)] = changes(play, view)
    assert floor["spans"] == [{"who": "caller", "from": 1000.0, "to": 1002.0, "interrupted": False}]
    assert view.whole(play.now)["spans"] == floor["spans"]
    assert (floor["caller"], floor["is_attached"]) == (False, False)
    lost = "the sideband is lost; the call goes on without tools and limits until it is back"
    assert (view.row(play.now)["trouble"], floor["trouble"]) == (lost, lost)
    play.happens(SidebandOpened())
    assert [data["trouble"] for name, data in changes(play, view) if name == "floor"] == [None]


def test_a_tool_is_told_when_it_begins_and_when_it_ends() -> None:
    play, view = opened()
    said(play, "Any slots?")
    changes(play, view)
    called = ToolCalled(response_id="r1", call_id="c1", name="find_slots", arguments='{"day": "Friday"}')
    play.happens(
        ResponseStarted(response_id="r1"),
        called,
        ResponseEnded(response_id="r1", outcome=Outcome.COMPLETED, calls=(called,)),
    )
    [tool] = [data for name, data in changes(play, view) if name == "tool"]
    assert {key: tool[key] for key in ("call_id", "name", "arguments", "status", "turn")} == {
        "call_id": "c1",
        "name": "find_slots",
        "arguments": {"day": "Friday"},
        "status": "running",
        "turn": "item_1",
    }
    assert view.row(play.now)["tools_running"] == 1
    play.happens(Replied(call_id="c1", attempt=1, reply=HttpReply(status=200, body=b"{}")))
    [tool] = [data for name, data in changes(play, view) if name == "tool"]
    assert (tool["status"], tool["http_status"]) == ("ok", 200)


def test_acts_and_who_leads_are_told() -> None:
    play, view = opened()
    play.happens(Steered(id="d1", by="lead", act=TakeOver(for_s=60)))
    told = dict(changes(play, view))
    assert (told["deed"]["id"], told["deed"]["result"]) == ("d1", "done")
    assert told["floor"]["led_by"] == "lead"
    assert told["limits"]["lead_until"] == 1060.0
    assert view.row(play.now)["led_by"] == "lead"


def test_a_person_is_told_what_acts_may_name() -> None:
    _, view = opened(an_agent(tools=(TO_NURSE,)), an_agent("billing"), an_agent("other", model="another"))
    whole = view.whole(1000.0)
    assert whole["choices"] == {"transfer_to": ["nurse"], "handoff": ["billing"], "vars": []}


# Redaction


def shown(view: CallView, play: Play) -> str:
    """Everything that a watcher could see."""
    return json.dumps([view.row(play.now), view.whole(play.now), view.end()])


def test_words_are_shown_as_they_come_where_nothing_is_masked() -> None:
    _, view = opened()
    grew = TranscriptGrew(item_id="item_1", role=Role.AGENT, text=" more")
    assert view.wants_words
    assert view.words(grew, 1000.5) == (
        "words",
        {"id": "item_1", "role": "agent", "text": " more", "at": 1000.5},
    )
    for recording in (
        Recording(kinds=frozenset({Sensitive.PAYMENT_CARD})),
        Recording(arguments=(("card",),)),
        Recording(results=(("name",),)),
        Recording(transcript=False),
    ):
        _, view = opened(an_agent(record=recording))
        assert not view.wants_words
        assert view.words(grew, 1000.5) is None
        assert view.whole(1000.0)["shows_words"] is False


def test_a_card_number_is_nowhere() -> None:
    recording = Recording(kinds=frozenset({Sensitive.PAYMENT_CARD}))
    play, view = opened(an_agent(tools=(http_tool(),), record=recording))
    said(play, f"It is {CARD}.")
    called = ToolCalled(
        response_id="r1", call_id="c1", name="find_slots", arguments=json.dumps({"day": CARD, "room": 202})
    )
    play.happens(called, Steered(id="d1", by="lead", act=AddNote(text=f"card {CARD}")))
    play.happens(Steered(id="d2", by="lead", act=SaySentence(say=f"You said {CARD}")))
    told = json.dumps(changes(play, view)) + shown(view, play)
    assert "[payment_card]" in told
    assert '"room": 202' in told
    assert "4111" not in told
    assert "1111" not in told


def test_digits_that_may_turn_out_to_be_private_are_hidden_until_the_call_is_over() -> None:
    play, view = opened(an_agent(tools=(http_tool(),), record=Recording(arguments=(("day",),))))
    said(play, "My number is 12 34 5, at 10, room 101.")
    turn = view.whole(play.now)["turns"][0]
    assert turn["text"] == "My number is •••, at 10, room •••."
    assert view.row(play.now)["last_words"] == "My number is •••, at 10, room •••."
    assert view.row(play.now)["caller"] == "+14155550100"
    play.happens(ItemPlaced(item_id="item_2", role=Role.CALLER))
    assert view.whole(play.now)["turns"][1]["text"] is None
    arguments = '{"day": "Friday", "note": "dial 5 55", "rooms": [101, 10, true], "price": 9.99}'
    play.happens(ToolCalled(response_id="r1", call_id="c1", name="find_slots", arguments=arguments))
    assert view.whole(play.now)["tools"][0]["arguments"] == {
        "day": "[redacted]",
        "note": "dial •••",
        "rooms": ["•••", 10, True],
        "price": "•••",
    }


def test_a_value_that_is_learnt_later_is_masked_where_it_was_shown() -> None:
    play, view = opened(an_agent(tools=(http_tool(),), record=Recording(arguments=(("day",),))))
    said(play, "My name is Hildegard.")
    assert "Hildegard" in json.dumps(changes(play, view))
    play.happens(
        ToolCalled(response_id="r1", call_id="c1", name="find_slots", arguments='{"day": "Hildegard"}')
    )
    told = changes(play, view)
    assert [turn["text"] for name, turn in told if name == "turn"] == ["My name is [redacted]."]
    assert "Hildegard" not in json.dumps(told) + shown(view, play)


def test_without_a_transcript_lanes_and_tools_are_shown_and_no_words() -> None:
    play, view = opened(an_agent(tools=(http_tool(),), record=Recording(transcript=False)))
    said(play, "A secret.")
    play.happens(PlaybackStarted(response_id="r0"), PlaybackEnded(response_id="r0"))
    play.happens(Steered(id="d1", by="lead", act=SaySentence(say="A secret.")))
    told = json.dumps(changes(play, view)) + shown(view, play)
    assert "secret" not in told
    assert [turn["text"] for turn in view.whole(play.now)["turns"]] == [None]
    assert view.row(play.now)["last_words"] is None


def test_what_anybody_can_fill_is_text_and_nothing_else() -> None:
    """Whatever a caller, a model or an endpoint writes leaves as a JSON string."""
    attack = "<img src=x onerror=alert(1)>\r\nevent: ended\u2028"
    play, view = opened(an_agent(tools=(http_tool(),)))
    said(play, attack)
    play.happens(
        ToolCalled(response_id="r1", call_id="c1", name="find_slots", arguments=json.dumps({"day": attack})),
        Steered(id="d1", by=attack, act=AddNote(text=attack)),
    )
    for _, data in changes(play, view):
        line = json.dumps(data)
        assert "\n" not in line
        assert "\r" not in line
        assert line.isascii()


def test_what_is_masked_ahead_is_masked_one_by_one_and_not_again(monkeypatch: pytest.MonkeyPatch) -> None:
    masked: list[str] = []

    def text(self: Redactor, text: str) -> str:
        masked.append(text)
        return f"<{text}>"

    monkeypatch.setattr(Redactor, "text", text)
    play, view = opened(an_agent(tools=(http_tool(),), record=Recording(kinds=frozenset({Sensitive.SSN}))))
    play.session.texts.variables["name"] = "Ada"
    said(play, "Hello?")
    for call_id in ("call_1", "call_2"):
        play.happens(ToolCalled(response_id="r", call_id=call_id, name=http_tool().name, arguments="{}"))
        body = json.dumps(f"reply to {call_id}").encode()
        play.happens(Replied(call_id=call_id, attempt=1, reply=HttpReply(status=200, body=body)))
    play.happens(Steered(id="d1", by="lead", act=AddNote(text="Called before.")))
    masked.clear()
    for _ in view.mask_ahead():
        assert len([one for one in masked if one.startswith(("Hello", "reply", "Ada", "Called"))]) <= 1
        masked.clear()
    whole = view.whole(play.now)
    assert [one for one in masked if one] == []
    assert [turn["text"] for turn in whole["turns"]] == ["<Hello?>"]
    assert [tool["reply"] for tool in whole["tools"]] == ["<reply to call_1>", "<reply to call_2>"]
    assert whole["vars"] == {"<name>": "<Ada>"}
    play.session.texts.variables["name"] = "Bob"
    assert view.whole(play.now)["vars"] == {"<name>": "<Bob>"}


def test_what_is_masked_ahead_is_masked_again_when_there_is_more_to_mask() -> None:
    record = Recording(results=(("id",),))
    play, view = opened(an_agent(tools=(http_tool(),), record=record))
    said(play, "I am Ann Lee.")
    play.happens(ToolCalled(response_id="r", call_id="call_1", name=http_tool().name, arguments="{}"))
    steps = view.mask_ahead()
    next(steps)
    reply = HttpReply(status=200, body=b'{"id": "Ann Lee"}')
    play.happens(Replied(call_id="call_1", attempt=1, reply=reply))
    assert len(list(steps)) > 3, "begun again"
    assert view.whole(play.now)["turns"][0]["text"] == "I am [redacted]."


@pytest.mark.parametrize("is_learning", [False, True])
def test_a_reply_is_masked_once_and_again_only_when_there_is_more_to_mask(is_learning: bool) -> None:
    record = Recording(kinds=frozenset({Sensitive.SSN}), results=(("id",),) if is_learning else ())
    play, view = opened(an_agent(tools=(http_tool(),), record=record))
    for call_id, body in (("call_1", b'{"note": "Ann Lee"}'), ("call_2", b'{"id": "Ann Lee"}')):
        play.happens(ToolCalled(response_id="r", call_id=call_id, name=http_tool().name, arguments="{}"))
        play.happens(Replied(call_id=call_id, attempt=1, reply=HttpReply(status=200, body=body)))
        first = view.whole(play.now)["tools"][0]
        said(play, "Yes.", f"item_{call_id}")
        assert view.whole(play.now)["tools"][0]["reply"] is first["reply"]
    assert first["reply"] == {"note": "[redacted]" if is_learning else "Ann Lee"}
