"""What an event says once more is known by its bytes; whatever differs is read."""

import json

import pytest

from runner.api.realtime.reading import Reader
from runner.api.realtime.repeats import Repeats
from runner.model.conversation_event import ToolCalled, Transcribed
from tests.sessions import NAMES, frames

TRANSCRIPT, PART = "response.output_audio_transcript.done", "response.content_part.done"
IN_CONVERSATION, IN_RESPONSE = "conversation.item.done", "response.output_item.done"
OF_PART = {"response_id": "resp_1", "item_id": "item_2", "output_index": 0, "content_index": 0}
SOUND = {"type": "output_audio", "transcript": "Hi."}
ITEM = {"id": "item_2", "type": "message", "status": "completed", "role": "assistant", "content": [SOUND]}
CALL = {
    "id": "item_2",
    "type": "function_call",
    "status": "completed",
    "role": "assistant",
    "name": "find",
    "call_id": "call_1",
    "arguments": '{"type":"message"}',
}


def frame(kind: str, **fields: object) -> bytes:
    """As the API writes it."""
    return json.dumps({"type": kind, "event_id": "e", **fields}, separators=(",", ":")).encode()


def transcript(**fields: object) -> bytes:
    return frame(TRANSCRIPT, **OF_PART | {"transcript": "Hi."} | fields)


def part(words: object = "Hi.", **fields: object) -> bytes:
    return frame(PART, **OF_PART | {"part": {"type": "audio", "transcript": words}} | fields)


def whole(kind: str, item: object = ITEM) -> bytes:
    return frame(kind, response_id="resp_1", item=item)


def are_repeats(*frames: bytes) -> list[bool]:
    repeats = Repeats()
    return [repeats.hears(json.loads(each)["type"].encode(), each) for each in frames]


def test_what_two_events_repeat_is_known_once() -> None:
    item, done = whole(IN_CONVERSATION), whole(IN_RESPONSE)
    assert are_repeats(transcript(), part(), item, done) == [False, True, False, True]
    assert are_repeats(part(), transcript(), done, item) == [False] * 4, "nothing was said before"
    assert are_repeats(transcript(), part(), part(), item, done, done)[-1] is False


@pytest.mark.parametrize(
    "other",
    [part("Hi. There."), part(None), part(content_index=1), part(item_id="item_3"), part(more=1)],
)
def test_a_part_that_differs_is_read(other: bytes) -> None:
    assert are_repeats(transcript(), other) == [False, False]


@pytest.mark.parametrize("change", [{"id": "item_3"}, {"content": []}, {"status": "incomplete"}])
def test_an_item_that_differs_is_read(change: dict[str, object]) -> None:
    assert are_repeats(whole(IN_CONVERSATION), whole(IN_RESPONSE, ITEM | change)) == [False, False]


@pytest.mark.parametrize("more", [{}, {"part": {"type": "message"}}])
def test_a_tool_call_is_read_where_it_is_complete(more: dict[str, object]) -> None:
    reader = Reader()
    reader.read(whole(IN_CONVERSATION, CALL | more))
    [called] = reader.read(whole(IN_RESPONSE, CALL | more))
    assert isinstance(called, ToolCalled)


@pytest.mark.parametrize("role", ["", "user"])
def test_an_item_that_only_its_response_makes_the_agents_is_read(role: str) -> None:
    item = ITEM | {"role": role}
    reader = Reader()
    assert not any(isinstance(event, Transcribed) for event in reader.read(whole(IN_CONVERSATION, item)))
    assert are_repeats(whole(IN_CONVERSATION, item), whole(IN_RESPONSE, item)) == [False, False]


def test_whoever_reads_every_event_learns_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    repeated = 0

    def count(repeats: Repeats, kind: bytes, frame: bytes) -> bool:
        nonlocal repeated
        repeated += hears(repeats, kind, frame)
        return False

    hears = Repeats.hears
    for name in NAMES:
        reader = Reader()
        read = [reader.read(each) for each in frames(name)]
        with monkeypatch.context() as patched:
            patched.setattr(Repeats, "hears", count)
            reader = Reader()
            assert read == [reader.read(each) for each in frames(name)]
    assert repeated > 20
