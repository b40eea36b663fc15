"""The attempts of a call's lookup, under one deadline: what is sent when, and what answers the call."""

from dataclasses import dataclass, field

from runner.call.machine.lookup import LookedUp, next_attempt_s, read_answer
from runner.model.action import Action, ClearTimer, SendRequest, SetTimer, Timer, TimerKind
from runner.model.agent import Lookup
from runner.model.event import Replied
from runner.model.http import Failure, HttpReply, HttpRequest
from runner.model.values import Instant

LOOKUP = "lookup"
"""Stands for a tool's name where the lookup sends a request. Its key is the call's own id."""
DEADLINE = Timer(TimerKind.LOOKUP)
RETRY = Timer(TimerKind.LOOKUP_RETRY)


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
        """An attempt has ended: retry where that is declared. A reply to anything else changes nothing."""
        if replied.call_id != self.call_id or replied.attempt != self._attempt:
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
