"""What is counted of a call while it is served."""

import pytest

from runner.call.machine.machine import CallMachine
from runner.model.action import SendRequest, SwitchAgent
from runner.model.agent import Agent, Guardrail, Say, Then
from runner.model.call import Role
from runner.model.conversation_event import (
    ApiError,
    ApiErrorKind,
    CallerSpeaks,
    Outcome,
    PlaybackEnded,
    PlaybackStarted,
    ResponseEnded,
    ResponseStarted,
    SessionUpdated,
    ToolCalled,
    Transcribed,
)
from runner.model.event import (
    AnswerReplied,
    CallEvent,
    CallGone,
    ClaimReplied,
    Decided,
    ReferAnswered,
    Replied,
    SidebandLost,
    SidebandOpened,
    TimerFired,
    Unreachable,
)
from runner.model.http import Failure, HttpReply
from runner.model.tool import Retries, TransferBinding
from runner.model.usage import TranscriptionUsage, Usage
from runner.serve.call_meter import CallMeter
from runner.serve.call_metrics import MOST_CODES
from runner.serve.metrics import Metrics
from tests.call.machine.playing import RINGING, TO_SPANISH, a_world, an_agent, http_tool, tool, words

ANSWERED = (0.0, ClaimReplied(agent="desk")), (0.25, AnswerReplied(decided=Decided.DONE))
ATTACHED = (*ANSWERED, (0.5, SidebandOpened()))
Moment = tuple[float, CallEvent]


class Metered:
    """One call and its meter. Times are seconds from the ring on."""

    def __init__(self, agent: Agent, *others: Agent) -> None:
        self.metrics = Metrics()
        self.world = a_world(agent, *others)
        self.machine, self.done = CallMachine.ring(RINGING, self.world, 1000.0)
        self.meter = CallMeter(self.metrics.served)
        self.meter.begins(self.machine, 1000.0)
        self.lived: list[Moment] = []

    def lives(self, *moments: Moment) -> "Metered":
        for at, event in moments:
            actions = self.machine.handle(event, 1000.0 + at)
            self.done += actions
            self.meter.handled(event, actions, 1000.0 + at)
            self.lived.append((1000.0 + at, event))
        return self

    def counts(self, *names: str) -> dict[str, float]:
        """The samples of these metrics, less what is zero and the buckets of histograms."""
        return counts(self.metrics, *names)


def counts(metrics: Metrics, *names: str) -> dict[str, float]:
    found = {}
    for line in metrics.text().decode().splitlines():
        series, _, number = line.rpartition(" ")
        name = series.partition("{")[0].removeprefix("phone_agents_")
        if name.startswith(names) and "_bucket" not in name and float(number):
            found[series.removeprefix("phone_agents_")] = round(float(number), 6)
    return found


def responds(at: float, response_id: str, *calls: str, **ended: object) -> tuple[Moment, ...]:
    called = tuple(
        ToolCalled(response_id=response_id, call_id=f"{response_id}_{name}", name=name, arguments="{}")
        for name in calls
    )
    end = ResponseEnded(
        **{"response_id": response_id, "outcome": Outcome.COMPLETED, "calls": called, **ended}  # type: ignore[arg-type] # of several types
    )
    return (at, ResponseStarted(response_id=response_id)), (at, end)


def test_waits_are_measured_from_accept_to_attach_to_the_first_sound() -> None:
    call = Metered(an_agent(greeting=Say(text=words("Hello."))))
    call.lives(*ATTACHED, (1.25, PlaybackStarted(response_id="r")))
    assert call.counts("attach", "first_audio", "response_seconds") == {
        "attach_seconds_count": 1,
        "attach_seconds_sum": 0.25,
        'first_audio_seconds_count{agent="desk"}': 1,
        'first_audio_seconds_sum{agent="desk"}': 0.75,
    }


def test_every_turn_is_measured_from_the_last_word_of_the_caller_to_the_first_sound() -> None:
    call = Metered(an_agent())
    call.lives(
        *ATTACHED,
        (1.0, CallerSpeaks(began=True)),
        (2.0, CallerSpeaks(began=False)),
        (2.5, CallerSpeaks(began=True)),
        (3.0, CallerSpeaks(began=False)),
        (3.75, PlaybackStarted(response_id="r1")),
        (4.0, PlaybackEnded(response_id="r1")),
        (5.0, PlaybackStarted(response_id="r2")),
    )
    assert call.counts("first_audio", "response_seconds") == {
        'response_seconds_count{agent="desk"}': 1,
        'response_seconds_sum{agent="desk"}': 0.75,
    }


def test_a_wait_across_a_lost_sideband_is_not_measured() -> None:
    call = Metered(an_agent())
    call.lives(
        *ATTACHED,
        (1.0, CallerSpeaks(began=False)),
        (2.0, SidebandLost()),
        (3.0, SidebandOpened()),
        (4.0, PlaybackStarted(response_id="r")),
    )
    assert call.counts("first_audio", "response_seconds", "attach") == {
        "attach_seconds_count": 1,
        "attach_seconds_sum": 0.25,
    }


@pytest.mark.parametrize(
    ("caller_speaks", "interrupted", "expected"),
    [(True, True, {'barge_ins_total{agent="desk"}': 1}), (False, True, {}), (True, False, {})],
)
def test_a_barge_in_is_a_sound_that_the_caller_cuts_short(
    caller_speaks: bool, interrupted: bool, expected: dict[str, float]
) -> None:
    call = Metered(an_agent())
    call.lives(
        *ATTACHED,
        (1.0, PlaybackStarted(response_id="r")),
        (2.0, CallerSpeaks(began=caller_speaks)),
        (2.1, PlaybackEnded(response_id="r", interrupted=interrupted)),
    )
    assert call.counts("barge_ins") == expected


def test_a_tool_call_is_counted_with_its_status_its_attempts_and_its_time() -> None:
    retried = http_tool(retries=Retries(attempts=2, backoff_s=0.25, on=frozenset({503})))
    call = Metered(an_agent(tools=(retried,)))
    call.lives(*ATTACHED, *responds(1.0, "r1", "find_slots"))
    sent = [action for action in call.done if isinstance(action, SendRequest)]
    assert [send.call_id for send in sent] == ["r1_find_slots"]
    refused = Replied(call_id="r1_find_slots", attempt=1, reply=HttpReply(status=503))
    call.lives((1.5, refused))
    assert call.counts("tool_") == {}
    (timer,) = [timer for timer in call.machine.timers if timer.key == "r1_find_slots"]
    reply = HttpReply(status=200, body=b"{}", content_type="application/json")
    call.lives((2.0, TimerFired(timer=timer)), (3.0, Replied(call_id=timer.key, attempt=2, reply=reply)))
    labels = '{agent="desk",tool="find_slots"}'
    assert call.counts("tool_") == {
        'tool_calls_total{agent="desk",status="ok",tool="find_slots"}': 1,
        f"tool_seconds_count{labels}": 1,
        f"tool_seconds_sum{labels}": 2.0,
        f"tool_attempts_total{labels}": 2,
    }


def test_a_tool_that_the_model_has_made_up_gives_no_label_its_name() -> None:
    call = Metered(an_agent()).lives(*ATTACHED, *responds(1.0, "r1", "+14155550100"))
    assert call.counts("tool_calls") == {'tool_calls_total{agent="desk",status="refused",tool="unknown"}': 1}


def test_a_tool_that_hands_off_counts_for_the_agent_that_has_it() -> None:
    call = Metered(an_agent(tools=(TO_SPANISH,)), an_agent("recepcion"))
    call.lives(*ATTACHED, *responds(1.0, "r1", "to_spanish"), (1.5, PlaybackEnded(response_id="r1")))
    (switch,) = [action for action in call.done if isinstance(action, SwitchAgent)]
    call.lives((2.0, SessionUpdated(update_id=switch.update_id)), *responds(3.0, "r2"))
    assert call.counts("tool_calls", "handoffs", "responses") == {
        'tool_calls_total{agent="desk",status="ok",tool="to_spanish"}': 1,
        'handoffs_total{agent="recepcion",outcome="done"}': 1,
        'responses_total{agent="desk",outcome="completed"}': 1,
        'responses_total{agent="recepcion",outcome="completed"}': 1,
    }


@pytest.mark.parametrize(
    ("ends", "outcome"),
    [
        ((SidebandLost(), CallGone()), "completed"),
        ((ReferAnswered(ok=False, detail="no REFER"),), "not_completed"),
    ],
)
def test_a_transfer_is_counted_by_what_came_of_it(ends: tuple[CallEvent, ...], outcome: str) -> None:
    binding = TransferBinding(destinations={"nurse": words("sip:nurse@maple.example")})
    call = Metered(an_agent(tools=(tool("to_a_person", binding),))).lives(*ATTACHED)
    called = ToolCalled(
        response_id="r1", call_id="c1", name="to_a_person", arguments='{"destination": "nurse"}'
    )
    call.lives(
        (1.0, ResponseStarted(response_id="r1")),
        (1.0, ResponseEnded(response_id="r1", outcome=Outcome.COMPLETED, calls=(called,), audible=False)),
        *((2.0, event) for event in ends),
    )
    assert call.counts("transfers") == {f'transfers_total{{agent="desk",outcome="{outcome}"}}': 1}


def test_a_guardrail_is_counted_by_its_name() -> None:
    guardrail = Guardrail(name="no-prices", on=Role.AGENT, pattern="dollars", then=Then.CANCEL)
    call = Metered(an_agent(guardrails=(guardrail,))).lives(*ATTACHED)
    call.lives((1.0, Transcribed(item_id="i", role=Role.AGENT, text="Ninety dollars.")))
    assert call.counts("guardrail") == {
        'guardrail_matches_total{agent="desk",guardrail="no-prices"}': 1,
    }


def test_errors_of_the_api_are_counted_by_their_code_and_collisions_apart() -> None:
    call = Metered(an_agent())
    failed = {"outcome": Outcome.FAILED, "code": "server_error"}
    call.lives(
        *ATTACHED,
        (1.0, ApiError(kind=ApiErrorKind.BUSY_SPEAKING, code="conversation_already_has_active_response")),
        (1.0, ApiError(kind=ApiErrorKind.NOTHING_TO_CANCEL, code="response_cancel_not_active")),
        (2.0, ApiError(kind=ApiErrorKind.OTHER, code="invalid_value")),
        *responds(3.0, "r1", **failed),
        *responds(3.0, "r1", **failed),
    )
    assert call.counts("api_errors", "collisions", "responses") == {
        'api_errors_total{code="invalid_value"}': 1,
        'api_errors_total{code="server_error"}': 1,
        'collisions_total{agent="desk"}': 1,
        'responses_total{agent="desk",outcome="failed"}': 1,
    }


def test_codes_of_the_api_become_labels_up_to_a_bound() -> None:
    metrics = Metrics()
    for number in range(MOST_CODES + 1):
        metrics.served.count_error(f"code_{number}")
    metrics.served.count_error("code_0")
    found = counts(metrics, "api_errors")
    assert len(found) == MOST_CODES + 1
    assert found['api_errors_total{code="code_0"}'] == 2
    assert found['api_errors_total{code="other"}'] == 1


@pytest.mark.parametrize(
    ("comes", "result"),
    [
        (SidebandOpened(), "attached"),
        (CallGone(), "gone"),
        (Unreachable(detail="no answer"), "unreachable"),
    ],
)
def test_a_sideband_that_was_lost_is_counted_by_what_came_of_dialling_it(
    comes: CallEvent, result: str
) -> None:
    call = Metered(an_agent()).lives(*ATTACHED, (1.0, SidebandLost()), (2.0, comes))
    assert call.counts("sideband_redials") == {f'sideband_redials_total{{result="{result}"}}': 1}


def test_tokens_are_counted_once_by_kind_and_cached_ones_apart() -> None:
    usage = Usage(text_in=100, text_cached=60, audio_in=50, audio_out=20)
    heard = Transcribed(
        item_id="i", role=Role.CALLER, text="Hi.", usage=TranscriptionUsage(audio_in=7, text_out=3)
    )
    call = Metered(an_agent())
    call.lives(*ATTACHED, *responds(1.0, "r1", usage=usage), *responds(1.0, "r1", usage=usage), (2.0, heard))
    assert call.counts("tokens") == {
        'tokens_total{agent="desk",kind="text_in"}': 40,
        'tokens_total{agent="desk",kind="text_cached"}': 60,
        'tokens_total{agent="desk",kind="audio_in"}': 50,
        'tokens_total{agent="desk",kind="audio_out"}': 20,
        'tokens_total{agent="desk",kind="transcription_audio_in"}': 7,
        'tokens_total{agent="desk",kind="transcription_text_out"}': 3,
    }


def test_the_end_of_a_call_counts_its_duration_and_its_cost() -> None:
    call = Metered(an_agent())
    call.lives(*ATTACHED, *responds(1.0, "r1", usage=Usage(audio_in=1_000_000)))
    call.lives((60.25, SidebandLost()), (60.25, CallGone()))
    call.meter.ends(call.machine.record(), 1060.25)
    assert call.counts("call_seconds", "cost") == {
        'call_seconds_count{agent="desk"}': 1,
        'call_seconds_sum{agent="desk"}': 60.0,
        'cost_usd_total{agent="desk"}': 32.0,
    }


def test_a_call_during_which_the_clock_was_set_back_has_no_negative_duration() -> None:
    call = Metered(an_agent())
    call.lives(*ATTACHED, (-3600.0, SidebandLost()), (-3600.0, CallGone()))
    call.meter.ends(call.machine.record(), -2600.0)
    assert call.counts("call_seconds") == {'call_seconds_count{agent="desk"}': 1}


def test_a_call_that_was_not_answered_has_neither_duration_nor_cost() -> None:
    call = Metered(an_agent())
    call.meter.ends(None, 1001.0)
    assert call.counts("call_seconds", "cost") == {}


def test_of_a_call_that_is_taken_over_what_was_before_is_not_counted_again() -> None:
    first = Metered(an_agent(tools=(http_tool(),)))
    lost = HttpReply(failure=Failure.TIMEOUT)
    first.lives(*ATTACHED, *responds(1.0, "r1", "find_slots", usage=Usage(text_in=9)))
    first.lives((2.0, Replied(call_id="r1_find_slots", attempt=1, reply=lost)))
    machine = CallMachine.replay(RINGING, 1000.0, first.lived, first.world)
    metrics = Metrics()
    meter = CallMeter(metrics.served)
    meter.begins(machine, 1010.0)
    for at, event in responds(1011.0, "r2", usage=Usage(text_in=2)):
        meter.handled(event, machine.handle(event, at), at)
    assert counts(metrics, "tool", "tokens", "attach") == {'tokens_total{agent="desk",kind="text_in"}': 2}
