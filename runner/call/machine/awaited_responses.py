"""Knows which responses have called tools whose outputs the model waits for; it continues once for each."""

from collections.abc import Collection

from runner.call.recent_ids import RecentIds


class AwaitedResponses:
    """The responses of one call that have called tools, until the model continues after them."""

    __slots__ = ("_ended", "_has_ended")

    def __init__(self) -> None:
        self._has_ended: dict[str, bool] = {}
        """By response: whether it makes no further tool calls."""
        self._ended = RecentIds()

    def add(self, response_id: str) -> None:
        """This response calls a tool."""
        self._has_ended.setdefault(response_id, response_id in self._ended)

    def ended(self, response_id: str) -> None:
        """This response makes no further tool calls."""
        self._ended.add(response_id)
        if response_id in self._has_ended:
            self._has_ended[response_id] = True

    def all_ended(self) -> None:
        """The sideband has reopened: what else earlier responses held will never be reported."""
        self._has_ended = dict.fromkeys(self._has_ended, True)

    def take_settled(self, busy: Collection[str]) -> bool:
        """Whether any response but the `busy` ones has ended since the last time this was asked."""
        settled = [one for one, has_ended in self._has_ended.items() if has_ended and one not in busy]
        for response_id in settled:
            del self._has_ended[response_id]
        return bool(settled)
