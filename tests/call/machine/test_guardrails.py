"""Guardrails: what they find, and what they do then."""

import pytest

from runner.call.machine.guardrails import LONGEST_TEXT
from runner.model.action import Interrupt, Speak, SwitchAgent
from runner.model.agent import Guardrail, Then
from runner.model.call import Role
from runner.model.conversation_event import (
    Outcome,
    PlaybackEnded,
    ResponseEnded,
    ResponseStarted,
    SessionUpdated,
    Transcribed,
    TranscriptGrew,
)
from runner.model.values import Json
from tests.call.machine.playing import Play, an_agent, talking, words


def guarded(then: Then, on: Role = Role.AGENT, pattern: str = r"\b\d{4}\b", **fields: Json) -> Play:
    other = an_agent("other")
    guardrail = Guardrail(name="no-cards", on=on, pattern=pattern, then=then, **fields)
    return talking(guardrails=(guardrail,), others=(other,))


def test_words_are_followed_only_where_there_is_a_guardrail() -> None:
    assert guarded(Then.CANCEL).session.follows_words
    assert not talking().session.follows_words


def test_a_guardrail_stops_the_agent_in_mid_sentence_and_says_its_own() -> None:
    play = guarded(Then.CANCEL, say=words("I can't read that out."))
    play.happens(ResponseStarted(response_id="r"))
    assert play.happens(TranscriptGrew(item_id="i", role=Role.AGENT, text="It is 12")) == []
    assert play.happens(TranscriptGrew(item_id="i", role=Role.AGENT, text="34.")) == [Interrupt()]
    assert play.happens(
        ResponseEnded(response_id="r", outcome=Outcome.CANCELLED),
        PlaybackEnded(response_id="r", interrupted=True),
    ) == [Speak(wish="wish_1", say="I can't read that out.")]


def test_a_guardrail_acts_once_for_each_item() -> None:
    play = guarded(Then.CANCEL)
    play.happens(TranscriptGrew(item_id="i", role=Role.AGENT, text="1234"))
    assert (
        play.happens(
            TranscriptGrew(item_id="i", role=Role.AGENT, text=" 5678"),
            Transcribed(item_id="i", role=Role.AGENT, text="1234 5678"),
        )
        == []
    )
    assert play.happens(Transcribed(item_id="j", role=Role.AGENT, text="1234")) == [Interrupt()]


def test_a_guardrail_over_the_caller_leaves_the_agent_alone() -> None:
    play = guarded(Then.SAY, on=Role.CALLER, say=words("Please tell me no numbers."))
    assert play.happens(Transcribed(item_id="i", role=Role.AGENT, text="1234")) == []
    assert play.happens(Transcribed(item_id="j", role=Role.CALLER, text="1234")) == [
        Speak(wish="wish_1", say="Please tell me no numbers.")
    ]


def test_a_guardrail_can_end_the_call() -> None:
    play = guarded(Then.HANGUP, say=words("Goodbye."))
    assert play.happens(Transcribed(item_id="i", role=Role.AGENT, text="1234")) == [
        Interrupt(),
        Speak(wish="wish_1", say="Goodbye."),
    ]
    assert (play.record.ended, play.record.detail) == ("guardrail", 'guardrail "no-cards"')


def test_a_guardrail_can_hand_the_call_over() -> None:
    play = guarded(Then.HANDOFF, handoff="other")
    done = play.happens(Transcribed(item_id="i", role=Role.CALLER, text="no digits"))
    assert done == []
    done = play.happens(Transcribed(item_id="j", role=Role.AGENT, text="1234"))
    assert [type(action) for action in done] == [Interrupt, SwitchAgent]
    play.happens(SessionUpdated(update_id="switch_1"))
    assert play.record.handoffs[0].because == 'guardrail "no-cards"'


def test_new_words_are_searched_with_the_last_ones_and_the_whole_item_once() -> None:
    play = guarded(Then.CANCEL, pattern="first.*last")
    assert play.happens(*grown("it is first", "x" * 500, " and last", item="i")) == [Interrupt()]
    parts = ("it is first", *["x" * 500] * 3, " and last")
    assert play.happens(*grown(*parts, item="j")) == []
    assert play.happens(Transcribed(item_id="j", role=Role.AGENT, text="".join(parts))) == [Interrupt()]


@pytest.mark.parametrize("pattern", ["^free", r"\bfree"])
def test_a_text_does_not_begin_where_the_search_does(pattern: str) -> None:
    play = guarded(Then.CANCEL, pattern=pattern)
    assert play.happens(*grown("carefree", "x" * 996, "x", "x", item="i")) == []
    whole = "carefree" + "x" * (LONGEST_TEXT - 4)
    assert play.happens(Transcribed(item_id="j", role=Role.AGENT, text=whole)) == []
    assert play.happens(*grown("free", item="k")) == [Interrupt()]


def grown(*parts: str, item: str = "i") -> list[TranscriptGrew]:
    return [TranscriptGrew(item_id=item, role=Role.AGENT, text=text) for text in parts]
