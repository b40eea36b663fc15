"""Decides which jobs follow a call, when they are due, and what the result of an attempt means. Runs none.

A job is tried until it is done. After a failure it is due again after a wait that doubles from five seconds
to four hours, shortened by up to a half, differently for each job, so that jobs that failed together are not
retried together. A job that is not done after 72 hours is parked: kept, and not tried again. So is a job that
can never succeed:

- a delivery answered with 410, by which a receiver asks for no more (Standard Webhooks); any other status
  except 2xx is retried, since endpoints are repaired and secrets replaced;
- a question that the API refuses for its content (400, 404, 413, 422), or that got no usable answer in three
  attempts or more.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import assert_never
from urllib.parse import urlsplit

from runner.call.afterwards import binding_json
from runner.call.afterwards.outcome import checked, has_words, outcome_question
from runner.call.templates.names import HeadersByName, timestamp
from runner.call.tools.tool_request import build_request
from runner.errors import TemplateError
from runner.model.agent import Agent
from runner.model.http import HttpReply, HttpRequest
from runner.model.job import Done, DueJob, Job, JobKind, JobResult, Later, Parked
from runner.model.question import Answer, Answered, NoAnswer, Question, UselessAnswer
from runner.model.record import CallRecord
from runner.model.values import Instant, JsonObject

LONGEST_S = 72 * 3600.0
"""From the end of the call to the last attempt."""
FIRST_WAIT_S = 5.0
LONGEST_WAIT_S = 4 * 3600.0
MOST_USELESS = 3
"""After this many attempts without a usable answer the model is not asked again: each costs money."""
GONE = 410
TEXT_MODEL = "text model"
"""The receiver of questions. No host has a space in it."""
_PREFIX = "msg_"
"""Of a job's id, as Standard Webhooks has it."""
_LONGEST_HOST = 255
"""RFC 1035, 2.3.4."""


def jobs_after(agent: Agent, record: CallRecord, names: JsonObject, now: Instant) -> tuple[Job, ...]:
    """The jobs after this call. `names` is what templates may name, redacted as the record is.

    The agent that answered the call decides, whoever served it later. A call without any text has nothing to
    ask about.
    """
    asks = agent.outcome is not None and has_words(record)
    jobs = []
    if agent.outcome is not None and asks:
        work = {"model": agent.outcome.model, "schema": agent.outcome.schema}
        jobs.append(_job(record.id, JobKind.OUTCOME, 0, now, receiver=TEXT_MODEL, due_at=now, work=work))
    named = {name: value for name, value in names.items() if name != "now"}
    for index, binding in enumerate(agent.on_end):
        work = {"http": binding_json.encode(binding), "agent": agent.id, "names": named}
        due_at = None if asks else now
        receiver = _host(binding.url.source)
        jobs.append(
            _job(record.id, JobKind.DELIVERY, index, now, receiver=receiver, due_at=due_at, work=work)
        )
    return tuple(jobs)


def is_job(request_id: str) -> bool:
    """Whether an idempotency key is that of a job, and not of a tool call."""
    return request_id.startswith(_PREFIX)


def _host(url: str) -> str:
    """Host and port of a URL, which no template makes up (`runner.call.tools.url`)."""
    return urlsplit(url).netloc.lower()[:_LONGEST_HOST]


def _job(
    call_id: str,
    kind: JobKind,
    index: int,
    now: Instant,
    *,
    receiver: str,
    due_at: Instant | None,
    work: JsonObject,
) -> Job:
    digest = sha256(f"{call_id}/{kind.value}/{index}".encode("utf-8", "replace")).hexdigest()
    job_id = f"{_PREFIX}{digest[:32]}"
    return Job(
        id=job_id, call_id=call_id, kind=kind, receiver=receiver, created_at=now, due_at=due_at, work=work
    )


class UnreadableJobError(Exception):
    """The data of a job is not in this version's form: somebody has changed its row, or another version has
    written it."""


_MALFORMED = (KeyError, TypeError, AttributeError, ValueError, TemplateError)


def question(due: DueJob) -> Question:
    """The question for the outcome. Raises UnreadableJobError."""
    try:
        return outcome_question(due.job.work["model"], due.job.work["schema"], due.record)
    except _MALFORMED as error:
        raise UnreadableJobError(_what_is_wrong(error)) from None


def delivery(due: DueJob, secrets: Mapping[str, str], now: Instant) -> HttpRequest:
    """The request of a delivery. Without a body of its own it carries the record, including the outcome.

    Raises TemplateFailure when it cannot be rendered from the call's data and the current secrets, and
    UnreadableJobError.
    """
    work = due.job.work
    try:
        call = work["names"]["call"]
        names = {
            **work["names"],
            "call": {**call, "headers": HeadersByName(call["headers"])},
            "agent": work["agent"],
            "now": timestamp(now),
            "secrets": secrets,
            # A delivery has the record where a tool's request has its arguments.
            "args": {**due.record, "outcome": due.outcome},
        }
        binding = binding_json.decode(work["http"])
    except _MALFORMED as error:
        raise UnreadableJobError(_what_is_wrong(error)) from None
    try:
        return build_request(
            binding, names, call_id=due.job.call_id, tool_call_id=due.job.id, agent_id=work["agent"], now=now
        )
    except TemplateError as error:  # a template that this version does not take
        raise UnreadableJobError(_what_is_wrong(error)) from None


def _what_is_wrong(error: Exception) -> str:
    missing = f"it has no {error}" if isinstance(error, KeyError) else str(error)
    return f"the job cannot be read: {missing}"


def question_result(job: Job, answer: Answer, now: Instant) -> JobResult:
    """What the text model's answer means for a question."""
    answer = checked(answer, job.work["schema"])
    match answer:
        case Answered(value=value):
            return Done(outcome=value)
        case NoAnswer(error=error, hopeless=True):
            return Parked(error=error)
        case NoAnswer(error=error):
            return again(job, error, now)
        case UselessAnswer(error=error):
            if job.attempts + 1 >= MOST_USELESS:
                return Parked(error=error)
            return again(job, error, now)
        case _:
            assert_never(answer)


def delivery_result(job: Job, reply: HttpReply, now: Instant) -> JobResult:
    """What an endpoint's reply means for a delivery."""
    if reply.status is not None and 200 <= reply.status <= 299:
        return Done()  # however long what it has to say
    if reply.failure is not None or reply.status is None:
        return again(job, reply.detail or "the endpoint could not be reached", now)
    if reply.status == GONE:
        return Parked(error="the endpoint answered 410: it wants no more deliveries")
    return again(job, f"the endpoint answered {reply.status}", now)


def again(job: Job, error: str, now: Instant) -> Later | Parked:
    """This attempt has failed: when the next is due, or that there is none.

    A request that cannot be rendered counts too: a secret that is missing today may be there tomorrow.
    """
    last_at = job.created_at + LONGEST_S
    if now >= last_at:
        return Parked(error=error)
    wait_s = min(FIRST_WAIT_S * 2.0 ** min(job.attempts, 30), LONGEST_WAIT_S)
    return Later(due_at=min(now + wait_s * (1 - _share(job) / 2), last_at), error=error)


def _share(job: Job) -> float:
    """A number from 0 to 1, different for each job and attempt."""
    digest = sha256(f"{job.id}/{job.attempts}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32


def encoded_work(job: Job) -> str:
    """What the job needs, as the store keeps it. A variable without a JSON form becomes text."""
    return json.dumps(job.work, default=str)
