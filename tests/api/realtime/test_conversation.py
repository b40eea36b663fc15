"""What the sideband of a call keeps between two events: updates of the session, and whose the call is."""

import json

import pytest

from runner.api.realtime import api
from runner.model.action import SendOutput, Speak, SwitchAgent
from runner.model.conversation_event import ApiError, ResponseStarted, SessionUpdated
from runner.model.event import CallEvent
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


def test_a_request_to_speak_tells_under_which_fence_the_call_is_held() -> None:
    (frame,) = api.conversation("rtc_1").frames(Speak(wish="wish_1"), fence=3)
    assert json.loads(frame)["response"]["metadata"] == {"wish": "wish_1", "fence": "3"}


def test_without_a_fence_a_request_to_speak_tells_none() -> None:
    (frame,) = api.conversation("rtc_1").frames(Speak(wish="wish_1"))
    assert json.loads(frame)["response"]["metadata"] == {"wish": "wish_1"}


@pytest.mark.parametrize("kind", ["response.created", "response.done"])
def test_the_highest_fence_of_any_response_is_known(kind: str) -> None:
    conversation = api.conversation("rtc_1")
    known = []
    for fence in ("2", "11", "3"):
        response = {"id": "resp_1", "metadata": {"wish": "wish_1", "fence": fence}}
        conversation.read(json.dumps({"type": kind, "response": response}))
        known.append(conversation.fence)
    assert known == [2, 11, 11]


@pytest.mark.parametrize(
    "metadata", [None, [], {}, {"fence": 7}, {"fence": "-7"}, {"fence": "\u0667"}, {"fence": "7" * 10}]
)
def test_what_is_not_a_fence_is_none(metadata: Json) -> None:
    conversation = api.conversation("rtc_1")
    (started,) = conversation.read(
        json.dumps({"type": "response.created", "response": {"id": "resp_1", "metadata": metadata}})
    )
    assert started == ResponseStarted(response_id="resp_1")
    assert conversation.fence == 0


def test_a_frame_can_be_sent_whatever_the_model_wrote() -> None:
    output = SendOutput(call_id="call_1", output="there is no tool fly\ud83d, señor")
    (frame,) = api.conversation("rtc_1").frames(output)
    assert json.loads(frame.encode())["item"]["output"] == "there is no tool fly?, señor"
