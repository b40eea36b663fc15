"""Knows which tool call a transfer belongs to (the last one made), and how it ends."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from runner.model.conversation_event import ToolCalled
from runner.model.scenario import IF_BROKEN, Replies, TransferEnd
from runner.model.tool import TransferBinding
from runner.scenario.replies import transfer_end


@dataclass(slots=True)
class _Chosen:
    tool: str
    call_id: str
    destinations: tuple[str, str | None]
    """The chosen destination, and its fallback."""


class PlayedTransfers:
    """The transfers of one call."""

    def __init__(self) -> None:
        self._chosen: _Chosen | None = None
        self._requests = 0
        self._of_person: TransferEnd | None = None

    def of_person(self, end: TransferEnd) -> None:
        """A person acts; a transfer that follows ends this way."""
        self._of_person = end

    def called(self, called: ToolCalled, binding: TransferBinding) -> None:
        """A tool that transfers is called, with arguments as the model wrote them."""
        try:
            destination = str(json.loads(called.arguments)["destination"])
        except (ValueError, TypeError, KeyError):
            destination = ""
        self._of_person = None
        self._chosen = _Chosen(called.name, called.call_id, (destination, binding.fallback))
        self._requests = 0

    def answered(self, call_id: str) -> None:
        """A tool call has its output: no transfer of it will follow."""
        if self._chosen is not None and self._chosen.call_id == call_id:
            self._chosen, self._requests = None, 0

    def next_end(self, replies: Mapping[str, Replies]) -> TransferEnd:
        """How the transfer ends that is requested now.

        Raises UnplayableError when the list of replies has ended.
        """
        if self._of_person is not None and self._chosen is None:
            end, self._of_person = self._of_person, None
            return end
        self._requests += 1
        return transfer_end(self._chosen.tool if self._chosen else IF_BROKEN, self._requests, replies)

    @property
    def current(self) -> tuple[str, str] | None:
        """Tool and destination of the last transfer requested; None for a broken call's."""
        if self._chosen is None or not self._requests:
            return None
        destination = self._chosen.destinations[min(self._requests, 2) - 1]
        return self._chosen.tool, destination or ""
