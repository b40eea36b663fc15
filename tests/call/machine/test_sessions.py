"""Whole sessions, replayed through parser, machine and record."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from runner.api.realtime.reading import Reader
from runner.model.action import SendOutput, SendRequest, Speak
from runner.model.agent import Keys, Say
from runner.model.conversation_event import (
    Ignored,
    IgnoredBecause,
    PlaybackEnded,
    ResponseStarted,
    SilenceNudge,
    TranscriptGrew,
)
from runner.model.event import CallEvent, CallGone, SidebandLost, SidebandOpened
from runner.model.usage import TranscriptionUsage, Usage
from tests.call.machine.playing import Play, an_agent, http_tool, words
from tests.sessions import NAMES, frames

GREETING = "Maple Dental, how can I help?"
TURNS: dict[str, list[tuple[str, str | None]]] = {
    "barge-in-before-speech": [
        ("caller", "When are you"),
        ("caller", "Only on Friday, please."),
        ("agent", "Friday it is."),
    ],
    "barge-in-during-tool": [
        ("caller", "What is free on Friday?"),
        ("agent", "One moment."),
        ("caller", "Only on Friday, please."),
        ("agent", "Friday it is."),
    ],
    "barge-in-while-generating": [
        ("caller", "When are you open?"),
        ("agent", "We are open on Monday, on Tuesday,"),
        ("caller", "Only on Friday, please."),
        ("agent", "Friday it is."),
    ],
    "barge-in-while-playing": [
        ("caller", "When are you open?"),
        ("agent", "We are open from Monday to Friday, from eight to five."),
        ("caller", "Only on Friday, please."),
        ("agent", "Friday it is."),
    ],
    "beta-names": [("caller", "Are you open on Friday?"), ("agent", "Yes, until five.")],
    "complaints": [("caller", "Are you open?"), ("agent", "Yes.")],
    "idle-timeout": [
        ("agent", "Are you still there?"),
        ("caller", "Yes, I am."),
        ("agent", "Good. What can I do for you?"),
    ],
    "keys": [("caller", "(On the telephone I pressed 42.)"), ("agent", "Thank you, forty-two.")],
    "late-transcripts": [
        ("caller", "I need an appointment."),
        ("agent", "Sure."),
        ("caller", "On Friday."),
        ("agent", "At nine?"),
        ("caller", "Nine is fine."),
        ("agent", "Done."),
    ],
    "missed-items": [
        ("caller", "Are you open on Friday?"),
        ("agent", "Yes."),
        ("caller", "And on Monday?"),
        ("agent", "Yes, too."),
    ],
    "missed-words": [("caller", "When are you open?"), ("agent", "From eight to five.")],
    "output-after-response": [
        ("caller", "What is free on Friday?"),
        ("caller", "Or Monday."),
        ("agent", "I am looking."),
        ("agent", "On Friday at nine."),
    ],
    "response-failed": [("caller", "Are you open?"), ("agent", "Yes, until five.")],
    "sideband-cut-before-the-end": [
        ("caller", "What is free on Friday?"),
        ("agent", "A moment."),
        ("agent", "On Friday at nine."),
    ],
    "sideband-cut-during-tool": [("caller", "What is free on Friday?"), ("agent", "On Friday at nine.")],
    "sideband-cut-in-speech": [
        ("caller", "When are you open?"),
        ("agent", None),
        ("caller", "And on Sunday?"),
        ("agent", "Closed on Sunday."),
    ],
    "sideband-cut-missing-call": [
        ("caller", "What is free on Friday?"),
        ("agent", "Let me look."),
        ("agent", "On Friday at nine."),
    ],
    "spoken-turn": [("caller", "Are you open on Friday?"), ("agent", "Yes, until five on Friday.")],
    "tool-call": [("caller", "Have you anything free on Friday?"), ("agent", "On Friday at nine.")],
    "tool-call-interleaved-speech": [
        ("caller", "What is free on Friday?"),
        ("agent", "Let me look that up."),
        ("agent", "There is one at nine."),
    ],
    "transcription-failed": [("caller", None), ("agent", "Sorry? Say that again, please.")],
    "two-calls": [("caller", "Friday or Monday?"), ("agent", "Both days are free.")],
    "unknown-events": [("caller", "Are you open on Friday?"), ("agent", "Yes.")],
}
CALLS = {
    "barge-in-during-tool": ["call_DuringTool0001"],
    "output-after-response": ["call_Crossing000001"],
    "sideband-cut-before-the-end": ["call_CutEnd00000001"],
    "sideband-cut-during-tool": ["call_CutTool0000001"],
    "sideband-cut-missing-call": ["call_CutCall0000001"],
    "tool-call": ["call_ToolCall000001"],
    "tool-call-interleaved-speech": ["call_Interleaved001"],
    "two-calls": ["call_TwoCalls000001", "call_TwoCalls000002"],
}
"""The calls that the caller was there for to the end. Each is of `find_slots`."""


class Session:
    """One call of ours that meets the frames of a session; its tools are answered at once."""

    def __init__(self) -> None:
        agent = an_agent(greeting=Say(text=words(GREETING)), keys=Keys(until="#"), tools=(http_tool(),))
        self._reader = Reader()
        self.play = Play(agent)
        self.play.opens()

    def meets(self, frame: str) -> None:
        """What one frame means, or that the sideband is lost and opened again."""
        if not frame:
            self.happens(SidebandLost())
            self.happens(SidebandOpened())
        for event in self._reader.read(frame) if frame else ():
            self.happens(event)

    def happens(self, event: CallEvent) -> None:
        if isinstance(event, ResponseStarted) and event.wish is not None:
            self.waits_for(event.wish)
        for action in self.play.happens(event):
            if isinstance(action, SendRequest):
                self.play.replies(action)
        self.play.passes(0.01)

    def waits_for(self, wish: str) -> None:
        """The API answers only what it was asked for, and we may take some seconds before we ask."""
        while wish not in self.asked() and self.play.now < 1100:
            self.play.passes(0.5)

    def asked(self) -> list[str]:
        return [action.wish for action in self.play.done if isinstance(action, Speak)]


def replayed(lines: Iterable[str]) -> Play:
    session = Session()
    for line in lines:
        session.meets(line)
    session.happens(CallGone())
    return session.play


def told(name: str, *, follow_words: bool = False) -> list[CallEvent]:
    reader = Reader()
    return [
        event for frame in frames(name) if frame for event in reader.read(frame, follow_words=follow_words)
    ]


def sent(name: str, kind: str) -> list[dict[str, Any]]:
    """The events of this type, as they are."""
    return [event for frame in frames(name) if frame and (event := json.loads(frame))["type"] == kind]


# The sessions themselves


def test_every_session_is_expected_to_mean_something() -> None:
    assert set(TURNS) == set(NAMES)


PUBLISHED = TypeAdapter[Any](RealtimeServerEvent)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"unknown-events"}))
def test_every_event_is_of_the_published_types(name: str) -> None:
    former = {"response.audio_transcript.delta", "response.audio_transcript.done", "response.audio.done"}
    for frame in frames(name):
        if frame and json.loads(frame)["type"] not in former:
            PUBLISHED.validate_json(frame)


@pytest.mark.parametrize("name", NAMES)
def test_every_event_and_every_item_has_an_id_of_its_own(name: str) -> None:
    events = [json.loads(frame) for frame in frames(name) if frame]
    ids = [event["event_id"] for event in events if "event_id" in event]
    items = [event["item"]["id"] for event in events if event["type"] == "conversation.item.added"]
    assert (len(set(ids)), len(set(items))) == (len(ids), len(items))


# What they mean


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("follow_words", [False, True])
def test_every_event_is_known_and_well_formed(name: str, follow_words: bool) -> None:
    ignored = [event for event in told(name, follow_words=follow_words) if isinstance(event, Ignored)]
    unknown = 2 if name == "unknown-events" else 0
    assert ignored == [Ignored(IgnoredBecause.UNKNOWN)] * unknown


@pytest.mark.parametrize("name", NAMES)
def test_caller_and_agent_say_what_they_said_in_its_order(name: str) -> None:
    turns = replayed(frames(name)).record.turns
    assert [(turn.role, turn.text) for turn in turns] == [("agent", GREETING), *TURNS[name]]


@pytest.mark.parametrize("name", NAMES)
def test_the_words_that_are_followed_are_those_of_the_turns(name: str) -> None:
    """As far as they came: a transcript is often whole before its parts."""
    said: dict[str, str] = {}
    for event in told(name, follow_words=True):
        if isinstance(event, TranscriptGrew):
            said[event.item_id] = said.get(event.item_id, "") + event.text
    assert said
    whole = " | ".join(text for _, text in [("agent", GREETING), *TURNS[name]] if text)
    cut = {"From eight", "Let me"} if name.startswith("sideband-cut") else set()
    assert [text for text in said.values() if text not in whole and text not in cut] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_tool_runs_once_and_the_model_has_its_output(name: str) -> None:
    play = replayed(frames(name))
    wanted = CALLS.get(name, [])
    requests = [action.call_id for action in play.done if isinstance(action, SendRequest)]
    assert requests == wanted
    assert list(play.outputs()) == wanted
    assert [(use.name, use.call_id, use.status) for use in play.record.tools] == [
        ("find_slots", call_id, "ok") for call_id in wanted
    ]


@pytest.mark.parametrize("name", NAMES)
def test_the_agent_asks_to_speak_as_often_as_it_is_its_turn(name: str) -> None:
    """Each request is answered in the session, or refused."""
    play = replayed(frames(name))
    begun = [event["response"]["metadata"] for event in sent(name, "response.created")]
    answered = [metadata["wish"] for metadata in begun if metadata]
    refused = [event["error"]["event_id"] for event in sent(name, "error")]
    wishes = [action.wish for action in play.done if isinstance(action, Speak)]
    assert [wish for wish in wishes if wish not in refused] == answered
    assert len(set(wishes)) == len(wishes)
    assert sum(action.say == GREETING for action in play.done if isinstance(action, Speak)) == 1


@pytest.mark.parametrize("name", ["tool-call", "tool-call-interleaved-speech", "two-calls"])
def test_all_outputs_of_a_response_come_before_the_one_request_to_go_on(name: str) -> None:
    play = replayed(frames(name))
    after = [type(action) for action in play.done if isinstance(action, SendOutput | Speak)]
    assert after == [Speak, *[SendOutput] * len(CALLS[name]), Speak]


@pytest.mark.parametrize("name", NAMES)
def test_every_response_is_billed_once_and_so_is_every_transcript(name: str) -> None:
    record = replayed(frames(name)).record
    usages = [event["response"]["usage"] for event in sent(name, "response.done")]
    given, made = (
        [usage[f"{side}_token_details"] for usage in usages if usage] for side in ("input", "output")
    )
    assert record.usage == Usage(
        text_in=sum(each["text_tokens"] for each in given),
        text_cached=sum(each["cached_tokens_details"]["text_tokens"] for each in given),
        audio_in=sum(each["audio_tokens"] for each in given),
        text_out=sum(each["text_tokens"] for each in made),
        audio_out=sum(each["audio_tokens"] for each in made),
    )
    transcripts = sent(name, "conversation.item.input_audio_transcription.completed")
    assert record.transcription == TranscriptionUsage(
        seconds=sum(event["usage"]["seconds"] for event in transcripts)
    )


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("barge-in-while")])
def test_a_barge_in_ends_what_the_caller_hears(name: str) -> None:
    interrupted = [event.interrupted for event in told(name) if isinstance(event, PlaybackEnded)]
    assert interrupted == [False, True, False], "the greeting, the answer that was cut, the next one"


def test_the_nudge_of_the_api_after_silence_is_no_turn_of_the_caller() -> None:
    assert len([event for event in told("idle-timeout") if isinstance(event, SilenceNudge)]) == 1
    turns = replayed(frames("idle-timeout")).record.turns
    assert [turn.role for turn in turns].count("caller") == 1


def test_complaints_that_mean_nothing_are_not_counted() -> None:
    record = replayed(frames("complaints")).record
    assert (record.complaints, record.unknown_events, record.malformed_events) == (1, 0, 0)


# Sessions that come otherwise than they should


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"keys"}))
def test_events_told_twice_change_nothing(name: str) -> None:
    once = replayed(frames(name))
    twice = replayed(frame for frame in frames(name) for _ in range(2 if frame else 1))
    assert [(turn.role, turn.text) for turn in twice.record.turns] == [
        (turn.role, turn.text) for turn in once.record.turns
    ]
    assert (twice.record.usage, twice.record.transcription) == (once.record.usage, once.record.transcription)
    assert twice.outputs() == once.outputs()
    assert len(twice.spoken()) == len(once.spoken())


@pytest.mark.parametrize("name", NAMES)
def test_any_event_may_be_missed(name: str) -> None:
    """No call is run twice, every call that is run is answered, and nothing is raised."""
    whole = frames(name)
    for index in range(len(whole)):
        play = replayed([*whole[:index], *whole[index + 1 :]])
        requests = [action.call_id for action in play.done if isinstance(action, SendRequest)]
        assert len(set(requests)) == len(requests)
        assert list(play.outputs()) == requests
        assert play.record.ended == "caller_hung_up"
        assert play.spoken().count(GREETING) == 1


@pytest.mark.parametrize("name", NAMES)
def test_the_sideband_may_be_lost_anywhere(name: str) -> None:
    """It is opened again at once, nothing is missed, and nobody is greeted twice."""
    whole = frames(name)
    for index in range(len(whole)):
        play = replayed([*whole[:index], "", *whole[index:]])
        requests = [action.call_id for action in play.done if isinstance(action, SendRequest)]
        assert requests == CALLS.get(name, [])
        assert list(play.outputs()) == requests
        assert play.spoken().count(GREETING) == 1
        assert play.record.ended == "caller_hung_up"
