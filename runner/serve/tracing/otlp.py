"""Sends spans to an OpenTelemetry collector over OTLP. The one module that imports OpenTelemetry.

Sampling, endpoint, headers, timeouts and the resource are configured by OpenTelemetry's own environment
variables, which its library reads: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/.
"""

import asyncio
import logging
import threading
from contextlib import suppress

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from runner import __version__
from runner.model.values import Instant
from runner.serve.tracing import span as ours

log = logging.getLogger("runner.serve.tracing")

CLOSE_S = 3.0
"""For sending what waits at the end of the process."""
SCOPE = InstrumentationScope("phone-agents", __version__)

_KINDS = {
    ours.SpanKind.SERVER: SpanKind.SERVER,
    ours.SpanKind.CLIENT: SpanKind.CLIENT,
    ours.SpanKind.INTERNAL: SpanKind.INTERNAL,
}
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


class OtlpExporter:
    """A `runner.serve.tracing.tracing.SpanExporter` with a thread that sends; spans that cannot be sent are
    dropped.
    """

    def __init__(self) -> None:
        """OpenTelemetry's environment variables say where spans go."""
        library = logging.getLogger("opentelemetry")
        library.handlers, library.propagate = [_LibraryLog()], False
        default = {SERVICE_NAME: "phone-agents", SERVICE_VERSION: __version__}
        self._resource = Resource(default).merge(OTELResourceDetector().detect())
        # Only its sampler is used, which it takes from the environment.
        self._sampler = TracerProvider(resource=self._resource, shutdown_on_exit=False).sampler
        self._processor = BatchSpanProcessor(OTLPSpanExporter())

    def is_sampled(self, trace_id: str) -> bool:
        """Whether the sampler of OTEL_TRACES_SAMPLER records this trace."""
        sampled = self._sampler.should_sample(None, int(trace_id, 16), "call")
        return sampled.decision is Decision.RECORD_AND_SAMPLE

    def take(self, span: ours.TraceSpan) -> None:
        """Queue a span; the oldest are dropped when the queue is full."""
        parent = None if span.parent_id is None else _context(span.trace_id, span.parent_id)
        attributes = dict(span.attributes)
        status = Status(StatusCode.UNSET)
        if span.error is not None:
            attributes.setdefault("error.type", span.error)
            status = Status(StatusCode.ERROR, span.error)
        self._processor.on_end(
            ReadableSpan(
                name=span.name,
                context=_context(span.trace_id, span.span_id),
                parent=parent,
                resource=self._resource,
                attributes=attributes,
                events=[
                    Event(name=one.name, attributes=dict(one.attributes), timestamp=_ns(one.at))
                    for one in span.moments
                ],
                kind=_KINDS[span.kind],
                status=status,
                start_time=_ns(span.began_at),
                end_time=_ns(span.ended_at),
                instrumentation_scope=SCOPE,
            )
        )

    async def close(self) -> None:
        """Send what waits, for at most `CLOSE_S`; a collector that does not answer delays nothing."""
        loop, sent = asyncio.get_running_loop(), asyncio.Event()

        def shut_down() -> None:
            self._processor.shutdown()  # type: ignore[no-untyped-call]
            with suppress(RuntimeError):  # The loop is closed already: nobody waits any more.
                loop.call_soon_threadsafe(sent.set)

        threading.Thread(target=shut_down, daemon=True).start()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await sent.wait()


class _LibraryLog(logging.Handler):
    """Turns complaints of OpenTelemetry's library into events of our own log."""

    def emit(self, record: logging.LogRecord) -> None:
        log.warning("traces are not delivered", extra={"detail": record.getMessage()})


def _context(trace_id: str, span_id: str) -> SpanContext:
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=_SAMPLED)


def _ns(at: Instant) -> int:
    return int(at * 1_000_000_000)
