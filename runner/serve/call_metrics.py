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
            "attach_seconds", "From the API's answer to accept to the open sideband.", WAITS_S
        )
        self.first_audio_seconds = histogram(
            "first_audio_seconds",
            "From the open sideband to the agent's first sound, in calls that the agent begins.",
            WAITS_S,
            "agent",
        )
        self.response_seconds = histogram(
            "response_seconds",
            "From the caller's last word to the agent's first sound, for each turn.",
            WAITS_S,
            "agent",
        )
        self.call_seconds = histogram(
            "call_seconds", "How long calls lasted, from accept to the end.", CALLS_S, "agent"
        )
        self.tool_calls = counter(
            "tool_calls", "Tool calls that have ended, by result.", "agent", "tool", "status"
        )
        self.tool_seconds = histogram(
            "tool_seconds",
            "How long tool calls took, further attempts and the waits between them included.",
            TOOLS_S,
            "agent",
            "tool",
        )
        self.tool_attempts = counter(
            "tool_attempts", "Requests that were sent for tool calls.", "agent", "tool"
        )
        self.responses = counter(
            "responses", "Responses of the model, by how they ended.", "agent", "outcome"
        )
        self.api_errors = counter(
            "api_errors", "Error events of the voice API and responses that it failed, by its code.", "code"
        )
        # At zero from the start, so that an alert sees the first one.
        self.api_errors.labels(code="insufficient_quota")
        self.barge_ins = counter("barge_ins", "Times that a caller has interrupted the agent.", "agent")
        self.collisions = counter(
            "collisions", "Responses that we asked for while the API had begun one of its own.", "agent"
        )
        self.redials = counter(
            "sideband_redials", "Sidebands that were lost and dialled again, by result.", "result"
        )
        self.transfers = counter("transfers", "Transfers, by result.", "agent", "outcome")
        self.handoffs = counter(
            "handoffs",
            "Hand-offs to an agent, by whether the API has accepted its session.",
            "agent",
            "outcome",
        )
        self.guardrails = counter(
            "guardrail_matches", "Times that a guardrail has stepped in.", "agent", "guardrail"
        )
        self.tokens = counter(
            "tokens",
            "Tokens as the API bills them. Cached ones are not among the other input tokens.",
            "agent",
            "kind",
        )
        self.cost_usd = counter(
            "cost_usd",
            "What ended calls cost in US dollars, by the price table; calls of unknown price are left out.",
            "agent",
        )
        self._codes: set[str] = set()

    def count_error(self, code: str) -> None:
        """Count an error of the API. Its codes come from outside, so the number of labels is bounded."""
        if len(self._codes) < MOST_CODES:
            self._codes.add(code)
        self.api_errors.labels(code=code if code in self._codes else "other").inc()
