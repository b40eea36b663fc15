"""The sideband of one call: its address, and its frames in both directions."""

from urllib.parse import quote

from runner.api.port import SidebandAction
from runner.api.realtime.reading import Reader
from runner.api.realtime.writing import events, frame
from runner.model.action import SwitchAgent


class RealtimeConversation(Reader):
    """A `Conversation` of the port."""

    __slots__ = ("_call_id",)

    def __init__(self, call_id: str) -> None:
        super().__init__()
        self._call_id = call_id

    @property
    def sideband(self) -> str:
        """Where the sideband is attached, relative to the base URL."""
        # No `model` beside `call_id`: the API refuses it.
        return f"/realtime?call_id={quote(self._call_id, safe='')}"

    def frames(self, action: SidebandAction, *, fence: int = 0) -> tuple[str, ...]:
        """The frames that carry out an action, for a runner that holds the call under this fence."""
        written = events(action, fence=fence)
        if isinstance(action, SwitchAgent):
            for event in written:
                self.expect_update(event["event_id"], event["session"].get("instructions"))
        return tuple(map(frame, written))
