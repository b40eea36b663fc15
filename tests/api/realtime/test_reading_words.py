"""Whose words they are, where they stand, and that they are told once."""

import json
from dataclasses import replace

import pytest

from runner.api.realtime.reading import Reader
from runner.model.call import Role
from runner.model.conversation_event import ItemPlaced, OutputTaken, ResponseEnded, Transcribed
from runner.model.event import CallEvent
from tests.api.realtime.frames import message


def item_event(kind: str, **fields: object) -> dict[str, object]:
    return {"type": kind, "response_id": "resp_1", "item_id": "item_2", "content_index": 0, **fields}


TOLD_IN_FIVE_PLACES = [
    item_event("response.output_audio_transcript.done", transcript="Hi."),
    item_event("response.content_part.done", part={"type": "audio", "transcript": "Hi."}),
    item_event("conversation.item.done", previous_item_id="item_1", item=message("Hi.")),
    item_event("response.output_item.done", item=message("Hi.")),
    item_event("response.done", response={"id": "resp_1", "status": "completed", "output": [message("Hi.")]}),
]
ADDED = item_event("conversation.item.added", previous_item_id="item_1", item=message(status="in_progress"))
HI = Transcribed(item_id="item_2", role=Role.AGENT, text="Hi.")
PLACED = ItemPlaced(item_id="item_2", after="item_1", role=Role.AGENT)


def all_of(events: list[dict[str, object]]) -> list[CallEvent]:
    """What these events mean, one after the other, but for the end of the response."""
    reader = Reader()
    read = [event for received in events for event in reader.read(json.dumps(received))]
    return [event for event in read if not isinstance(event, ResponseEnded)]


@pytest.mark.parametrize("place", TOLD_IN_FIVE_PLACES, ids=lambda event: str(event["type"]))
def test_any_of_five_events_tells_the_words_of_the_agent(place: dict[str, object]) -> None:
    assert all_of([ADDED, place]) == [PLACED, HI]


@pytest.mark.parametrize(
    "place",
    [
        item_event("response.output_text.done", text="Hi."),
        item_event("response.audio_transcript.done", transcript="Hi."),
        item_event("response.text.done", text="Hi."),
        item_event("response.content_part.done", part={"type": "text", "text": "Hi."}),
        item_event("response.content_part.done", part={"type": "text", "transcript": None, "text": "Hi."}),
        item_event("response.output_text.done", transcript=None, text="Hi."),
    ],
    ids=lambda event: str(event["type"]),
)
def test_text_and_the_names_of_the_beta_are_words_too(place: dict[str, object]) -> None:
    assert all_of([ADDED, place]) == [PLACED, HI]


@pytest.mark.parametrize("place", TOLD_IN_FIVE_PLACES[3:], ids=lambda event: str(event["type"]))
@pytest.mark.parametrize("role", [None, "", "user"])
def test_an_item_of_a_response_is_the_agents_even_if_it_does_not_say_so(
    place: dict[str, object], role: str | None
) -> None:
    item = {**message("Hi."), "role": role}
    done = {"id": "resp_1", "status": "completed", "output": [item]}
    without_role = {**place, "item": item} if "item" in place else {**place, "response": done}
    assert all_of([ADDED, without_role]) == ([PLACED] if role else [PLACED, HI])


@pytest.mark.parametrize(
    ("output", "is_empty"),
    [
        ([], True),
        ([message()], True),
        ([message("")], False),  # sound without words
        ([{"type": "reasoning", "id": "i", "summary": []}], True),
        ([{**message(), "content": [{"type": "output_text", "text": ""}]}], True),
        ([{**message(), "content": [{"type": "output_text", "text": "Hi."}]}], False),
        ([{"type": "mcp_call", "id": "i", "server_label": "crm", "name": "find"}], False),
        ([{"type": "function_call", "status": "incomplete"}], False),
        (None, False),  # a gateway that leaves it out says nothing about it
    ],
)
def test_a_response_is_empty_if_it_holds_neither_words_nor_sound_nor_a_call(
    output: list[object] | None, is_empty: bool
) -> None:
    response = {"id": "resp_1", "status": "completed", "output": output}
    (*_, ended) = Reader().read(json.dumps({"type": "response.done", "response": response}))
    assert isinstance(ended, ResponseEnded)
    assert ended.is_empty is is_empty


@pytest.mark.parametrize("missed", range(5))
def test_words_are_told_once_whichever_events_are_missed(missed: int) -> None:
    assert all_of([ADDED, *TOLD_IN_FIVE_PLACES[missed:]]) == [PLACED, HI]


def test_an_item_whose_place_was_missed_is_placed_when_it_is_done() -> None:
    assert all_of(TOLD_IN_FIVE_PLACES) == [HI, replace(PLACED, text="Hi.")]
    assert all_of(TOLD_IN_FIVE_PLACES[3:]) == [HI]


def test_an_output_of_a_tool_whose_place_was_missed_is_taken_when_it_is_done() -> None:
    item = {"id": "o", "type": "function_call_output", "call_id": "call_1", "output": "{}"}
    done: dict[str, object] = {"type": "conversation.item.done", "previous_item_id": "a", "item": item}
    added = {**done, "type": "conversation.item.added"}
    taken = [ItemPlaced(item_id="o", after="a"), OutputTaken(call_id="call_1", item_id="o")]
    assert all_of([added, done]) == all_of([done]) == taken


def test_an_item_of_several_parts_has_the_words_of_all() -> None:
    first = item_event("response.output_audio_transcript.done", transcript="Hi.")
    second = item_event("response.output_audio_transcript.done", content_index=1, transcript="Ada here.")
    whole = item_event("response.output_item.done", item=message("Hi.", "Ada here."))
    both = Transcribed(item_id="item_2", role=Role.AGENT, text="Hi. Ada here.")
    assert all_of([ADDED, first, second, whole]) == [PLACED, HI, both]
    assert all_of([ADDED, whole]) == [PLACED, both]


def test_what_is_told_later_without_words_takes_none_away() -> None:
    empty = item_event("conversation.item.done", previous_item_id="item_1", item=message(""))
    assert all_of([ADDED, TOLD_IN_FIVE_PLACES[0], empty]) == [PLACED, HI]


def test_an_item_that_was_made_without_words_is_known_to_have_none() -> None:
    silent = item_event("response.output_audio_transcript.done", transcript="")
    untold = {**message(), "content": [{"type": "output_audio", "transcript": None}]}
    done = item_event("conversation.item.done", previous_item_id="item_1", item=untold)
    assert all_of([ADDED, silent, done]) == [PLACED, Transcribed(item_id="item_2", role=Role.AGENT)]
    assert all_of([ADDED, done]) == [PLACED]


def test_the_callers_item_is_placed_by_either_of_its_events_and_has_its_words_elsewhere() -> None:
    item = {"id": "c", "type": "message", "role": "user", "content": [{"type": "input_audio"}]}
    kind = "conversation.item.added"
    added: dict[str, object] = {"type": kind, "previous_item_id": None, "item": item}
    done: dict[str, object] = {**added, "type": "conversation.item.done"}
    placed = ItemPlaced(item_id="c", role=Role.CALLER)
    assert all_of([added, done]) == all_of([done]) == [placed]


def test_the_place_of_what_the_caller_has_said_is_told_once() -> None:
    kind = "input_audio_buffer.committed"
    committed: dict[str, object] = {"type": kind, "item_id": "c", "previous_item_id": "b"}
    item = {"id": "c", "type": "message", "role": "user", "content": [{"type": "input_audio"}]}
    added: dict[str, object] = {
        "type": "conversation.item.added",
        "previous_item_id": "b",
        "item": item,
    }
    placed = ItemPlaced(item_id="c", after="b", role=Role.CALLER)
    assert all_of([committed, added]) == all_of([added]) == [placed]
    elsewhere = {**added, "previous_item_id": "a"}
    assert all_of([committed, elsewhere]) == [placed, ItemPlaced(item_id="c", after="a", role=Role.CALLER)]
