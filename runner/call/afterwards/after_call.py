"""What is owed once a call is over, when it is due, and what came of an attempt. Does none of it.

A duty is tried until it is done. After a failure it is due again after a wait that doubles from five
seconds to four hours, shortened by up to a half so that what failed together is not tried again together.
What is not done after 72 hours is parked: kept, and tried no more. So is what can never succeed:

- a delivery that is answered 410, by which a receiver says that it wants no more (Standard Webhooks);
  every other answer but 2xx is tried again, since endpoints are mended and secrets replaced;
- a question that the API refuses for what it is (400, 404, 413, 422), and one that got no usable answer
  in three attempts or more.
"""

import json
from collections.abc import Mapping
from hashlib import sha256

from runner.call.afterwards import binding_json
from runner.call.afterwards.outcome import Answer, NoAnswer, has_words, outcome_body, read_answer
from runner.call.templates.names import Headers, timestamp
from runner.call.tools.tool_request import build_request
from runner.model.after_call import Done, DueDuty, Duty, DutyKind, Fate, Later, Parked
from runner.model.agent import Agent
from runner.model.http import HttpReply, HttpRequest
from runner.model.record import CallRecord
from runner.model.values import Instant, Json, JsonObject

LONGEST_S = 72 * 3600.0
"""From the end of the call to the last attempt."""
FIRST_WAIT_S = 5.0
LONGEST_WAIT_S = 4 * 3600.0
MOST_USELESS = 3
"""Attempts after which a model that gives no usable answer is asked no more: each costs money."""
GONE = 410
_PREFIX = "msg_"
"""Of a duty's id, as Standard Webhooks has it."""


def duties(agent: Agent, record: CallRecord, names: JsonObject, now: Instant) -> tuple[Duty, ...]:
    """What this call owes. `names` is what templates may name, redacted as the record is.

    The agent that answered the call decides, whoever served it later. A call of which no word is kept has
    nothing to ask about.
    """
    asks = agent.outcome is not None and has_words(record)
    owed = []
    if agent.outcome is not None and asks:
        work = {"model": agent.outcome.model, "schema": agent.outcome.schema}
        owed.append(_duty(record.id, DutyKind.OUTCOME, 0, now, due_at=now, work=work))
    named = {name: value for name, value in names.items() if name != "now"}
    for index, binding in enumerate(agent.on_end):
        work = {"http": binding_json.encode(binding), "agent": agent.id, "names": named}
        due_at = None if asks else now
        owed.append(_duty(record.id, DutyKind.DELIVERY, index, now, due_at=due_at, work=work))
    return tuple(owed)


def is_duty(request_id: str) -> bool:
    """Whether an idempotency key is that of a duty, and not of a tool call."""
    return request_id.startswith(_PREFIX)


def _duty(
    call_id: str, kind: DutyKind, index: int, now: Instant, *, due_at: Instant | None, work: JsonObject
) -> Duty:
    digest = sha256(f"{call_id}/{kind.value}/{index}".encode("utf-8", "replace")).hexdigest()
    duty_id = f"{_PREFIX}{digest[:32]}"
    return Duty(id=duty_id, call_id=call_id, kind=kind, created_at=now, due_at=due_at, work=work)


def question(due: DueDuty) -> dict[str, Json]:
    """The body of the request that asks for the outcome."""
    return outcome_body(due.duty.work["model"], due.duty.work["schema"], due.record)


def delivery(due: DueDuty, secrets: Mapping[str, str], now: Instant) -> HttpRequest:
    """The request of a delivery. Without a body of its own it carries the record, with the outcome in it.

    Raises TemplateFailure when it cannot be made from what the call was and the secrets are now.
    """
    work = due.duty.work
    call = work["names"]["call"]
    names = {
        **work["names"],
        "call": {**call, "headers": Headers(call["headers"])},
        "agent": work["agent"],
        "now": timestamp(now),
        "secrets": secrets,
        # What a tool's request has its arguments for, a delivery has the record for.
        "args": {**due.record, "outcome": due.outcome},
    }
    return build_request(
        binding_json.decode(work["http"]),
        names,
        call_id=due.duty.call_id,
        tool_call_id=due.duty.id,
        agent_id=work["agent"],
        now=now,
    )


def fate_of_question(duty: Duty, reply: HttpReply, now: Instant) -> Fate:
    """What the API's reply means for a question."""
    match read_answer(reply, duty.work["schema"]):
        case Answer(value=value):
            return Done(outcome=value)
        case NoAnswer(error=error, hopeless=True):
            return Parked(error=error)
        case NoAnswer(error=error):
            return again(duty, error, now)
        case useless:
            if duty.attempts + 1 >= MOST_USELESS:
                return Parked(error=useless.error)
            return again(duty, useless.error, now)


def fate_of_delivery(duty: Duty, reply: HttpReply, now: Instant) -> Fate:
    """What an endpoint's reply means for a delivery."""
    if reply.status is not None and 200 <= reply.status <= 299:
        return Done()  # however long what it has to say
    if reply.failure is not None or reply.status is None:
        return again(duty, reply.detail or "the endpoint could not be reached", now)
    if reply.status == GONE:
        return Parked(error="the endpoint answered 410: it wants no more deliveries")
    return again(duty, f"the endpoint answered {reply.status}", now)


def again(duty: Duty, error: str, now: Instant) -> Later | Parked:
    """The attempt that ends now has failed: when the next is due, or that there is none.

    That goes for a request that cannot be made, too: a secret that is missing today may be there tomorrow.
    """
    last_at = duty.created_at + LONGEST_S
    if now >= last_at:
        return Parked(error=error)
    wait_s = min(FIRST_WAIT_S * 2.0 ** min(duty.attempts, 30), LONGEST_WAIT_S)
    return Later(due_at=min(now + wait_s * (1 - _share(duty) / 2), last_at), error=error)


def _share(duty: Duty) -> float:
    """A number from 0 to 1 that differs from duty to duty and from attempt to attempt."""
    digest = sha256(f"{duty.id}/{duty.attempts}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32


def encoded_work(duty: Duty) -> str:
    """What is needed to do it, as the store keeps it. A variable that JSON has no form for becomes text."""
    return json.dumps(duty.work, default=str)
