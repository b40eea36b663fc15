"""The calls that this process holds, each under its fence. No I/O."""

from collections.abc import Iterator
from dataclasses import replace

from runner.model.live_call import HeldCall

MOST_LOST = 10_000
"""Calls that are known to have been lost."""


class HeldCalls:
    """What is held here, and which of it the store has confirmed."""

    def __init__(self) -> None:
        self._calls: dict[str, HeldCall] = {}
        self._unconfirmed: set[str] = set()
        """Calls whose claim the store has not confirmed: another runner may have claimed them too."""
        self._lost: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def __contains__(self, call_id: str) -> bool:
        return call_id in self._calls

    def __iter__(self) -> Iterator[HeldCall]:
        return iter(self._calls.values())

    def held(self, call_id: str) -> HeldCall | None:
        """How this call is held; None where it is not."""
        return self._calls.get(call_id)

    def fence(self, call_id: str) -> int:
        """The fence under which this call is held; 0 where it is not."""
        call = self._calls.get(call_id)
        return 0 if call is None else call.fence

    def is_confirmed(self, call_id: str) -> bool:
        """Whether the store knows that this process has the call."""
        return call_id not in self._unconfirmed

    def hold(self, call: HeldCall, *, is_confirmed: bool = True) -> None:
        """Hold this call from now on, as it says."""
        self._calls[call.id] = call
        if not is_confirmed:
            self._unconfirmed.add(call.id)

    def confirm(self, call_id: str, fence: int) -> None:
        """The store says that the call is ours under this fence."""
        self._unconfirmed.discard(call_id)
        if (call := self._calls.get(call_id)) is not None and call.fence != fence:
            self._calls[call_id] = replace(call, fence=fence)

    def lose(self, call_id: str) -> None:
        """Another runner has the call."""
        self.let_go(call_id)
        self._lost[call_id] = None
        if len(self._lost) > MOST_LOST:
            del self._lost[next(iter(self._lost))]

    def was_lost(self, call_id: str) -> bool:
        """Whether another runner has, or has had, this call of ours."""
        return call_id in self._lost

    def let_go(self, call_id: str) -> HeldCall | None:
        """Hold the call no more; returns how it was held."""
        self._unconfirmed.discard(call_id)
        return self._calls.pop(call_id, None)
