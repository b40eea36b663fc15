"""The calls that this process has taken over and cannot serve, and when each is handed on. No I/O.

The first time that is at once: another runner may be able to. A call that comes back and fails again waits
longer each time, since every attempt reads its journal.
"""

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 30.0
MOST = 10_000
"""Calls whose attempts are remembered."""


class UnservedCalls:
    """Calls to hand on."""

    def __init__(self) -> None:
        self._waits_s: dict[str, float] = {}
        """How long each call that has failed waits if it fails again."""
        self._due: dict[str, float] = {}
        """When each call that waits is handed on."""

    def __contains__(self, call_id: str) -> bool:
        """Whether the call waits to be handed on."""
        return call_id in self._due

    def add(self, call_id: str, now: float) -> None:
        """The call cannot be served now, which is not its own fault: hand it on at once."""
        self._due[call_id] = now

    def add_failed(self, call_id: str, now: float) -> None:
        """To serve the call has failed, and would most likely fail again."""
        wait_s = self._waits_s.pop(call_id, 0.0)
        self._waits_s[call_id] = min(2 * wait_s or FIRST_WAIT_S, LONGEST_WAIT_S)
        if len(self._waits_s) > MOST:
            del self._waits_s[next(iter(self._waits_s))]
        self._due[call_id] = now + wait_s

    def due(self, now: float) -> list[str]:
        """The calls to hand on now. They stay here until `handed_on`, as the store may fail."""
        return [call_id for call_id, due in self._due.items() if due <= now]

    def handed_on(self, call_ids: list[str]) -> None:
        """Others have these calls, or this process takes them again."""
        for call_id in call_ids:
            self._due.pop(call_id, None)

    def forget(self, call_id: str) -> None:
        """The call is served."""
        self._due.pop(call_id, None)
        self._waits_s.pop(call_id, None)
