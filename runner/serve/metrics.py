"""The process's metrics for Prometheus, in a registry of their own."""

from collections.abc import Callable
from itertools import product

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from runner import __version__
from runner.serve.call_metrics import CallMetrics
from runner.serve.result import WebhookResult

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
        self.served = CallMetrics(self._registry)
        self.webhooks = Counter(
            "phone_agents_webhooks",
            "Webhooks received, by result.",
            ["result"],
            registry=self._registry,
        )
        self.connections = Gauge(
            "phone_agents_http_connections",
            "Open client connections.",
            registry=self._registry,
        )
        self.connections_closed = Counter(
            "phone_agents_http_connections_closed",
            "Client connections closed without being served, by reason.",
            ["reason"],
            registry=self._registry,
        )
        self.calls = Counter(
            "phone_agents_calls",
            "Ended calls, by agent and by reason.",
            ["agent", "ended"],
            registry=self._registry,
        )
        self.live_calls = Gauge("phone_agents_live_calls", "Live calls.", registry=self._registry)
        self.accept_seconds = Histogram(
            "phone_agents_accept_seconds",
            "From a webhook's arrival to the API's reply to accept, while the caller hears ringing.",
            buckets=(0.1, 0.25, 0.5, 1, 2, 4, 8),
            registry=self._registry,
        )
        self.lookup_seconds = Histogram(
            "phone_agents_lookup_seconds",
            "Duration of lookups, by whether the endpoint answered or the default was used.",
            ["result"],
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 1.5, 2, 4),
            registry=self._registry,
        )
        self.busy = Counter(
            "phone_agents_busy",
            "Calls that an agent could not take, by agent and by the limit reached.",
            ["agent", "limit"],
            registry=self._registry,
        )
        self.endpoint_requests = Gauge(
            "phone_agents_endpoint_requests",
            "Requests in flight to your endpoints (tools, lookups, tokens, deliveries), by host.",
            ["host"],
            registry=self._registry,
        )
        self.endpoint_waits = Counter(
            "phone_agents_endpoint_waits",
            "Requests that had to wait because their host had used up its share of connections, by host.",
            ["host"],
            registry=self._registry,
        )
        self.endpoint_seconds = Histogram(
            "phone_agents_endpoint_seconds",
            "Duration of requests, waits included, by host and by status or failure.",
            ["host", "result"],
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=self._registry,
        )
        self.loop_lag_seconds = Histogram(
            "phone_agents_event_loop_lag_seconds",
            "Lag of the event loop, measured twenty times a second; every call is delayed by it.",
            buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
            registry=self._registry,
        )
        self.ready = Gauge(
            "phone_agents_ready",
            "1 while new calls are answered, 0 otherwise; /readyz says why.",
            registry=self._registry,
        )
        self.api_requests = Counter(
            "phone_agents_api_requests",
            "Requests to the voice API (accept, reject, refer, hang up), by status or failure.",
            ["order", "result"],
            registry=self._registry,
        )
        self.configuration = Gauge(
            "phone_agents_configuration_info",
            "1 for the version of the configuration that new calls use, by its hash.",
            ["hash"],
            registry=self._registry,
        )
        self.reloads = Counter(
            "phone_agents_configuration_reloads",
            "Reloads of the configuration, by result.",
            ["result"],
            registry=self._registry,
        )
        self.last_reload_successful = Gauge(
            "phone_agents_configuration_last_reload_successful",
            "1 if the last reload of the configuration succeeded, 0 if it failed.",
            registry=self._registry,
        )
        self.last_reload_successful.set(1)
        self.last_reload_at = Gauge(
            "phone_agents_configuration_last_reload_success_timestamp_seconds",
            "Time of the last successful reload, in seconds since the Unix epoch; 0 for never.",
            registry=self._registry,
        )
        # A series that starts at zero can be seen to rise: an alert on an increase would otherwise miss the
        # first of its kind.
        for result in ("refused", "wrong_path", "error", *(result.value for result in WebhookResult)):
            self.webhooks.labels(result=result)
        for order, refused in product(("AnswerCall", "RejectCall", "Refer", "HangUp"), ("401", "403")):
            self.api_requests.labels(order=order, result=refused)
        self.takeovers = Counter(
            "phone_agents_takeovers",
            "Calls taken over from a lost or stopped process, by whether their journal was usable.",
            ["journal"],
            registry=self._registry,
        )
        for journal in ("replayed", "none"):
            self.takeovers.labels(journal=journal)
        self.journal_blocks = Counter(
            "phone_agents_journal_writes",
            "Journal blocks written to the store, each with the new entries of one call.",
            registry=self._registry,
        )
        self.journal_bytes = Counter(
            "phone_agents_journal_written_bytes",
            "Bytes of journal entries written to the store.",
            registry=self._registry,
        )
        self.journal_behind = Gauge(
            "phone_agents_journal_behind_bytes",
            "Bytes of journal entries not yet written to the store.",
            registry=self._registry,
        )
        self.journal_lag_seconds = Gauge(
            "phone_agents_journal_lag_seconds",
            "Age of the oldest journal entry not yet written to the store.",
            registry=self._registry,
        )
        self.store_failures = Counter(
            "phone_agents_store_failures",
            "Failures of the store to save a record or to return a job.",
            registry=self._registry,
        )
        self.unsaved_records = Gauge(
            "phone_agents_unsaved_records",
            "Call records not yet saved to the store.",
            registry=self._registry,
        )
        self.job_attempts = Counter(
            "phone_agents_job_attempts",
            "Attempts at jobs after calls (outcomes, deliveries), by result.",
            ["kind", "result"],
            registry=self._registry,
        )
        self.jobs = Gauge(
            "phone_agents_jobs",
            "Jobs after calls in the store: open, or parked after their last attempt failed.",
            ["state"],
            registry=self._registry,
        )

        self.jobs_held = Gauge(
            "phone_agents_jobs_held",
            "Jobs after calls that this process is attempting, by receiver.",
            ["receiver"],
            registry=self._registry,
        )

    def watch_live_calls(self, count: Callable[[], float]) -> None:
        """Call `count` whenever the number of live calls is needed."""
        self.live_calls.set_function(count)

    def note_journal_batch(self, blocks: int, size: int) -> None:
        """Count a batch with this many journal blocks and bytes."""
        self.journal_blocks.inc(blocks)
        self.journal_bytes.inc(size)

    def watch_journal_behind(self, count: Callable[[], float], lag_s: Callable[[], float]) -> None:
        """Call `count` and `lag_s` whenever the backlog of journals is needed: its bytes and its age."""
        self.journal_behind.set_function(count)
        self.journal_lag_seconds.set_function(lag_s)

    def watch_unsaved_records(self, count: Callable[[], float]) -> None:
        """Call `count` whenever the number of unsaved records is needed."""
        self.unsaved_records.set_function(count)

    def watch_ready(self, is_ready: Callable[[], bool]) -> None:
        """Call `is_ready` whenever readiness is needed."""
        self.ready.set_function(is_ready)

    def watch_connections(self, count: Callable[[], float]) -> None:
        """Call `count`, and the other functions given, whenever the number of open connections is needed."""
        self._connection_counts.append(count)
        self.connections.set_function(lambda: sum(count() for count in self._connection_counts))

    def text(self) -> bytes:
        """All metrics, in the format of `CONTENT_TYPE`."""
        return generate_latest(self._registry)
