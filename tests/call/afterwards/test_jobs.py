"""What a call owes when it is over, what is sent for it, and when it is tried again or given up."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook

from runner.call.afterwards.jobs import (
    FIRST_WAIT_S,
    LONGEST_S,
    LONGEST_WAIT_S,
    again,
    delivery,
    delivery_result,
    encoded_work,
    jobs_after,
    question,
    question_result,
)
from runner.call.records.record_json import encode
from runner.call.templates.template import TemplateFailure
from runner.model.agent import OutcomeQuestion, Recording, Sensitive
from runner.model.call import Role
from runner.model.conversation_event import ItemPlaced, SessionUpdated, Transcribed
from runner.model.http import Failure, HttpReply
from runner.model.job import Done, DueJob, Job, JobKind, Later, Parked
from runner.model.question import Answer, Answered, NoAnswer, UselessAnswer
from runner.model.record import CallRecord, Turn
from runner.model.tool import Body, BodyKind, HttpBinding, ResultSpec, Tool
from runner.model.values import Json
from tests.call.machine.playing import TO_SPANISH, Play, an_agent, http_tool, words

SECRET = "whsec_" + base64.b64encode(b"a secret of the receiver").decode()
SCHEMA = {"type": "object", "properties": {"booked": {"type": "boolean"}}, "required": ["booked"]}
OUTCOME = OutcomeQuestion(model="gpt-5-mini", schema=SCHEMA)
RECORD_BODY = Body(kind=BodyKind.JSON, is_arguments=True)
POST = HttpBinding(method="POST", url=words("https://api.maple.example/calls"), body=RECORD_BODY)
RECORD = CallRecord(
    id="rtc_1",
    agent="desk",
    route=None,
    why="",
    caller="+14155550100",
    called=None,
    transport="sip",
    created_at=100.0,
    ended="hangup",
    turns=(Turn(role="caller", text="Hello, Jörg.", at=101.0),),
)
NAMES = {
    "call": {"id": "rtc_1", "headers": {"x-plan": "gold"}},
    "vars": {"clinic": "Maple"},
    "lookup": {"name": "Ada"},
    "agent": "desk",
    "now": "1970-01-01T00:00:01Z",
}


def due(job: Job, outcome: object = None) -> DueJob:
    """A job as the store gives it back."""
    kept = replace(job, work=json.loads(encoded_work(job)))
    return DueJob(job=kept, record=json.loads(encode(RECORD)), outcome=outcome)


def owed(record: CallRecord = RECORD, **agent: Json) -> tuple[Job, ...]:
    return jobs_after(an_agent(**agent), record, NAMES, 200.0)


# What is owed


def test_an_agent_that_declares_nothing_owes_nothing() -> None:
    assert owed() == ()


def test_deliveries_wait_for_the_outcome() -> None:
    asked, first, second = owed(outcome=OUTCOME, on_end=(POST, POST))
    assert [job.kind for job in (asked, first, second)] == [
        JobKind.OUTCOME,
        JobKind.DELIVERY,
        JobKind.DELIVERY,
    ]
    assert [job.due_at for job in (asked, first, second)] == [200.0, None, None]
    assert {job.call_id for job in (asked, first, second)} == {"rtc_1"}


def test_without_an_outcome_deliveries_are_due_at_once() -> None:
    assert [job.due_at for job in owed(on_end=(POST,))] == [200.0]


def test_a_call_of_which_no_word_is_kept_is_not_asked_about() -> None:
    silent = replace(RECORD, turns=(Turn(role="caller", text=None, at=1.0),))
    assert [(job.kind, job.due_at) for job in owed(silent, outcome=OUTCOME, on_end=(POST,))] == [
        (JobKind.DELIVERY, 200.0)
    ]


@pytest.mark.parametrize(
    ("url", "receiver"),
    [
        ("https://CRM.maple.example/calls/{{ call.id }}", "crm.maple.example"),
        ("http://10.0.0.7:8080?of={{ call.id }}", "10.0.0.7:8080"),
        ("https://[fd00::7]:8443/", "[fd00::7]:8443"),
        (f"https://{'a' * 300}/", "a" * 255),
    ],
)
def test_a_delivery_has_its_host_for_a_receiver_and_a_question_the_text_model(
    url: str, receiver: str
) -> None:
    jobs = owed(outcome=OUTCOME, on_end=(replace(POST, url=words(url)),))
    assert [job.receiver for job in jobs] == ["text model", receiver]


def test_ids_differ_by_duty_and_call_and_are_the_same_whenever_they_are_made() -> None:
    def ids(call_id: str) -> list[str]:
        return [job.id for job in owed(replace(RECORD, id=call_id), outcome=OUTCOME, on_end=(POST, POST))]

    assert ids("rtc_1") == ids("rtc_1")
    assert len({*ids("rtc_1"), *ids("rtc_2")}) == 6
    assert all(len(each) == 36 and each.startswith("msg_") for each in ids("rtc_1"))


def test_what_is_kept_for_a_delivery_names_secrets_and_shows_nothing_in_its_text() -> None:
    [job] = owed(on_end=(replace(POST, sign=words("{{ secrets.SIGN }}")),))
    assert "{{ secrets.SIGN }}" in encoded_work(job)
    assert "Maple" not in repr(job)


def test_a_variable_that_json_has_no_form_for_is_kept_as_text() -> None:
    [job] = jobs_after(an_agent(on_end=(POST,)), RECORD, {**NAMES, "vars": {"a": {1}}}, 200.0)
    assert json.loads(encoded_work(job))["names"]["vars"] == {"a": "{1}"}


# What is sent


def test_a_question_is_made_of_the_record() -> None:
    [asked] = owed(outcome=OUTCOME)
    made = question(due(asked))
    assert (made.model, made.schema) == ("gpt-5-mini", SCHEMA)
    assert "caller: Hello, Jörg." in made.text


def test_a_delivery_carries_the_record_with_the_outcome_signed_under_its_own_id() -> None:
    [job] = owed(on_end=(replace(POST, sign=words("{{ secrets.SIGN }}")),))
    request = delivery(due(job, {"booked": True}), {"SIGN": SECRET}, 1_700_000_000.0)
    headers = dict(request.headers)
    assert (request.method, request.url) == ("POST", "https://api.maple.example/calls")
    assert json.loads(request.body or b"") == {**json.loads(encode(RECORD)), "outcome": {"booked": True}}
    assert {name: headers[name] for name in ("webhook-id", "webhook-timestamp", "Content-Type")} == {
        "webhook-id": job.id,
        "webhook-timestamp": "1700000000",
        "Content-Type": "application/json",
    }
    assert (headers["Idempotency-Key"], headers["X-Call-Id"], headers["X-Agent"]) == (
        job.id,
        "rtc_1",
        "desk",
    )
    moment = datetime.fromtimestamp(1_700_000_000, UTC)
    assert headers["webhook-signature"] == Webhook(SECRET).sign(
        job.id, moment, (request.body or b"").decode()
    )


def test_its_templates_know_the_call_and_the_moment_of_delivery() -> None:
    templates = {
        "call": words("{{ call.id }} {{ call.headers['X-Plan'] }}"),
        "vars": words("{{ vars.clinic }}"),
        "lookup": words("{{ lookup.name }}"),
        "agent": words("{{ agent }}"),
        "now": words("{{ now }}"),
        "token": words("{{ secrets.TOKEN }}"),
    }
    binding = replace(POST, body=Body(kind=BodyKind.JSON, content=templates))
    [job] = owed(on_end=(binding,))
    assert json.loads(delivery(due(job), {"TOKEN": "t"}, 0.0).body or b"") == {
        "call": "rtc_1 gold",
        "vars": "Maple",
        "lookup": "Ada",
        "agent": "desk",
        "now": "1970-01-01T00:00:00Z",
        "token": "t",
    }


def test_a_secret_that_is_gone_is_a_failure_of_this_attempt() -> None:
    [job] = owed(on_end=(replace(POST, sign=words("{{ secrets.SIGN }}")),))
    with pytest.raises(TemplateFailure):
        delivery(due(job), {}, 0.0)


# What comes of it

DELIVERY = Job(
    id="msg_1",
    call_id="rtc_1",
    kind=JobKind.DELIVERY,
    receiver="crm.example",
    created_at=1000.0,
    due_at=1000.0,
    work={},
)
QUESTION = replace(DELIVERY, kind=JobKind.OUTCOME, work={"model": "m", "schema": SCHEMA})


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_a_delivery_that_is_taken_is_done(status: int) -> None:
    assert delivery_result(DELIVERY, HttpReply(status=status), 1001.0) == Done()


def test_a_delivery_that_is_taken_with_many_words_is_done() -> None:
    reply = HttpReply(status=200, failure=Failure.TOO_LARGE)
    assert delivery_result(DELIVERY, reply, 1001.0) == Done()


def test_410_parks_a_delivery_at_once() -> None:
    assert delivery_result(DELIVERY, HttpReply(status=410), 1001.0) == Parked(
        error="the endpoint answered 410: it wants no more deliveries"
    )


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        *(
            (HttpReply(status=status), f"the endpoint answered {status}")
            for status in (301, 400, 401, 404, 408, 422, 425, 429, 500, 502, 503)
        ),
        (
            HttpReply(failure=Failure.TIMEOUT, detail="no complete reply within 10 s"),
            "no complete reply within 10 s",
        ),
        (HttpReply(), "the endpoint could not be reached"),
        (HttpReply(status=500, failure=Failure.TOO_LARGE, detail="long"), "long"),
    ],
)
def test_every_other_answer_means_another_attempt(reply: HttpReply, error: str) -> None:
    result = delivery_result(DELIVERY, reply, 1001.0)
    assert isinstance(result, Later)
    assert result.error == error


def test_a_question_that_is_answered_is_done() -> None:
    answer = Answered(value={"booked": True})
    assert question_result(QUESTION, answer, 1001.0) == Done(outcome={"booked": True})


@pytest.mark.parametrize(("attempts", "kind"), [(0, Later), (1, Later), (2, Parked), (7, Parked)])
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answered(value={}), "the answer does not fit the schema"),
        (UselessAnswer(error="the model refused to answer"), "the model refused to answer"),
    ],
)
def test_a_model_without_a_usable_answer_is_asked_three_times(
    attempts: int, kind: type[Later | Parked], answer: Answer, error: str
) -> None:
    result = question_result(replace(QUESTION, attempts=attempts), answer, 1001.0)
    assert isinstance(result, kind)
    assert result.error == error


@pytest.mark.parametrize(("hopeless", "kind"), [(True, Parked), (False, Later)])
def test_a_question_is_parked_at_once_only_when_it_is_refused_for_what_it_is(
    hopeless: bool, kind: type[Later | Parked]
) -> None:
    answer = NoAnswer(error="the API answered 400", hopeless=hopeless)
    result = question_result(replace(QUESTION, attempts=9), answer, 1001.0)
    assert isinstance(result, kind)


# The schedule


def waits(job: Job) -> list[float]:
    """Between the attempts of a job that always fails."""
    now = job.created_at
    found: list[float] = []
    while True:
        result = again(job, "no", now)
        if isinstance(result, Parked):
            return found
        found.append(result.due_at - now)
        now, job = result.due_at, replace(job, attempts=job.attempts + 1, due_at=result.due_at)


def test_waits_double_from_five_seconds_to_four_hours_with_up_to_a_half_off() -> None:
    for number in range(20):
        found = waits(replace(DELIVERY, id=f"msg_{number}"))
        for attempt, wait_s in enumerate(found[:-1]):
            full_s = min(FIRST_WAIT_S * 2**attempt, LONGEST_WAIT_S)
            assert full_s / 2 <= wait_s <= full_s


def test_the_last_attempt_is_72_hours_after_the_call() -> None:
    found = waits(DELIVERY)
    assert sum(found) == pytest.approx(LONGEST_S)
    assert 25 <= len(found) <= 50


def test_what_failed_together_is_not_tried_again_together() -> None:
    firsts = {waits(replace(DELIVERY, id=f"msg_{number}"))[0] for number in range(20)}
    assert len(firsts) == 20
    assert waits(DELIVERY) == waits(DELIVERY), "and yet it is no matter of luck"


def test_what_comes_to_its_turn_only_after_72_hours_has_one_attempt() -> None:
    late = DELIVERY.created_at + LONGEST_S + 1
    assert again(DELIVERY, "no", late) == Parked(error="no")
    assert again(DELIVERY, "no", late - 2) == Later(due_at=DELIVERY.created_at + LONGEST_S, error="no")


def test_any_number_of_attempts_has_a_wait() -> None:
    assert isinstance(again(replace(DELIVERY, attempts=10**6), "no", 1000.0), Later)


# A whole call, on the session machine

STRICT = Recording(
    kinds=frozenset({Sensitive.EMAIL}), arguments=(("account",),), results=(("patient", "code"),)
)


def said(play: Play, text: str) -> None:
    play.happens(
        ItemPlaced(item_id=text, role=Role.CALLER), Transcribed(item_id=text, role=Role.CALLER, text=text)
    )


def a_tool(**fields: object) -> Tool:
    parameters = {"type": "object", "properties": {"account": {"type": "string"}}}
    return http_tool("find", parameters=parameters, **fields)


def kept(play: Play) -> str:
    """Everything that leaves the machine at the end of the call, as one text."""
    record = play.record
    owed = play.session.jobs(record, play.now)
    return encode(record) + "".join(encoded_work(job) for job in owed)


def test_what_is_private_leaves_the_machine_in_no_way() -> None:
    result = ResultSpec(sets={"code": "patient.code", "mail": "patient.mail", "account": "account"})
    play = Play(an_agent(tools=(a_tool(result=result),), record=STRICT, outcome=OUTCOME, on_end=(POST,)))
    play.opens()
    said(play, "I am ada@mail.example, account 2 0 4 5 1 8.")
    [sent, *_] = play.responds(("find", '{"account": "204518"}'), audible=False)
    play.replies(
        sent, body=b'{"patient": {"code": "tulip-7", "mail": "ada@mail.example"}, "account": "204518"}'
    )
    said(play, "So my code is tulip-7?")
    assert not [word for word in ("ada@mail.example", "204518", "2 0 4", "tulip-7") if word in kept(play)]
    assert [turn.text for turn in play.record.turns] == [
        "I am [email], account [redacted].",
        "So my code is [redacted]?",
    ]
    [_, job] = play.session.jobs(play.record, play.now)
    assert job.work["names"]["vars"] == {
        "code": "[redacted]",
        "mail": "[email]",
        "account": "[redacted]",
    }


def test_what_the_model_and_the_endpoint_get_is_not_masked() -> None:
    play = Play(an_agent(tools=(a_tool(),), record=STRICT))
    play.opens()
    [sent, *_] = play.responds(("find", '{"account": "204518"}'), audible=False)
    play.replies(sent, body=b'{"patient": {"code": "tulip-7"}}')
    assert "tulip-7" in play.outputs()["call_1_0"]


def test_a_hand_off_adds_what_the_next_agent_wants_masked_and_leaves_the_duties_to_the_first() -> None:
    spanish = an_agent("recepcion", record=STRICT, on_end=(POST, POST))
    play = Play(an_agent(tools=(TO_SPANISH,), on_end=(POST,)), spanish)
    play.opens()
    said(play, "ada@mail.example")
    play.responds(("to_spanish", "{}"), audible=False)
    play.happens(SessionUpdated(update_id="switch_1"))
    assert play.session.agent.id == "recepcion"
    assert [turn.text for turn in play.record.turns] == ["[email]"]
    [job] = play.session.jobs(play.record, play.now)
    assert job.work["agent"] == "desk"
