"""Decides who has the floor: the table that keeps a call to one speaker at a time.

The API makes one response at a time and answers a second request with an error. With voice detection on, it
also makes responses by itself whenever the caller has finished. So two may start speaking for the agent, and
the caller may speak over both. For each state and each cue the table says who has the floor next; a pair that
is not in it changes nothing. The agent may be asked to speak only in IDLE.
"""

from collections.abc import Mapping
from enum import Enum


class Floor(Enum):
    """Who has the floor."""

    __hash__ = object.__hash__
    """By identity, which is faster than Python's hash of a member: tables are searched at each event."""

    CLOSED = "closed"
    """No sideband: nothing can be said and nothing is heard."""
    IDLE = "idle"
    CALLER = "caller"
    """The caller speaks."""
    PAUSE = "pause"
    """The caller has just stopped: the API may be about to answer by itself."""
    SENDING = "sending"
    """We have requested a response, and its start is not confirmed yet."""
    CONTESTED = "contested"
    """We have requested a response, and the caller began to speak before its start was confirmed."""
    ACTIVE = "active"
    """A response is active, ours or the API's own."""
    OVERLAP = "overlap"
    """A response is active and the caller speaks: a barge-in, which usually cancels it."""


class Cue(Enum):
    """What can move the floor."""

    __hash__ = object.__hash__
    """By identity, which is faster than Python's hash of a member: tables are searched at each event."""

    ATTACHED = "attached"
    LOST = "lost"
    ASKED = "asked"
    """We request a response."""
    REFUSED_BUSY = "refused_busy"
    """The API says that a response is active already."""
    REFUSED = "refused"
    """The API refused our request for another reason."""
    BEGAN = "began"
    ENDED = "ended"
    CALLER_BEGAN = "caller_began"
    CALLER_STOPPED = "caller_stopped"
    OVERDUE = "overdue"
    """The expected event has not come within `PATIENCE_S`."""


PATIENCE_S: Mapping[Floor, float] = {
    Floor.PAUSE: 0.6,
    Floor.CALLER: 20.0,
    Floor.SENDING: 10.0,
    Floor.CONTESTED: 10.0,
    Floor.ACTIVE: 60.0,
    Floor.OVERLAP: 60.0,
}
"""How long a state may last before `OVERDUE`: a lost event must not silence the agent for good."""

TABLE: Mapping[tuple[Floor, Cue], Floor] = {
    (Floor.CLOSED, Cue.ATTACHED): Floor.IDLE,
    (Floor.IDLE, Cue.ASKED): Floor.SENDING,
    (Floor.IDLE, Cue.BEGAN): Floor.ACTIVE,
    (Floor.IDLE, Cue.CALLER_BEGAN): Floor.CALLER,
    (Floor.CALLER, Cue.CALLER_STOPPED): Floor.PAUSE,
    # The API answers by itself only when the caller has finished, whether or not it has said so.
    (Floor.CALLER, Cue.BEGAN): Floor.ACTIVE,
    (Floor.CALLER, Cue.OVERDUE): Floor.IDLE,
    (Floor.PAUSE, Cue.BEGAN): Floor.ACTIVE,
    (Floor.PAUSE, Cue.CALLER_BEGAN): Floor.CALLER,
    (Floor.PAUSE, Cue.OVERDUE): Floor.IDLE,
    (Floor.SENDING, Cue.BEGAN): Floor.ACTIVE,
    (Floor.SENDING, Cue.REFUSED_BUSY): Floor.ACTIVE,
    (Floor.SENDING, Cue.REFUSED): Floor.IDLE,
    (Floor.SENDING, Cue.OVERDUE): Floor.IDLE,
    (Floor.SENDING, Cue.CALLER_BEGAN): Floor.CONTESTED,
    (Floor.CONTESTED, Cue.BEGAN): Floor.OVERLAP,
    (Floor.CONTESTED, Cue.REFUSED_BUSY): Floor.OVERLAP,
    (Floor.CONTESTED, Cue.REFUSED): Floor.CALLER,
    (Floor.CONTESTED, Cue.CALLER_STOPPED): Floor.SENDING,
    (Floor.CONTESTED, Cue.OVERDUE): Floor.IDLE,
    (Floor.ACTIVE, Cue.ENDED): Floor.IDLE,
    (Floor.ACTIVE, Cue.OVERDUE): Floor.IDLE,
    (Floor.ACTIVE, Cue.CALLER_BEGAN): Floor.OVERLAP,
    (Floor.OVERLAP, Cue.ENDED): Floor.CALLER,
    (Floor.OVERLAP, Cue.CALLER_STOPPED): Floor.ACTIVE,
    (Floor.OVERLAP, Cue.OVERDUE): Floor.IDLE,
    **{(floor, Cue.LOST): Floor.CLOSED for floor in Floor},
}


def next_floor(floor: Floor, cue: Cue) -> Floor:
    """Who has the floor after `cue`."""
    return TABLE.get((floor, cue), floor)
