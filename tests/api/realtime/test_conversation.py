"""A change of the session is confirmed by the session that the API then tells."""

import json

from runner.api.realtime import api
from runner.model.action import SendOutput, SwitchAgent
from runner.model.event import ApiError, CallEvent, SessionUpdated
from runner.model.values import Json
from tests.api.realtime.agents import an_agent


def switch(number: int, instructions: str, **before: Json) -> SwitchAgent:
    return SwitchAgent(
        update_id=f"switch_{number}",
        before=an_agent(session=before),
        agent=an_agent(id="other"),
        instructions=instructions,
        with_voice=True,
    )


def updated(**session: Json) -> str:
    return json.dumps({"type": "session.updated", "session": session})


def refused(event_id: str) -> str:
    return json.dumps({"type": "error", "error": {"code": "bad", "message": "No.", "event_id": event_id}})


def update_ids(events: tuple[CallEvent, ...]) -> list[str | None]:
    return [event.update_id for event in events if isinstance(event, SessionUpdated)]


def test_the_session_with_its_instructions_confirms_an_update_once() -> None:
    conversation = api.conversation("rtc_1")
    conversation.frames(switch(1, "Be other."))
    assert update_ids(conversation.read(updated(instructions="Be the first."))) == [None]
    assert update_ids(conversation.read(updated(instructions="Be other."))) == ["switch_1"]
    assert update_ids(conversation.read(updated(instructions="Be other."))) == [None]


def test_a_later_update_that_is_confirmed_leaves_no_earlier_one_open() -> None:
    conversation = api.conversation("rtc_1")
    conversation.frames(switch(1, "Be one."))
    conversation.frames(switch(2, "Be two."))
    assert update_ids(conversation.read(updated(instructions="Be two."))) == ["switch_2"]
    assert update_ids(conversation.read(updated(instructions="Be one."))) == [None]


def test_an_update_that_is_refused_is_not_confirmed() -> None:
    conversation = api.conversation("rtc_1")
    conversation.frames(switch(1, "Be other."))
    (error,) = conversation.read(refused("switch_1"))
    assert isinstance(error, ApiError)
    assert error.about == "switch_1"
    assert update_ids(conversation.read(updated(instructions="Be other."))) == [None]


def test_what_is_only_set_back_confirms_nothing() -> None:
    conversation = api.conversation("rtc_1")
    frames = conversation.frames(switch(1, "Be other.", audio={"output": {"speed": 1.2}}))
    assert len(frames) == 2
    assert update_ids(conversation.read(updated(instructions="Be brief."))) == [None]
    assert update_ids(conversation.read(updated(instructions="Be other."))) == ["switch_1"]


def test_a_gateway_that_tells_a_part_of_the_session_confirms_one_update_after_the_other() -> None:
    conversation = api.conversation("rtc_1")
    conversation.frames(switch(1, "Be other.", audio={"output": {"speed": 1.2}}))
    assert update_ids(conversation.read(updated(model="m"))) == ["switch_1_1"]
    assert update_ids(conversation.read(updated(model="m"))) == ["switch_1"]
    assert update_ids(conversation.read(updated(model="m"))) == [None]


def test_the_session_at_the_beginning_confirms_nothing() -> None:
    conversation = api.conversation("rtc_1")
    conversation.frames(switch(1, "Be other."))
    created = json.dumps({"type": "session.created", "session": {"model": "m", "instructions": "Be other."}})
    assert conversation.read(created) == (SessionUpdated(model="m"),)


def test_a_frame_can_be_sent_whatever_the_model_wrote() -> None:
    output = SendOutput(call_id="call_1", output="there is no tool fly\ud83d, señor")
    (frame,) = api.conversation("rtc_1").frames(output)
    assert json.loads(frame.encode())["item"]["output"] == "there is no tool fly?, señor"
