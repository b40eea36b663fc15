"""Opens the traces, if OpenTelemetry's own environment variables ask for them."""

import logging
from collections.abc import Mapping

from runner.serve.tracing.tracing import Tracing

log = logging.getLogger("runner.serve.tracing")

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
PROTOCOL = "http/protobuf"
EXTRA = "OpenTelemetry is not installed; pip install 'phone-agents[otel]'"


def open_tracing(environ: Mapping[str, str], *, provider: str) -> Tracing | None:
    """Tracing where the environment asks for it and it can be sent; else None, with the reason in the log.

    A runner answers calls whether or not its traces arrive. Needs the log to be set up.
    """
    if not _is_wanted(environ):
        return None
    protocol = next((environ[name] for name in PROTOCOLS if environ.get(name)), PROTOCOL)
    if protocol != PROTOCOL:
        _not_collected(f'"{protocol}" is not supported; set the protocol to "{PROTOCOL}"')
        return None
    try:
        from runner.serve.tracing.otlp import OtlpExporter  # noqa: PLC0415 - costs nothing where it is off
    except ImportError:
        _not_collected(EXTRA)
        return None
    return Tracing(OtlpExporter(), provider=provider)


def _is_wanted(environ: Mapping[str, str]) -> bool:
    is_off = environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    exporter = environ.get("OTEL_TRACES_EXPORTER") or "otlp"
    return not is_off and exporter == "otlp" and any(environ.get(name) for name in ENDPOINTS)


def _not_collected(reason: str) -> None:
    log.warning("traces are not collected", extra={"reason": reason})
