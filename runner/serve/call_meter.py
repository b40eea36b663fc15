"""Counts what happens in one call while this process serves it. Reads the machine and changes nothing.

After a takeover it counts from there on: the process before has counted the rest. Cost and duration, which
only the record holds, are counted by the process that ends the call.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from runner.call.machine.machine import CallMachine
from runner.model.action import Action, Log, LogEvent
from runner.model.conversation_event import (
    ApiError,
    ApiErrorKind,
    CallerSpeaks,
    Outcome,
    PlaybackEnded,
    PlaybackStarted,
    ResponseEnded,
    Transcribed,
)
from runner.model.event import (
    AnswerReplied,
    CallEvent,
    CallGone,
    SidebandLost,
    SidebandOpened,
    Unreachable,
)
from runner.model.record import CallRecord, ToolUse
from runner.model.usage import TranscriptionUsage, Usage
from runner.model.values import Instant
from runner.serve.call_metrics import CallMetrics
from runner.serve.call_watch import UNKNOWN_TOOL, ServedAgents


class CallMeter:
    """The meter of one call; a `CallWatch`."""

    __slots__ = (
        "_agents",
        "_answered_at",
        "_caller_speaks",
        "_fell_silent_at",
        "_is_redialling",
        "_machine",
        "_metrics",
        "_opened_at",
        "_reports",
        "_tools_counted",
    )

    def __init__(self, metrics: CallMetrics) -> None:
        self._metrics = metrics
        self._machine: CallMachine | None = None
        self._agents = ServedAgents()
        self._tools_counted = 0
        self._reports = 0
        """Of usage, on the call's bill when it was read last: a duplicate event adds none."""
        self._answered_at: Instant | None = None
        self._opened_at: Instant | None = None
        """Until the agent or the caller is heard."""
        self._fell_silent_at: Instant | None = None
        """When the caller's last word ended, until the agent is heard."""
        self._caller_speaks = False
        self._is_redialling = False

    def begins(self, machine: CallMachine, now: Instant) -> None:
        self._machine = machine
        self._agents.note(machine)
        self._tools_counted = len(machine.tools_ended)
        self._has_more_usage()

    def handled(self, event: CallEvent, actions: Sequence[Action], now: Instant) -> None:
        machine = self._machine
        if machine is None:
            return
        if actions:
            # Without them no agent takes the call, and no tool call ends.
            self._agents.note(machine)
            for action in actions:
                if isinstance(action, Log):
                    self._count_log_entry(action)
            if len(machine.tools_ended) != self._tools_counted:
                self._count_tools()
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event, now)

    def ends(self, record: CallRecord | None, now: Instant) -> None:
        self._count_tools()
        if record is None:
            return
        if record.accepted_at is not None and record.ended_at is not None:
            took_s = max(0.0, record.ended_at - record.accepted_at)  # the clock may have been set back
            self._metrics.call_seconds.labels(agent=record.agent).observe(took_s)
        if record.cost_usd is not None:
            self._metrics.cost_usd.labels(agent=record.agent).inc(record.cost_usd)

    @property
    def _agent(self) -> str:
        return self._agents.current.id if self._agents.current is not None else ""

    # How long callers wait

    def _answered(self, replied: AnswerReplied, now: Instant) -> None:
        if replied.decided.is_done:
            self._answered_at = now

    def _opened(self, opened: SidebandOpened, now: Instant) -> None:
        if self._is_redialling:
            self._redialled("attached")
        if self._answered_at is not None:
            self._metrics.attach_seconds.observe(now - self._answered_at)
            self._answered_at, self._opened_at = None, now

    def _lost(self, _: SidebandLost, now: Instant) -> None:
        self._is_redialling = True
        self._caller_speaks = False
        self._opened_at = self._fell_silent_at = None

    def _gone(self, _: CallGone, now: Instant) -> None:
        if self._is_redialling:
            self._redialled("gone")

    def _unreachable(self, _: Unreachable, now: Instant) -> None:
        self._redialled("unreachable")

    def _redialled(self, result: str) -> None:
        self._is_redialling = False
        self._metrics.redials.labels(result=result).inc()

    def _caller(self, speaks: CallerSpeaks, now: Instant) -> None:
        self._caller_speaks = speaks.began
        self._opened_at = None
        self._fell_silent_at = None if speaks.began else now

    def _heard(self, _: PlaybackStarted, now: Instant) -> None:
        if self._opened_at is not None:
            self._metrics.first_audio_seconds.labels(agent=self._agent).observe(now - self._opened_at)
        if self._fell_silent_at is not None:
            self._metrics.response_seconds.observe(now - self._fell_silent_at, (self._agent,))
        self._opened_at = self._fell_silent_at = None

    def _fell_silent(self, ended: PlaybackEnded, now: Instant) -> None:
        # A response that we cancel ourselves is interrupted too, but nobody speaks over it.
        if ended.interrupted and self._caller_speaks:
            self._metrics.barge_ins.labels(agent=self._agent).inc()

    # What the API does

    def _responded(self, ended: ResponseEnded, now: Instant) -> None:
        if not self._has_more_usage():
            return
        self._metrics.responses.counts[self._agent, ended.outcome.value] += 1
        if ended.outcome is Outcome.FAILED:
            self._metrics.count_error(ended.code or "unknown_error")
        self._count_tokens(tokens_of(ended.usage))

    def _transcribed(self, transcribed: Transcribed, now: Instant) -> None:
        if transcribed.usage is not None and self._has_more_usage():
            self._count_tokens(transcription_tokens_of(transcribed.usage))

    def _has_more_usage(self) -> bool:
        """Whether anything was added to the call's bill since the last time this was asked."""
        if self._machine is None or self._machine.session is None:
            return False
        before, self._reports = self._reports, self._machine.session.consumption.bill.reports
        return self._reports != before

    def _count_tokens(self, tokens: Mapping[str, int]) -> None:
        agent, counts = self._agent, self._metrics.tokens.counts
        for kind, count in tokens.items():
            if count > 0:
                counts[agent, kind] += count

    def _note_api_error(self, error: ApiError, now: Instant) -> None:
        if error.kind is ApiErrorKind.BUSY_SPEAKING:
            self._metrics.collisions.labels(agent=self._agent).inc()
        elif error.kind is not ApiErrorKind.NOTHING_TO_CANCEL:
            self._metrics.count_error(error.code)

    # What the machine does

    def _count_log_entry(self, entry: Log) -> None:
        metrics = self._metrics
        match entry.event:
            case LogEvent.TRANSFER_COMPLETED:
                metrics.transfers.labels(agent=self._agent, outcome="completed").inc()
            case LogEvent.TRANSFER_NOT_COMPLETED:
                metrics.transfers.labels(agent=self._agent, outcome="not_completed").inc()
            case LogEvent.AGENT_SWITCHED:
                metrics.handoffs.labels(agent=entry.fields["agent"], outcome="done").inc()
            case LogEvent.HANDOFF_REFUSED:
                metrics.handoffs.labels(agent=entry.fields["agent"], outcome="refused").inc()
            case LogEvent.GUARDRAIL_MATCHED:
                name = entry.fields["guardrail"]
                metrics.guardrails.labels(agent=self._agent, guardrail=name).inc()
            case _:
                pass

    # Tools

    def _count_tools(self) -> None:
        ended: Sequence[ToolUse] = self._machine.tools_ended if self._machine is not None else ()
        if len(ended) == self._tools_counted:
            return
        for use in ended[self._tools_counted :]:
            agent, tool = self._labels(use.name)
            self._metrics.tool_calls.labels(agent=agent, tool=tool, status=use.status).inc()
            self._metrics.tool_attempts.labels(agent=agent, tool=tool).inc(use.attempts)
            if use.took_s is not None:
                self._metrics.tool_seconds.labels(agent=agent, tool=tool).observe(use.took_s)
        self._tools_counted = len(ended)

    def _labels(self, name: str) -> tuple[str, str]:
        """The agent that declares the tool, which after a hand-off is the one before; and its name."""
        agent = self._agents.that_declares(name)
        return (agent.id, name) if agent is not None else (self._agent, UNKNOWN_TOOL)


def tokens_of(usage: Usage) -> dict[str, int]:
    """The tokens of a response by kind, each counted once: cached ones are not fresh input as well."""
    return {
        "text_in": usage.text_in - usage.text_cached,
        "text_cached": usage.text_cached,
        "audio_in": usage.audio_in - usage.audio_cached,
        "audio_cached": usage.audio_cached,
        "image_in": usage.image_in - usage.image_cached,
        "image_cached": usage.image_cached,
        "text_out": usage.text_out,
        "audio_out": usage.audio_out,
    }


def transcription_tokens_of(usage: TranscriptionUsage) -> dict[str, int]:
    """The tokens that transcribing the caller took; none where it is billed by the second."""
    return {
        "transcription_text_in": usage.text_in,
        "transcription_audio_in": usage.audio_in,
        "transcription_text_out": usage.text_out,
    }


_HANDLERS: Mapping[type[CallEvent], Callable[[CallMeter, Any, Instant], None]] = {
    AnswerReplied: CallMeter._answered,
    ApiError: CallMeter._note_api_error,
    CallGone: CallMeter._gone,
    CallerSpeaks: CallMeter._caller,
    PlaybackEnded: CallMeter._fell_silent,
    PlaybackStarted: CallMeter._heard,
    ResponseEnded: CallMeter._responded,
    SidebandLost: CallMeter._lost,
    SidebandOpened: CallMeter._opened,
    Transcribed: CallMeter._transcribed,
    Unreachable: CallMeter._unreachable,
}
