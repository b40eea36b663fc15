"""What the serving side needs of traces, whichever collector takes them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from runner.call.trace_context import NOT_SAMPLED, SAMPLED, trace_id
from runner.model.http import HttpReply, HttpRequest
from runner.serve.call_watch import CallWatch
from runner.serve.tool_client import Sender
from runner.serve.tracing.call_trace import CallTrace
from runner.serve.tracing.span import TraceSpan


class SpanExporter(Protocol):
    """Takes spans to the collector. `runner.serve.tracing.otlp` has the real one."""

    def is_sampled(self, trace_id: str) -> bool:
        """Whether this trace is recorded: always the same answer for the same trace."""

    def take(self, span: TraceSpan) -> None:
        """Send a span soon. Never blocks, never raises."""

    async def close(self) -> None:
        """Send what waits, within a bounded time."""


class Tracing:
    """Traces the calls that are sampled."""

    def __init__(self, exporter: SpanExporter, *, provider: str) -> None:
        """`provider` is the model's provider, as OpenTelemetry's conventions spell it."""
        self._exporter = exporter
        self._provider = provider

    def watches(self, call_id: str) -> Sequence[CallWatch]:
        """The watches for this call: none when it is not sampled."""
        if not self._exporter.is_sampled(trace_id(call_id)):
            return ()
        return (CallTrace(self._exporter.take, provider=self._provider),)

    def sender(self, sender: Sender) -> Sender:
        """A sender that tells endpoints which requests belong to a trace that is not recorded."""
        return _TracedSender(sender, self._exporter)

    async def close(self) -> None:
        """Send what waits, within a bounded time."""
        await self._exporter.close()


class _TracedSender:
    def __init__(self, sender: Sender, exporter: SpanExporter) -> None:
        self._sender = sender
        self._exporter = exporter

    async def send(self, request: HttpRequest) -> HttpReply:
        """See `Sender`. An endpoint that follows our decision would otherwise record a trace without a
        root."""
        headers = tuple((name, self._header(name, value)) for name, value in request.headers)
        return await self._sender.send(replace(request, headers=headers))

    def _header(self, name: str, value: str) -> str:
        if name.lower() != "traceparent":
            return value
        span, _, _ = value.rpartition("-")
        flags = SAMPLED if self._exporter.is_sampled(span.split("-")[1]) else NOT_SAMPLED
        return f"{span}-{flags}"
