"""The sideband of one call: its address, and its frames in both directions."""

from urllib.parse import quote

from runner.api.port import SidebandAction
from runner.api.realtime.reading import Reader
from runner.api.realtime.writing import events, frame
from runner.model.action import SwitchAgent
from runner.model.conversation_event import ConversationEvent


class RealtimeConversation:
    """A `Conversation` of the port."""

    __slots__ = ("_reader", "sideband")

    def __init__(self, call_id: str) -> None:
        # No `model` beside `call_id`: the API refuses it.
        self.sideband = f"/realtime?call_id={quote(call_id, safe='')}"
        self._reader = Reader()

    def read(self, frame: str | bytes, *, follow_words: bool = False) -> tuple[ConversationEvent, ...]:
        """What one frame means."""
        return self._reader.read(frame, follow_words=follow_words)

    @property
    def fence(self) -> int:
        """The highest fence under which any runner was seen to act for the call."""
        return self._reader.fence

    def frames(self, action: SidebandAction, *, fence: int = 0) -> tuple[str, ...]:
        """The frames that carry out an action, for a runner that holds the call under this fence."""
        written = events(action, fence=fence)
        if isinstance(action, SwitchAgent):
            for event in written:
                self._reader.expect_update(event["event_id"], event["session"].get("instructions"))
        return tuple(map(frame, written))
