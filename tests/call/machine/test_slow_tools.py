"""Tools that take their time, run in the background, or may not run."""

import pytest

from runner.model.action import AddItem, SendOutput, SendRequest, Speak, TimerKind
from runner.model.conversation_event import CallerSpeaks, OutputTaken
from runner.model.tool import HttpBinding, ResultSpec, StaticBinding, WaitingStep
from runner.model.values import Json
from tests.call.machine.playing import Play, expect, http_tool, talking, tool, words

UNMAKEABLE = words("{{ 1 / (args.count or 0) }}")
BROKEN_URL = words("https://api.example/{{ 1 / (args.count or 0) }}")


def waiting(*steps: WaitingStep, **fields: Json) -> Play:
    return talking(http_tool(while_waiting=steps, **fields))


def test_a_slow_tool_is_bridged_with_a_sentence() -> None:
    play = waiting(
        WaitingStep(after_s=1, say=(words("Let me look."),)), WaitingStep(after_s=4, tell=words("Apologise."))
    )
    (sent,) = play.responds(("find_slots", "{}"))
    assert play.passes(0.9) == []
    assert play.passes(0.1) == [Speak(wish="wish_1", say="Let me look.")]
    play.responds()
    assert play.passes(3) == [Speak(wish="wish_2", tell="You are desk.\n\nApologise.")]
    play.responds()
    assert play.replies(sent)[-1] == Speak(wish="wish_3")


@pytest.mark.parametrize(
    "step", [WaitingStep(after_s=1, say=(UNMAKEABLE,)), WaitingStep(after_s=1, tell=UNMAKEABLE)]
)
def test_a_waiting_sentence_that_cannot_be_made_is_left_out_and_the_record_tells(step: WaitingStep) -> None:
    play = waiting(step)
    (sent,) = play.responds(("find_slots", "{}"))
    assert play.passes(2) == []
    assert play.replies(sent)[-1] == Speak(wish="wish_1")
    assert len(play.record.faults) == 1


@pytest.mark.parametrize("background", [False, True])
def test_a_tool_that_answers_first_makes_the_sentence_needless(background: bool) -> None:
    step = WaitingStep(after_s=1, say=(words("Let me look."),))
    play = talking(http_tool(while_waiting=(step,), background=background))
    sent, *_ = play.responds(("find_slots", "{}"))
    play.replies(sent)
    assert play.timer(TimerKind.WAITING) is None
    play.responds()
    play.responds()
    assert play.passes(5) == []


def test_a_waiting_sentence_that_a_barge_in_held_up_is_dropped_when_the_tool_answers() -> None:
    play = waiting(WaitingStep(after_s=1, say=(words("Let me look."),)))
    (sent,) = play.responds(("find_slots", "{}"))
    play.happens(CallerSpeaks(began=True))
    play.passes(1)
    play.replies(sent)
    play.happens(OutputTaken(call_id="call_1_0"), CallerSpeaks(began=False))
    play.responds()
    assert play.spoken() == []


def test_one_of_several_sentences_is_chosen_and_not_always_the_same() -> None:
    texts = ("One.", "Two.", "Three.")
    play = waiting(WaitingStep(after_s=1, say=tuple(words(text) for text in texts)))
    for _ in range(12):
        (sent,) = play.responds(("find_slots", "{}"))
        play.passes(1)
        play.responds()
        play.replies(sent)
        play.responds()
    assert {text for text in play.spoken() if text} == set(texts)


def test_a_background_tool_is_answered_at_once_and_its_result_told_later() -> None:
    play = talking(http_tool(background=True))
    sent, output, go_on = play.responds(("find_slots", "{}"))
    assert isinstance(sent, SendRequest)
    assert output == SendOutput(call_id="call_1_0", output='{"status":"started","result":"will follow"}')
    assert go_on == Speak(wish="wish_1")
    play.responds()
    assert play.replies(sent) == [
        AddItem(item_id="item_1", text='The result of find_slots, which was started before: {"ok":true}'),
        Speak(wish="wish_2"),
    ]
    assert play.record.tools[0].status == "ok"


def test_a_tool_whose_condition_does_not_hold_is_refused_with_what_to_say() -> None:
    play = talking(
        http_tool(when=words("{{ args.day != null }}"), otherwise=words("Ask for the day first.")),
    )
    output, *_ = play.responds(("find_slots", "{}"))
    assert expect(SendOutput, output).output == '{"error":"Ask for the day first."}'
    assert isinstance(play.responds(("find_slots", '{"day":"x"}'))[0], SendRequest)


def test_a_tool_whose_condition_does_not_hold_is_refused_also_without_what_to_say() -> None:
    play = talking(http_tool(when=words("{{ false }}")))
    output, *_ = play.responds(("find_slots", "{}"))
    assert expect(SendOutput, output).output == '{"error":"find_slots cannot be used now"}'


@pytest.mark.parametrize(
    ("binding", "what", "template"),
    [
        (HttpBinding(method="GET", url=BROKEN_URL), "request", BROKEN_URL.source),
        (
            HttpBinding(method="GET", url=words("https://api.example"), headers={"X-Of": UNMAKEABLE}),
            "request",
            UNMAKEABLE.source,
        ),
        (StaticBinding(answer=UNMAKEABLE), "answer", UNMAKEABLE.source),
    ],
)
def test_a_tool_whose_template_fails_is_answered_with_the_reason_and_the_record_names_the_template(
    binding: HttpBinding | StaticBinding, what: str, template: str
) -> None:
    play = talking(tool("count", binding))
    output, _ = play.responds(("count", "{}"))
    assert expect(SendOutput, output).output == f'{{"error":"the {what} cannot be made: division by zero"}}'
    assert play.record.tools[0].status == "error"
    assert play.record.faults == (f'count: the template "{template}" failed: division by zero',)


def test_what_a_reply_sets_is_known_to_later_templates() -> None:
    first = http_tool(result=ResultSpec(sets={"last_day": "day"}))
    second = tool("again", HttpBinding(method="GET", url=words("https://api.example/{{ vars.last_day }}")))
    play = talking(first, second)
    (sent,) = play.responds(("find_slots", "{}"))
    play.replies(sent, body=b'{"day": "2026-11-27"}')
    play.responds()
    (sent,) = play.responds(("again", "{}"))
    assert expect(SendRequest, sent).request.url == "https://api.example/2026-11-27"
