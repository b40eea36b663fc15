"""Logs what happens to a call, so that the log alone tells its story.

INFO is normal, WARNING deserves a look, ERROR needs action. Instructions, arguments, replies, transcripts and
secrets are never logged.
"""

import logging

from runner.call.machine.machine import CallMachine
from runner.call.tools.complaint import complaint, has_failed
from runner.call.tools.endpoint_reply import phrase
from runner.model.action import Log, LogLevel, SendRequest
from runner.model.conversation_event import ApiError, ApiErrorKind, Outcome, ResponseEnded
from runner.model.event import CallEvent, HangUpFailed, ReferAnswered
from runner.model.http import HttpReply
from runner.model.reception import RingResult
from runner.model.record import CallRecord

log = logging.getLogger("runner.serve.call_log")

_LOG_LEVELS = {
    LogLevel.INFO: logging.INFO,
    LogLevel.WARNING: logging.WARNING,
    LogLevel.ERROR: logging.ERROR,
}
_LEVELS = {
    RingResult.FAILED: logging.ERROR,
    RingResult.UNAVAILABLE: logging.ERROR,
    RingResult.TAKEN: logging.WARNING,
}


LOGGED = frozenset({ApiError, HangUpFailed, ReferAnswered, ResponseEnded})


def rings(machine: CallMachine) -> None:
    """A call rings: who calls whom, the header that says so, which agent answers and why.

    The names of its headers are told of every call: one that reached the wrong agent may have the dialled
    number in a header that nobody named.
    """
    call, reception = machine.call, machine.reception
    route = reception.placement.match.route if reception.placement.match is not None else None
    extra = {
        "call_id": call.id,
        "from": call.caller.number or call.caller.uri,
        "to": call.called.number or call.called.uri,
        "to_found_in": call.called_found_in,
        "agent": reception.agent,
        "route": str(route.place) if route is not None else None,
        "why": reception.placement.why,
    }
    if call.headers:
        extra["headers"] = ", ".join(dict.fromkeys(name for name, _ in call.headers))
    log.info("call rings", extra=extra)


def taken_over(machine: CallMachine) -> None:
    """A call is taken over from another process."""
    extra = {
        "call_id": machine.call.id,
        "agent": machine.agent.id if machine.agent is not None else None,
        "phase": machine.phase.value,
    }
    log.warning("call is taken over", extra=extra)


def rang(machine: CallMachine, result: RingResult, took_s: float) -> None:
    reception = machine.reception
    extra = {"call_id": machine.call.id, "agent": reception.agent, "result": result.value}
    if reception.rejected_with is not None:
        extra["status"] = str(reception.rejected_with)
    if reception.placement.reached:
        extra["why"] = reception.placement.why
    if reception.detail:
        extra["detail"] = reception.detail
    message = "call was answered" if result is RingResult.ACCEPTED else "call was not answered"
    log.log(_LEVELS.get(result, logging.INFO), message, extra={**extra, "took_s": round(took_s, 3)})


def happened(event: CallEvent, call_id: str) -> None:
    """The API's errors, and its answers to a transfer or a hang-up."""
    match event:
        case ApiError(kind=ApiErrorKind.BUSY_SPEAKING | ApiErrorKind.NOTHING_TO_CANCEL):
            pass
        case ApiError(kind=ApiErrorKind.OUT_OF_QUOTA, code=code, message=message):
            detail = f"{message} (add credit to the API account)"
            log.error("api error", extra={"call_id": call_id, "code": code, "detail": detail})
        case ApiError(code=code, message=message):
            log.warning("api error", extra={"call_id": call_id, "code": code, "detail": message})
        case ResponseEnded(outcome=Outcome.FAILED | Outcome.INCOMPLETE, detail=detail):
            extra = {"call_id": call_id, "outcome": event.outcome.value, "detail": detail}
            log.warning("response failed", extra=extra)
        case ReferAnswered(ok=False, detail=detail):
            log.warning("transfer was refused", extra={"call_id": call_id, "detail": detail})
        case HangUpFailed(detail=detail, final=final):
            log.error("hang-up failed", extra={"call_id": call_id, "detail": detail, "final": final})
        case _:
            pass


def replied(send: SendRequest, reply: HttpReply, machine: CallMachine) -> None:
    """An endpoint has replied to an attempt, or has not. Its complaint is quoted."""
    failed = has_failed(reply)
    log.log(
        logging.WARNING if failed else logging.INFO,
        "endpoint replied",
        extra={
            "tool": send.tool,
            "attempt": send.attempt,
            "status": reply.status,
            "failure": reply.failure.value if reply.failure else None,
            "detail": _complaint(send, reply, machine) if failed else "",
            "took_s": round(reply.took_s, 3),
        },
    )


def _complaint(send: SendRequest, reply: HttpReply, machine: CallMachine) -> str:
    # An endpoint may quote the credentials that it refuses; an OAuth token is known only to the sender.
    if send.request.oauth is not None and reply.status is not None:
        return phrase(reply.status)
    sent = [value.rpartition(" ")[2] for name, value in send.request.headers if name == "Authorization"]
    return complaint(reply, machine.redactor(sent))


def write(entry: Log, call_id: str) -> None:
    """The machine's own log entries. A person's act is handled in a task that is not the call's."""
    log.log(_LOG_LEVELS[entry.level], entry.event.value, extra={"call_id": call_id, **entry.fields})


def ended(record: CallRecord) -> None:
    """The call is over: why, how long it was, and what could not be done as it is declared."""
    if record.faults:
        log.warning("call has faults", extra={"agent": record.agent, "faults": list(record.faults)})
    begun, lasted_s = record.accepted_at, None
    if begun is not None and record.ended_at is not None:
        lasted_s = round(max(0.0, record.ended_at - begun), 1)  # the clock may have been set back
    log.info(
        "call has ended",
        extra={
            "agent": record.agent,
            "ended": record.ended,
            "detail": record.detail,
            "lasted_s": lasted_s,
            "turns": len(record.turns),
            "tools": len(record.tools),
            "cost_usd": record.cost_usd,
        },
    )
