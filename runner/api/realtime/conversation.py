"""The sideband of one call: where it is, what comes from it and what goes over it."""

from urllib.parse import quote

from runner.api.port import SidebandAction
from runner.api.realtime.reading import read
from runner.api.realtime.writing import frames
from runner.model.event import CallEvent


class RealtimeConversation:
    """A `Conversation` of the port."""

    def __init__(self, call_id: str) -> None:
        # No `model` beside `call_id`: the API refuses it.
        self.sideband = f"/realtime?call_id={quote(call_id, safe='')}"

    def read(self, frame: str | bytes, *, follow_words: bool = False) -> tuple[CallEvent, ...]:
        """What one frame means."""
        return read(frame, follow_words=follow_words)

    def frames(self, action: SidebandAction) -> tuple[str, ...]:
        """The frames that carry out an action."""
        return frames(action)
