"""The lookup before a call is answered: its request, the attempts under one deadline, and the answer. Pure.

Whatever the endpoint does, there is an answer: its own, or the declared default with the reason for it.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from runner.call.templates.names import call_names, names
from runner.call.templates.template import TemplateFailure, render
from runner.call.tools.endpoint_reply import UnusableReplyError, json_of, read_reply
from runner.call.tools.tool_request import build_request, next_delay
from runner.model.action import LOOKUP, Action, ClearTimer, SendRequest, SetTimer, Timer, TimerKind
from runner.model.agent import Agent, Lookup
from runner.model.call import IncomingCall
from runner.model.event import Replied
from runner.model.http import Failure, HttpReply, HttpRequest
from runner.model.values import Instant, Json

DEADLINE = Timer(TimerKind.LOOKUP)
RETRY = Timer(TimerKind.LOOKUP_RETRY)
MAX_BYTES = 64 * 1024
"""A longer reply counts as a mistake: the answer goes into instructions, which the API bounds too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedUp:
    """The value of `lookup` during a call. `fault` is the reason for the default, as a sentence."""

    value: Json
    took_s: float
    fault: str | None = None


def lookup_request(
    lookup: Lookup, *, call: IncomingCall, agent: Agent, secrets: Mapping[str, str], now: Instant
) -> HttpRequest:
    """The request; every attempt, and every delivery of the call's webhook, sends the same one.

    Its templates may name everything except `args` and `lookup`. A variable rendered from the lookup's answer
    is null. Raises TemplateFailure when the data of this call does not fit the templates.
    """
    known = names(call=call_names(call), agent_id=agent.id, vars={}, now=now)
    variables: dict[str, Json] = {}
    for name, value in agent.vars.items():
        with suppress(TemplateFailure):
            variables[name] = render(value, known)
    return build_request(
        lookup.http,
        {**known, "vars": variables, "secrets": secrets},
        call_id=call.id,
        tool_call_id=call.id,
        agent_id=agent.id,
        now=now,
    )


def read_answer(lookup: Lookup, reply: HttpReply, took_s: float) -> LookedUp:
    """Read the endpoint's last reply. `took_s` is the time of all attempts together."""
    if len(reply.body) > MAX_BYTES:
        return default_answer(lookup, f"the endpoint's reply is longer than {MAX_BYTES} bytes", took_s)
    try:
        return LookedUp(value=json_of(read_reply(reply)), took_s=took_s)
    except UnusableReplyError as error:
        return default_answer(lookup, str(error), took_s)


def next_attempt_s(lookup: Lookup, attempt: int, reply: HttpReply, gone_s: float) -> float | None:
    """Seconds to wait before the next attempt, or None when this reply is the last.

    `gone_s` is the time since the first attempt began. No attempt begins after the deadline over all of them.
    """
    delay_s = next_delay(lookup.http.retries, attempt, reply)
    return None if delay_s is None or gone_s + delay_s >= lookup.timeout_s else delay_s


def default_answer(lookup: Lookup, reason: str, took_s: float) -> LookedUp:
    """The declared default, with the reason for it."""
    return LookedUp(value=lookup.default, took_s=took_s, fault=f"the lookup gave its default: {reason}")


@dataclass(slots=True, eq=False)
class LookupAttempts:
    """The attempts for one call. Each step leads to further actions, or to what was found."""

    lookup: Lookup
    request: HttpRequest
    call_id: str
    began_at: Instant
    _attempt: int = field(default=0, init=False)

    def begin(self) -> list[Action]:
        """The deadline begins, and the first attempt."""
        return [SetTimer(timer=DEADLINE, at=self.began_at + self.lookup.timeout_s), *self.send()]

    def send(self) -> list[Action]:
        """Send the next attempt."""
        self._attempt += 1
        return [SendRequest(call_id=self.call_id, attempt=self._attempt, tool=LOOKUP, request=self.request)]

    def replied(self, replied: Replied, now: Instant) -> LookedUp | list[Action]:
        """An attempt has ended: retry where that is declared. One before the last changes nothing."""
        if replied.attempt != self._attempt:
            return []
        took_s = self._took_s(now)
        delay_s = next_attempt_s(self.lookup, replied.attempt, replied.reply, took_s)
        if delay_s is not None:
            return [SetTimer(timer=RETRY, at=now + delay_s)]
        return read_answer(self.lookup, replied.reply, took_s)

    def late(self, now: Instant) -> LookedUp:
        """The deadline is over: the lookup's default."""
        detail = f"no reply within {self.lookup.timeout_s:g} s"
        return read_answer(self.lookup, HttpReply(failure=Failure.TIMEOUT, detail=detail), self._took_s(now))

    def again(self, now: Instant) -> LookedUp | list[Action]:
        """The reply to the last attempt went to a process that is gone: send another while there is time."""
        if now - self.began_at >= self.lookup.timeout_s:
            return self.late(now)
        return [ClearTimer(timer=RETRY), *self.send()]

    def end(self) -> list[Action]:
        """The call is answered, or rejected."""
        return [ClearTimer(timer=DEADLINE), ClearTimer(timer=RETRY)]

    def _took_s(self, now: Instant) -> float:
        return round(now - self.began_at, 6)
