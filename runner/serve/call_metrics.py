"""The metrics of calls: how long callers wait, what tools and the API do, and what it costs."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from runner.serve.tallies import SizeTally, Tally

WAITS_S = (0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10)
"""Silence as callers know it: under half a second is a conversation; after two they ask whether anybody is
there.
"""
TOOLS_S = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
MOST_CODES = 100
"""Codes of the API that metrics name; further ones count as "other"."""
CALLS_S = (10, 30, 60, 120, 300, 600, 1200, 1800, 3600)


class MetricMaker:
    """Makes the metrics of one registry. Their names begin with `phone_agents_`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        """A number that only grows."""
        return Counter(f"phone_agents_{name}", text, labels, registry=self._registry)

    def gauge(self, name: str, text: str, *labels: str) -> Gauge:
        """A number as it is now."""
        return Gauge(f"phone_agents_{name}", text, labels, registry=self._registry)

    def histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        """How often each size was seen."""
        return Histogram(f"phone_agents_{name}", text, labels, buckets=buckets, registry=self._registry)

    def tally(self, name: str, text: str, *labels: str) -> Tally:
        """A counter of what happens in every turn of every call."""
        tally = Tally(f"phone_agents_{name}", text, labels)
        self._registry.register(tally)
        return tally

    def size_tally(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> SizeTally:
        """A histogram of the same."""
        tally = SizeTally(f"phone_agents_{name}", text, buckets, labels)
        self._registry.register(tally)
        return tally


class CallMetrics:
    """The metrics. Labels are names from the configuration, or codes of the API, which are bounded."""

    def __init__(self, make: MetricMaker) -> None:
        self.attach_seconds = make.histogram(
            "attach_seconds", "From the API's reply to accept until the sideband is open.", WAITS_S
        )
        self.first_audio_seconds = make.histogram(
            "first_audio_seconds",
            "From the open sideband to the agent's first audio, in calls where the agent speaks first.",
            WAITS_S,
            "agent",
        )
        self.response_seconds = make.size_tally(
            "response_seconds",
            "From the end of the caller's speech to the agent's first audio, for each turn.",
            WAITS_S,
            "agent",
        )
        self.call_seconds = make.histogram(
            "call_seconds", "Duration of calls, from accept to the end.", CALLS_S, "agent"
        )
        self.tool_calls = make.counter(
            "tool_calls", "Ended tool calls, by status.", "agent", "tool", "status"
        )
        self.tool_seconds = make.histogram(
            "tool_seconds",
            "Duration of tool calls, including retries and the waits between them.",
            TOOLS_S,
            "agent",
            "tool",
        )
        self.tool_attempts = make.counter(
            "tool_attempts", "Requests sent for tool calls, retries included.", "agent", "tool"
        )
        self.responses = make.tally("responses", "Responses of the model, by outcome.", "agent", "outcome")
        self.api_errors = make.counter(
            "api_errors", "Error events and failed responses of the voice API, by error code.", "code"
        )
        self.barge_ins = make.counter("barge_ins", "Interruptions of the agent by the caller.", "agent")
        self.collisions = make.counter(
            "collisions", "Responses requested while the API had already started one of its own.", "agent"
        )
        self.redials = make.counter(
            "sideband_redials", "Reconnections of a lost sideband, by result.", "result"
        )
        self.transfers = make.counter("transfers", "Transfers, by outcome.", "agent", "outcome")
        self.handoffs = make.counter(
            "handoffs",
            "Hand-offs to an agent, by whether the API accepted its session.",
            "agent",
            "outcome",
        )
        self.guardrails = make.counter(
            "guardrail_matches", "Times that a guardrail stepped in.", "agent", "guardrail"
        )
        self.tokens = make.tally(
            "tokens",
            "Tokens as the API bills them. Cached tokens are not counted again as input.",
            "agent",
            "kind",
        )
        self.cost_usd = make.counter(
            "cost_usd",
            "Cost of ended calls in US dollars, by the price table; calls of unknown price are left out.",
            "agent",
        )
        self._codes: set[str] = set()

    def expect_error(self, code: str) -> None:
        """Count an error from zero on, so that an alert sees the first one."""
        self.api_errors.labels(code=code)

    def count_error(self, code: str) -> None:
        """Count an error of the API. Its codes come from outside, so the number of labels is bounded."""
        if len(self._codes) < MOST_CODES:
            self._codes.add(code)
        self.api_errors.labels(code=code if code in self._codes else "other").inc()
