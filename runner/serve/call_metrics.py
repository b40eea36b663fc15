"""The metrics of calls: how long callers wait, what tools and the API do, and what it costs."""

from prometheus_client import CollectorRegistry, Counter, Histogram

WAITS_S = (0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10)
"""Silence as callers know it: under half a second is a conversation; after two they ask whether anybody is
there.
"""
TOOLS_S = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
MOST_CODES = 100
"""Codes of the API that metrics name; further ones count as "other"."""
CALLS_S = (10, 30, 60, 120, 300, 600, 1200, 1800, 3600)


class CallMetrics:
    """The metrics. Labels are names from the configuration, or codes of the API, which are bounded."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, told: str, *labels: str) -> Counter:
            return Counter(f"phone_agents_{name}", told, labels, registry=registry)

        def histogram(name: str, told: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"phone_agents_{name}", told, labels, buckets=buckets, registry=registry)

        self.attach_seconds = histogram(
            "attach_seconds", "From the API's reply to accept until the sideband is open.", WAITS_S
        )
        self.first_audio_seconds = histogram(
            "first_audio_seconds",
            "From the open sideband to the agent's first audio, in calls where the agent speaks first.",
            WAITS_S,
            "agent",
        )
        self.response_seconds = histogram(
            "response_seconds",
            "From the end of the caller's speech to the agent's first audio, for each turn.",
            WAITS_S,
            "agent",
        )
        self.call_seconds = histogram(
            "call_seconds", "Duration of calls, from accept to the end.", CALLS_S, "agent"
        )
        self.tool_calls = counter("tool_calls", "Ended tool calls, by status.", "agent", "tool", "status")
        self.tool_seconds = histogram(
            "tool_seconds",
            "Duration of tool calls, including retries and the waits between them.",
            TOOLS_S,
            "agent",
            "tool",
        )
        self.tool_attempts = counter(
            "tool_attempts", "Requests sent for tool calls, retries included.", "agent", "tool"
        )
        self.responses = counter("responses", "Responses of the model, by outcome.", "agent", "outcome")
        self.api_errors = counter(
            "api_errors", "Error events and failed responses of the voice API, by error code.", "code"
        )
        # At zero from the start, so that an alert sees the first one.
        self.api_errors.labels(code="insufficient_quota")
        self.barge_ins = counter("barge_ins", "Interruptions of the agent by the caller.", "agent")
        self.collisions = counter(
            "collisions", "Responses requested while the API had already started one of its own.", "agent"
        )
        self.redials = counter("sideband_redials", "Reconnections of a lost sideband, by result.", "result")
        self.transfers = counter("transfers", "Transfers, by outcome.", "agent", "outcome")
        self.handoffs = counter(
            "handoffs",
            "Hand-offs to an agent, by whether the API accepted its session.",
            "agent",
            "outcome",
        )
        self.guardrails = counter(
            "guardrail_matches", "Times that a guardrail stepped in.", "agent", "guardrail"
        )
        self.tokens = counter(
            "tokens",
            "Tokens as the API bills them. Cached tokens are not counted again as input.",
            "agent",
            "kind",
        )
        self.cost_usd = counter(
            "cost_usd",
            "Cost of ended calls in US dollars, by the price table; calls of unknown price are left out.",
            "agent",
        )
        self._codes: set[str] = set()

    def count_error(self, code: str) -> None:
        """Count an error of the API. Its codes come from outside, so the number of labels is bounded."""
        if len(self._codes) < MOST_CODES:
            self._codes.add(code)
        self.api_errors.labels(code=code if code in self._codes else "other").inc()
