"""Estimates what the caller still hears: responses are generated faster than they are spoken, and play in
turn.

Only the API knows what was heard. The times here are upper bounds, for an API that never says.
"""

from runner.call.recent_ids import RecentIds
from runner.model.conversation_event import Outcome, PlaybackEnded, PlaybackStarted, ResponseEnded
from runner.model.event import CallEvent, SidebandLost, TakenOver
from runner.model.values import Instant

UNKNOWN_LENGTH_S = 30.0
"""How long a response of unknown length may play."""
LONGEST_S = 120.0
"""How long a response may play whose end is never reported either."""
MARGIN_S = 5.0
"""For a slow voice and the network."""


class Playback:
    """The responses that were generated and have not finished playing."""

    __slots__ = ("_heard", "_until", "has_begun")

    def __init__(self) -> None:
        self._until: dict[str, Instant] = {}
        """When each finishes playing, at the latest."""
        self._heard = RecentIds()
        self.has_begun = False
        """Whether the caller has heard the agent's voice."""

    def handle(self, event: CallEvent, now: Instant) -> None:
        """Follow what is generated and played."""
        if isinstance(event, PlaybackStarted):
            self.has_begun = True
        match event:
            case PlaybackStarted(response_id=response_id) if response_id not in self._heard:
                self._until.setdefault(response_id, now + LONGEST_S)
            case PlaybackEnded(response_id=response_id):
                self._end(response_id)
            case ResponseEnded(response_id=response_id) if response_id not in self._heard:
                self._made(event, now)
            case SidebandLost() | TakenOver():
                self._until.clear()
            case _:
                pass

    def until(self, now: Instant) -> Instant:
        """When everything that was generated has finished playing, at the latest."""
        return max([now, *self._until.values()])

    def heard_by(self, response_id: str, now: Instant) -> Instant:
        """When this response has finished playing, at the latest."""
        return self._until.get(response_id, now)

    def is_heard(self, response_id: str) -> bool:
        """Whether this response has finished playing."""
        return response_id in self._heard

    def is_playing(self, now: Instant) -> bool:
        """Whether the caller hears the agent just now."""
        return any(now < until for until in self._until.values())

    def _made(self, ended: ResponseEnded, now: Instant) -> None:
        started = self._until.pop(ended.response_id, None)
        if ended.audible and ended.outcome in (Outcome.COMPLETED, Outcome.INCOMPLETE):
            until = self.until(now) + (ended.audio_s or UNKNOWN_LENGTH_S) + MARGIN_S
            if started is not None and not ended.audio_s:
                # Its length is unknown, but an API that reports when playing begins reports the end as well.
                until = max(until, started)
            self._until[ended.response_id] = until
        elif started is not None:
            # Cut off while it played: the buffer is cleared any moment now.
            self._until[ended.response_id] = now + MARGIN_S
        else:
            self._heard.add(ended.response_id)

    def _end(self, response_id: str) -> None:
        self._heard.add(response_id)
        self._until.pop(response_id, None)
        self._until = self._until or {}  # An emptied one keeps its table.
