"""The process's metrics for Prometheus, in a registry of their own."""

from collections.abc import Callable
from itertools import product

from prometheus_client import (
    CollectorRegistry,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from runner import __version__
from runner.api.port import ORDER_NAMES
from runner.model.reception import RingResult
from runner.serve.call_metrics import CallMetrics, MetricMaker

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# One more series for each counter and histogram, which Prometheus reads as a gauge of its own.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """The metrics. Labels come from the configuration or from enums, never from a caller."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._connection_counts: list[Callable[[], float]] = []
        ProcessCollector(registry=self._registry)
        self.build = Info("phone_agents_build", "The running version.", registry=self._registry)
        self.build.info({"version": __version__})
        make = MetricMaker(self._registry)
        self.served = CallMetrics(make)
        self.webhooks = make.counter("webhooks", "Webhooks received, by result.", "result")
        self.connections = make.gauge("http_connections", "Open client connections.")
        self.connections_closed = make.counter(
            "http_connections_closed", "Client connections closed without being served, by reason.", "reason"
        )
        self.calls = make.counter("calls", "Ended calls, by agent and by reason.", "agent", "ended")
        self.live_calls = make.gauge("live_calls", "Live calls.")
        self.accept_seconds = make.histogram(
            "accept_seconds",
            "From a webhook's arrival to the API's reply to accept, while the caller hears ringing.",
            (0.1, 0.25, 0.5, 1, 2, 4, 8),
        )
        self.lookup_seconds = make.histogram(
            "lookup_seconds",
            "Duration of lookups, by whether the endpoint answered or the default was used.",
            (0.05, 0.1, 0.25, 0.5, 1, 1.5, 2, 4),
            "result",
        )
        self.busy = make.counter(
            "busy", "Calls that an agent could not take, by agent and by the limit reached.", "agent", "limit"
        )
        self.endpoint_requests = make.gauge(
            "endpoint_requests",
            "Requests in flight to your endpoints (tools, lookups, tokens, deliveries), by host.",
            "host",
        )
        self.endpoint_waits = make.counter(
            "endpoint_waits",
            "Requests that had to wait because their host had used up its share of connections, by host.",
            "host",
        )
        self.endpoint_seconds = make.histogram(
            "endpoint_seconds",
            "Duration of requests, waits included, by host and by status or failure.",
            (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            "host",
            "result",
        )
        self.loop_lag_seconds = make.size_tally(
            "event_loop_lag_seconds",
            "Lag of the event loop, measured ten times a second; every call is delayed by it.",
            (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
        )
        self.ready = make.gauge("ready", "1 while new calls are answered, 0 otherwise; /readyz says why.")
        self.api_requests = make.counter(
            "api_requests",
            "Requests to the voice API (accept, reject, refer, hang up), by status or failure.",
            "order",
            "result",
        )
        self.configuration = make.gauge(
            "configuration_info",
            "1 for the version of the configuration that new calls use, by its hash.",
            "hash",
        )
        self.reloads = make.counter(
            "configuration_reloads", "Reloads of the configuration, by result.", "result"
        )
        self.last_reload_successful = make.gauge(
            "configuration_last_reload_successful",
            "1 if the last reload of the configuration succeeded, 0 if it failed.",
        )
        self.last_reload_successful.set(1)
        self.last_reload_at = make.gauge(
            "configuration_last_reload_success_timestamp_seconds",
            "Time of the last successful reload, in seconds since the Unix epoch; 0 for never.",
        )
        # A series that starts at zero can be seen to rise: an alert on an increase would otherwise miss the
        # first of its kind.
        for result in ("refused", "wrong_path", "error", "other_event", *(each.value for each in RingResult)):
            self.webhooks.labels(result=result)
        for order, refused in product(ORDER_NAMES.values(), ("401", "403")):
            self.api_requests.labels(order=order, result=refused)
        self.takeovers = make.counter(
            "takeovers",
            "Calls taken over from a lost or stopped process, by whether their journal was usable.",
            "journal",
        )
        for journal in ("replayed", "none"):
            self.takeovers.labels(journal=journal)
        self.journal_blocks = make.counter(
            "journal_writes", "Journal blocks written to the store, each with the new entries of one call."
        )
        self.journal_bytes = make.counter(
            "journal_written_bytes", "Bytes of journal entries written to the store."
        )
        self.journal_behind = make.gauge(
            "journal_behind_bytes", "Bytes of journal entries not yet written to the store."
        )
        self.journal_lag_seconds = make.gauge(
            "journal_lag_seconds", "Age of the oldest journal entry not yet written to the store."
        )
        self.store_failures = make.counter(
            "store_failures", "Failures of the store to save a record or to return a job."
        )
        self.unsaved_records = make.gauge("unsaved_records", "Call records not yet saved to the store.")
        self.job_attempts = make.counter(
            "job_attempts",
            "Attempts at jobs after calls (outcomes, deliveries), by result.",
            "kind",
            "result",
        )
        self.jobs = make.gauge(
            "jobs", "Jobs after calls in the store: open, or parked after their last attempt failed.", "state"
        )
        self.jobs_held = make.gauge(
            "jobs_held", "Jobs after calls that this process is attempting, by receiver.", "receiver"
        )

    def note_journal_batch(self, blocks: int, size: int) -> None:
        """Count a batch with this many journal blocks and bytes."""
        self.journal_blocks.inc(blocks)
        self.journal_bytes.inc(size)

    def watch_connections(self, count: Callable[[], float]) -> None:
        """Add the connections of another listener: `count` is called whenever their number is needed."""
        self._connection_counts.append(count)
        self.connections.set_function(lambda: sum(count() for count in self._connection_counts))

    def text(self) -> bytes:
        """All metrics, in the format of `CONTENT_TYPE`."""
        return generate_latest(self._registry)
