"""Keeps the outputs that the model was given, each until the API confirms it."""

from runner.call.recent_ids import NO_IDS
from runner.model.action import Action, SendOutput


class ToolOutputs:
    """The outputs of one call's tools."""

    __slots__ = ("_sent", "_unconfirmed")

    def __init__(self) -> None:
        self._unconfirmed: dict[str, str] = {}
        self._sent: frozenset[str] = NO_IDS

    @property
    def are_confirmed(self) -> bool:
        """Whether the API has confirmed every output."""
        return not self._unconfirmed

    def send(self, call_id: str, text: str) -> list[Action]:
        """Give the model this output of a tool call."""
        self._unconfirmed[call_id] = text
        self._sent |= {call_id}
        return [SendOutput(call_id=call_id, output=text)]

    def was_sent(self, call_id: str) -> bool:
        """Whether we have given the model an output of this tool call."""
        return call_id in self._sent

    def confirmed(self, call_id: str) -> None:
        """The API has confirmed the output of this tool call."""
        self._unconfirmed.pop(call_id, None)

    def send_again(self) -> list[Action]:
        """Every output that the API has not confirmed, for a sideband that has reopened."""
        return [SendOutput(call_id=call_id, output=text) for call_id, text in self._unconfirmed.items()]
