"""What the caller hears of responses, and what an interruption leaves of them."""

from runner.standin.client_requests import receive
from runner.standin.conversation import PlayedConversation
from runner.standin.outgoing import Outgoing
from runner.standin.pace import AT_ONCE
from runner.standin.script import CallerSays, When, greets, says
from tests.standin.conversations import conversation, next_of, only, run, say, types


def test_a_barge_in_cancels_the_response_and_forgets_what_was_not_heard() -> None:
    played = conversation(greets(), CallerSays(text="Stop!", when=When.AGENT_SPEAKS), says("Sorry."))
    outgoing = receive(played, say("Welcome to a very long greeting that nobody wants.")) + run(played)
    kinds = types(outgoing)
    start = kinds.index("input_audio_buffer.speech_started")
    assert kinds[start + 1 : start + 10] == [
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
        "output_audio_buffer.cleared",
        "conversation.item.truncated",
    ]
    first, second = only(outgoing, "response.done")
    assert first["response"]["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert second["response"]["status"] == "completed"


def test_an_interrupted_transcript_holds_just_the_words_that_were_sent() -> None:
    played = conversation(greets(), CallerSays(text="Stop!", when=When.AGENT_SPEAKS))
    outgoing = receive(played, say("one two three four five six")) + run(played)
    (first, *_) = only(outgoing, "response.output_audio_transcript.done")
    deltas = [
        event["delta"]
        for event in only(outgoing, "response.output_audio_transcript.delta")
        if event["item_id"] == first["item_id"]
    ]
    assert "".join(deltas) == first["transcript"] == "one two three"


def test_a_barge_in_after_the_response_was_made_clears_the_playback_only() -> None:
    script = (greets(), CallerSays(text="Stop!", when=When.AGENT_SPEAKS))
    played = conversation(*script)
    outgoing = receive(played, say("Hello.")) + run(played)
    kinds = types(outgoing)
    assert kinds.index("response.done") < kinds.index("input_audio_buffer.speech_started")
    assert kinds.index("input_audio_buffer.speech_started") < kinds.index("output_audio_buffer.cleared")
    assert only(outgoing, "response.done")[0]["response"]["status"] == "completed"


def test_responses_are_heard_one_after_the_other() -> None:
    played = conversation()
    outgoing = receive(played, say("A sentence that takes its time to be heard."))
    while not only(outgoing, "response.done"):
        played.flows.pass_time(played.flows.delay_s() or 0.0)
        outgoing += played.flows.settle()
    outgoing += receive(played, say("The next.")) + run(played)
    heard = [kind for kind in types(outgoing) if kind.startswith("output_audio_buffer")]
    assert heard == ["output_audio_buffer.started", "output_audio_buffer.stopped"] * 2
    assert len(only(outgoing, "response.done")) == 2


def test_a_caller_who_may_not_interrupt_is_answered_after_the_agent() -> None:
    detection = {"type": "server_vad", "interrupt_response": False}
    script = (greets(), CallerSays(text="Stop!", when=When.AGENT_SPEAKS))
    played = conversation(*script, audio={"input": {"turn_detection": detection}})
    outgoing = receive(played, say("A greeting that is a little longer.")) + run(played)
    assert "output_audio_buffer.cleared" not in types(outgoing)
    assert only(outgoing, "response.done")[0]["response"]["status"] == "completed"


def test_at_once_the_caller_hears_a_response_begin_before_it_is_made() -> None:
    played = PlayedConversation(call="1", session={"type": "realtime"}, pace=AT_ONCE)
    played.attached = True
    kinds = types(receive(played, say("One two three.")) + run(played))
    started, done = kinds.index("output_audio_buffer.started"), kinds.index("response.done")
    assert kinds.index("response.output_audio_transcript.delta") < started < done
    assert kinds.index("output_audio_buffer.stopped") > done


def test_three_responses_are_heard_in_their_order() -> None:
    played = conversation()
    sent: list[Outgoing] = []
    for sentence in ("The first one takes a while to be heard.", "The second.", "The third."):
        sent += receive(played, say(sentence))
        while played.active is not None:
            sent.append(next_of(played))
    sent += run(played)
    heard = [event["response_id"] for event in only(sent, "output_audio_buffer.started")]
    assert heard == [event["response"]["id"] for event in only(sent, "response.created")]


def test_what_was_heard_of_an_interrupted_answer_is_told_in_milliseconds() -> None:
    played = conversation(CallerSays(text="Wait.", when=When.AGENT_SPEAKS))
    played.flows.pass_time(5.0)
    outgoing = receive(played, say("one two three four five six")) + run(played)
    (truncated,) = only(outgoing, "conversation.item.truncated")
    # The caller speaks when the third word is made: two words, of 50 ms each, after the first was heard.
    assert truncated["audio_end_ms"] == 100
