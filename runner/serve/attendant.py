"""Carries out what was decided about a webhook: answers the call or turns it away. Decides no route."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from runner.api.realtime import accept_body
from runner.call.reception.admission import Admit, Ignore, TurnAway, decide
from runner.call.reception.call_counts import CallCounts, Slot, place_call
from runner.call.reception.lookup import LookedUp
from runner.call.reception.reception import UNAVAILABLE_STATUS, receive
from runner.call.reception.webhook import WebhookEvent
from runner.call.routes.routing import RouteTable
from runner.call.session.session import Session
from runner.errors import ProviderError
from runner.model.settings import Configuration
from runner.model.values import Instant
from runner.serve.live_call import Sender
from runner.serve.live_calls import Call, LiveCalls
from runner.serve.logs import name_call
from runner.serve.lookup import look_up
from runner.serve.metrics import Metrics
from runner.serve.provider import Answer, Provider, is_retryable
from runner.serve.result import Result

log = logging.getLogger("runner.serve.attendant")

_ANSWERS = {Answer.GONE: Result.GONE, Answer.TAKEN: Result.TAKEN}


class Attendant:
    """Answers the calls of one configuration."""

    def __init__(
        self,
        *,
        configuration: Configuration,
        table: RouteTable,
        secrets: Mapping[str, str],
        provider: Provider,
        live_calls: LiveCalls,
        metrics: Metrics,
        tools: Sender,
        call_counts: CallCounts,
        new_call: Callable[[Session], Call],
        is_open: Callable[[], bool],
        clock: Callable[[], Instant] = time.time,
    ) -> None:
        self._configuration = configuration
        self._table = table
        self._secrets = secrets
        self._provider = provider
        self._live_calls = live_calls
        self._metrics = metrics
        self._tools = tools
        self._call_counts = call_counts
        self._new_call = new_call
        self._is_open = is_open
        self._clock = clock

    async def attend(self, event: WebhookEvent) -> Result:
        """Do what has to be done about a verified event. It has been done when this returns.

        Wants a task of its own: from here on every line that the task logs names the call.
        """
        if event.call_id is not None:
            name_call(event.call_id)
        decision = decide(event, table=self._table, settings=self._configuration.settings, now=self._clock())
        match decision:
            case Ignore():
                log.info("webhook is passed over", extra={"type": event.type, "reason": decision.value})
                return Result(decision.value)
            case _ if not self._is_open():
                return Result.CLOSED
            case TurnAway(call=call, status=status):
                return await self._reject(call.id, status, "no agent is to answer")
            case Admit():
                return await self._find_room(decision)

    async def _find_room(self, admitted: Admit) -> Result:
        room = place_call(admitted, self._configuration.agents, self._call_counts)
        for full in room.full:
            self._metrics.busy.labels(agent=full.agent, limit=full.limit.value).inc()
        match room.decision:
            case TurnAway(call=call, status=status, why=why):
                result = await self._reject(call.id, status, why)
                return Result.BUSY if result is Result.REJECTED else result
            case Admit(call=call, agent=agent):
                # Taken before anything is waited for, so that calls that come at once cannot all find room.
                slot = self._call_counts.take(agent, call.created_at)
                try:
                    return await self._admit(room.decision, slot)
                finally:
                    if not slot.is_kept:
                        slot.free()

    async def _admit(self, admitted: Admit, slot: Slot) -> Result:
        began = asyncio.get_running_loop().time()
        call, agent = admitted.call, self._configuration.agents[admitted.agent]
        try:
            session = receive(
                admitted,
                await self._look_up(admitted),
                agents=self._configuration.agents,
                secrets=self._secrets,
                now=self._clock(),
            )
            body = accept_body(agent, session.instructions, session.servers)
        except Exception:
            # Templates meet the data of this call here for the first time. Whatever goes wrong, the
            # caller must not be left ringing.
            log.exception("call cannot be prepared", extra={"agent": agent.id})
            await self._reject(call.id, UNAVAILABLE_STATUS, "the call could not be prepared")
            return Result.FAILED
        try:
            answer = await self._provider.accept(call.id, body)
        except ProviderError as error:
            log.error("call was not accepted", extra={"agent": agent.id, "error": str(error)})
            if is_retryable(error.status):
                return Result.UNAVAILABLE
            await self._reject(call.id, UNAVAILABLE_STATUS, "the voice API refused to accept it")
            return Result.FAILED
        took_s = asyncio.get_running_loop().time() - began
        self._metrics.accept_seconds.observe(took_s)
        if answer is Answer.DONE:
            slot.keep()
            self._live_calls.connect(self._new_call(session), slot.free)
        log.info(
            "accept was answered",
            extra={"agent": agent.id, "answer": answer.value, "took_s": round(took_s, 3)},
        )
        return _ANSWERS.get(answer, Result.ACCEPTED)

    async def _look_up(self, admitted: Admit) -> LookedUp | None:
        """What the agent's lookup says of the call, or its default; None when the agent has no lookup."""
        agent = self._configuration.agents[admitted.agent]
        if agent.lookup is None:
            return None
        answer = await look_up(
            agent.lookup,
            call=admitted.call,
            agent=agent,
            secrets=self._secrets,
            sender=self._tools,
            now=self._clock(),
        )
        result = "answered" if answer.fault is None else "default"
        self._metrics.lookup_seconds.labels(result=result).observe(answer.took_s)
        return answer

    async def _reject(self, call_id: str, status: int, reason: str) -> Result:
        extra = {"status": status, "reason": reason}
        try:
            answer = await self._provider.reject(call_id, status)
        except ProviderError as error:
            log.error("call was not rejected", extra={**extra, "error": str(error)})
            return Result.UNAVAILABLE if is_retryable(error.status) else Result.FAILED
        log.info("reject was answered", extra={**extra, "answer": answer.value})
        return _ANSWERS.get(answer, Result.REJECTED)
