"""One speaker at a time: the table of the floor, and the queue of what the agent wants to say."""

from dataclasses import replace

import pytest

from runner.call.machine.floor import PATIENCE_S, TABLE, Cue, Floor, next_floor
from runner.call.machine.playback import Playback
from runner.call.machine.sentence import SentenceEnd
from runner.call.machine.speech import FLOOR_TIMER, Speech
from runner.model.action import Action, ClearTimer, Interrupt, SetTimer, Speak, Timer, TimerKind
from runner.model.conversation_event import (
    ApiError,
    ApiErrorKind,
    CallerSpeaks,
    Outcome,
    PlaybackEnded,
    PlaybackStarted,
    ResponseEnded,
    ResponseStarted,
)
from runner.model.event import CallEvent, SidebandLost, SidebandOpened, TimerFired

NOW = 1000.0


class Queue:
    """A speech queue and everything that it asked of the model."""

    def __init__(self) -> None:
        self.speech = Speech()
        self.timers: dict[Timer, float] = {}
        self.asked: list[Speak] = []
        self.ended: list[tuple[str, SentenceEnd]] = []

    def happens(self, *events: CallEvent) -> None:
        for event in events:
            self._take(self.speech.handle(event, NOW))
            self.ended += self.speech.unheard.take_ends()
            self.flush()

    def flush(self) -> None:
        self._take(self.speech.ask(NOW))

    def floor(self) -> Floor:
        return self.speech.floor

    def _take(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Speak():
                    self.asked.append(action)
                case SetTimer(timer=timer, at=at):
                    self.timers[timer] = at - NOW
                case ClearTimer(timer=timer):
                    self.timers.pop(timer, None)


@pytest.fixture
def queue() -> Queue:
    queue = Queue()
    queue.happens(SidebandOpened())
    return queue


def started(response_id: str = "r1", wish: str | None = "wish_1") -> ResponseStarted:
    return ResponseStarted(response_id=response_id, wish=wish)


def ended(
    response_id: str = "r1",
    wish: str | None = "wish_1",
    outcome: Outcome = Outcome.COMPLETED,
    audible: bool = True,
) -> ResponseEnded:
    return ResponseEnded(response_id=response_id, wish=wish, outcome=outcome, audible=audible)


BUSY = ApiError(kind=ApiErrorKind.BUSY_SPEAKING, about="wish_1")
REFUSED = ApiError(kind=ApiErrorKind.OTHER, about="wish_1")
OVERDUE = TimerFired(timer=FLOOR_TIMER)


def test_the_agent_is_asked_to_speak_only_when_nobody_else_has_the_floor() -> None:
    assert [floor for floor in Floor if next_floor(floor, Cue.ASKED) is not floor] == [Floor.IDLE]


def test_a_lost_sideband_closes_the_floor_from_anywhere() -> None:
    assert {next_floor(floor, Cue.LOST) for floor in Floor} == {Floor.CLOSED}


def test_no_state_lasts_for_good_when_an_event_is_lost() -> None:
    stuck = {floor for floor in Floor if (floor, Cue.OVERDUE) not in TABLE}
    assert stuck == {Floor.CLOSED, Floor.IDLE}
    assert set(PATIENCE_S) == set(Floor) - stuck


def test_nothing_is_said_before_the_sideband_is_open() -> None:
    queue = Queue()
    queue.speech.queue.say("Hello.")
    queue.flush()
    assert queue.asked == []
    queue.happens(SidebandOpened())
    assert queue.asked == [Speak(wish="wish_1", say="Hello.")]


def test_sentences_that_wait_together_are_one_request(queue: Queue) -> None:
    queue.happens(started(wish=None))
    queue.speech.queue.say("One.")
    queue.speech.queue.say("Two.")
    queue.speech.queue.go_on()
    queue.happens(ended(wish=None))
    assert queue.asked == [Speak(wish="wish_1", say="One. Two.")]
    queue.happens(started("r2"), ended("r2"))
    assert queue.asked[1:] == [Speak(wish="wish_2")]


def test_what_is_said_and_what_is_told_are_not_mixed(queue: Queue) -> None:
    queue.speech.queue.say("One.")
    queue.speech.queue.tell("Be kind.")
    queue.flush()
    queue.happens(started(), ended())
    assert queue.asked == [Speak(wish="wish_1", say="One."), Speak(wish="wish_2", tell="Be kind.")]


def test_many_wishes_to_go_on_are_one_request(queue: Queue) -> None:
    queue.happens(started(wish=None))
    for _ in range(5):
        queue.speech.queue.go_on()
        queue.flush()
    queue.happens(ended(wish=None))
    assert queue.asked == [Speak(wish="wish_1")]


def test_a_second_request_never_follows_before_the_first_is_done(queue: Queue) -> None:
    queue.speech.queue.go_on()
    queue.flush()
    queue.speech.queue.say("Wait.")
    queue.flush()
    queue.happens(started())
    assert len(queue.asked) == 1
    queue.happens(ended())
    assert len(queue.asked) == 2


def test_a_second_request_never_follows_while_the_first_crosses_with_an_answer_of_the_apis(
    queue: Queue,
) -> None:
    queue.happens(started("r0"), ended("r0"))
    queue.speech.queue.say("Hello.", key="k")
    queue.flush()
    queue.speech.queue.say("More.")
    queue.happens(started("own", wish=None), ended("own", wish=None))
    assert queue.asked == [Speak(wish="wish_1", say="Hello.")]
    queue.happens(started("r1"), ended("r1"), PlaybackEnded(response_id="r1"))
    assert queue.asked[1:] == [Speak(wish="wish_2", say="More.")]
    assert queue.ended == [("k", SentenceEnd.HEARD)]


def test_the_end_of_an_earlier_response_is_not_the_end_of_the_one_that_is_made(queue: Queue) -> None:
    queue.happens(started("r1", wish=None), started("r2", wish=None))
    queue.speech.queue.go_on()
    queue.happens(ended("r1", wish=None))
    assert queue.asked == []
    queue.happens(ended("r2", wish=None))
    assert queue.asked == [Speak(wish="wish_1")]


@pytest.mark.parametrize("answer", [started(), BUSY, REFUSED])
def test_the_agent_does_not_speak_over_a_caller_who_began_while_it_was_asked(
    queue: Queue, answer: CallEvent
) -> None:
    queue.speech.queue.say("Hello.")
    queue.flush()
    queue.speech.queue.say("More.")
    queue.happens(CallerSpeaks(began=True), answer, ended(outcome=Outcome.CANCELLED))
    assert len(queue.asked) == 1
    queue.happens(CallerSpeaks(began=False), OVERDUE)
    assert len(queue.asked) == 2


def test_the_agent_holds_its_tongue_while_the_caller_speaks(queue: Queue) -> None:
    queue.happens(CallerSpeaks(began=True))
    queue.speech.queue.say("One moment.")
    queue.flush()
    queue.happens(CallerSpeaks(began=False))
    assert queue.asked == []
    queue.happens(OVERDUE)
    assert queue.asked == [Speak(wish="wish_1", say="One moment.")]


def test_the_answer_that_the_api_makes_by_itself_stands_for_a_wish_to_go_on(queue: Queue) -> None:
    queue.happens(CallerSpeaks(began=True))
    queue.speech.queue.go_on()
    queue.happens(CallerSpeaks(began=False), started(wish=None), ended(wish=None))
    assert queue.asked == []


def test_a_wish_that_comes_while_the_api_answers_by_itself_is_kept(queue: Queue) -> None:
    queue.happens(started(wish=None))
    queue.speech.queue.go_on()
    queue.happens(ended(wish=None))
    assert queue.asked == [Speak(wish="wish_1")]


def test_a_request_refused_because_somebody_speaks_is_made_again_afterwards(queue: Queue) -> None:
    queue.speech.queue.say("Hello.", key="k")
    queue.flush()
    queue.happens(started("r0", wish=None), BUSY, ended("r0", wish=None), PlaybackEnded(response_id="r0"))
    assert queue.asked == [Speak(wish="wish_1", say="Hello."), Speak(wish="wish_2", say="Hello.")]
    assert queue.ended == []
    queue.happens(started("r1", "wish_2"), ended("r1", "wish_2"), PlaybackEnded(response_id="r1"))
    assert queue.ended == [("k", SentenceEnd.HEARD)]
    assert len(queue.asked) == 2


def test_a_nudge_refused_because_somebody_speaks_is_forgotten(queue: Queue) -> None:
    queue.speech.queue.nudge()
    queue.flush()
    queue.happens(BUSY, ended("r0", wish=None))
    assert queue.asked == [Speak(wish="wish_1")]


def test_a_request_refused_for_another_reason_has_failed(queue: Queue) -> None:
    queue.speech.queue.say("Hello.", key="k")
    queue.flush()
    queue.happens(ApiError(kind=ApiErrorKind.OTHER, about="wish_1"))
    assert queue.ended == [("k", SentenceEnd.FAILED)]
    assert queue.floor() is Floor.IDLE


def test_an_error_about_something_else_is_not_about_the_request(queue: Queue) -> None:
    queue.speech.queue.say("Hello.")
    queue.flush()
    queue.happens(ApiError(kind=ApiErrorKind.OTHER), ApiError(kind=ApiErrorKind.OTHER, about="x"))
    assert queue.floor() is Floor.SENDING


def test_a_sentence_is_heard_when_its_playback_has_ended(queue: Queue) -> None:
    queue.speech.queue.say("Hello.", key="k")
    queue.flush()
    queue.happens(started(), ended())
    assert queue.ended == []
    assert Timer(TimerKind.HEARD, "r1") in queue.timers
    queue.happens(PlaybackEnded(response_id="r1"))
    assert queue.ended == [("k", SentenceEnd.HEARD)]
    assert queue.timers == {}


def test_a_sentence_whose_playback_never_ends_is_taken_for_heard_after_its_length(queue: Queue) -> None:
    queue.speech.queue.say("Hello.", key="k")
    queue.flush()
    # Twenty tokens of audio are a second of speech.
    queue.happens(started(), replace(ended(), audio_s=10))
    assert queue.timers[Timer(TimerKind.HEARD, "r1")] == 15.0
    queue.happens(TimerFired(timer=Timer(TimerKind.HEARD, "r1")))
    assert queue.ended == [("k", SentenceEnd.HEARD)]


@pytest.mark.parametrize(
    ("events", "result"),
    [
        ([started(), PlaybackEnded(response_id="r1", interrupted=True)], SentenceEnd.INTERRUPTED),
        ([started(), ended(outcome=Outcome.CANCELLED)], SentenceEnd.INTERRUPTED),
        ([started(), ended(outcome=Outcome.FAILED)], SentenceEnd.FAILED),
        ([started(), ended(audible=False)], SentenceEnd.HEARD),
        ([started(), ended(), SidebandLost()], SentenceEnd.LOST),
        ([SidebandLost()], SentenceEnd.LOST),
        ([OVERDUE], SentenceEnd.FAILED),
        ([ended(), PlaybackEnded(response_id="r1")], SentenceEnd.HEARD),
    ],
)
def test_what_becomes_of_a_sentence_is_told_once(
    queue: Queue, events: list[CallEvent], result: SentenceEnd
) -> None:
    queue.speech.queue.say("Hello.", key="k")
    queue.flush()
    queue.happens(*events)
    queue.happens(PlaybackEnded(response_id="r1"), ended())
    assert queue.ended == [("k", result)]


SPOKEN = replace(ended(), audio_s=10)
PLAYS = PlaybackStarted(response_id="r1")
HEARD = PlaybackEnded(response_id="r1")
CUT = ended(outcome=Outcome.CANCELLED)


@pytest.mark.parametrize(
    ("events", "plays_s", "is_heard"),
    [
        ([PLAYS], 120, False),
        ([PLAYS, SPOKEN], 15, False),
        ([SPOKEN, PLAYS], 15, False),
        ([PLAYS, ended()], 120, False),
        ([PLAYS, CUT], 5, False),
        ([CUT], 0, True),
        ([ended(audible=False)], 0, True),
        ([PLAYS, SPOKEN, HEARD], 0, True),
        ([PLAYS, HEARD, SPOKEN, PLAYS], 0, True),
        ([PLAYS, SPOKEN, SidebandLost()], 0, False),
        ([SPOKEN, replace(SPOKEN, response_id="r2")], 30, False),
    ],
)
def test_how_long_the_caller_still_hears_the_agent_at_most(
    events: list[CallEvent], plays_s: float, is_heard: bool
) -> None:
    playback = Playback()
    for event in events:
        playback.handle(event, NOW)
    assert playback.until(NOW) == NOW + plays_s
    assert [playback.is_playing(NOW + s) for s in (plays_s - 0.1, plays_s)] == [plays_s > 0, False]
    assert playback.is_heard("r1") is is_heard


def test_a_response_that_never_ends_is_cancelled_unless_the_caller_still_hears_it(queue: Queue) -> None:
    queue.happens(started())
    assert Interrupt() in queue.speech.handle(OVERDUE, NOW)
    queue.happens(started("r2"), PlaybackStarted(response_id="r2"))
    assert Interrupt() not in queue.speech.handle(OVERDUE, NOW)


def test_a_barge_in_gives_the_floor_to_the_caller(queue: Queue) -> None:
    queue.happens(started(wish=None), CallerSpeaks(began=True))
    assert queue.floor() is Floor.OVERLAP
    queue.happens(ended(wish=None, outcome=Outcome.CANCELLED))
    assert queue.floor() is Floor.CALLER


def test_events_told_twice_change_nothing(queue: Queue) -> None:
    queue.speech.queue.say("Hello.")
    queue.flush()
    queue.happens(started(), started(), ended(), ended(), started(), ended())
    assert queue.floor() is Floor.IDLE
    assert len(queue.asked) == 1


def test_a_response_whose_beginning_is_missed_ends_all_the_same(queue: Queue) -> None:
    queue.happens(started("r0", wish=None), ended("r0", wish=None))
    queue.speech.queue.say("Hello.")
    queue.flush()
    queue.happens(ended())
    assert queue.floor() is Floor.IDLE


def test_a_provider_that_does_not_send_wishes_back_is_understood(queue: Queue) -> None:
    queue.speech.queue.say("Hello.", key="k")
    queue.flush()
    queue.happens(started(wish=None), ended(wish=None), PlaybackEnded(response_id="r1"))
    assert queue.ended == [("k", SentenceEnd.HEARD)]


def test_after_the_sideband_was_lost_nothing_is_said_twice(queue: Queue) -> None:
    queue.speech.queue.say("Hello.")
    queue.flush()
    queue.speech.queue.say("More.")
    queue.happens(SidebandLost(), SidebandOpened())
    assert queue.asked == [Speak(wish="wish_1", say="Hello."), Speak(wish="wish_2", say="More.")]


def test_what_waits_can_be_forgotten(queue: Queue) -> None:
    queue.happens(started(wish=None))
    queue.speech.queue.say("Never.")
    queue.speech.queue.go_on()
    queue.speech.clear()
    queue.happens(ended(wish=None))
    assert queue.asked == []


def test_a_sentence_that_is_refused_while_somebody_speaks_stays_first(queue: Queue) -> None:
    queue.speech.queue.say("One.")
    queue.flush()
    queue.speech.queue.say("Two.")
    queue.happens(BUSY, started("r2", wish=None), ended("r2", wish=None), PlaybackEnded(response_id="r2"))
    assert [speak.say for speak in queue.asked] == ["One.", "One. Two."]
