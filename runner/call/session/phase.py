"""Where a call stands."""

from enum import Enum


class Phase(Enum):
    """The stages of a call. What may happen in each is the table of `runner.call.session.session`."""

    WAITING = "waiting"
    """Accepted; the sideband is not open yet."""
    TALKING = "talking"
    ANNOUNCING = "announcing"
    """The sentence before a transfer is being said."""
    REFERRED = "referred"
    """The transfer was asked for; we watch whether the call leaves."""
    SAYING_GOODBYE = "parting"
    """The goodbye is being said, or the last tools finish."""
    HANGING_UP = "hanging_up"
    """The API was told to end the call."""
    DRAINING_REQUESTS = "clearing"
    """The call is gone; requests that are under way may still end, so that the record is true."""
    OVER = "over"


CONNECTED = (Phase.TALKING, Phase.ANNOUNCING, Phase.REFERRED, Phase.SAYING_GOODBYE)
LIVE = (Phase.WAITING, *CONNECTED)
NOT_GONE = (*LIVE, Phase.HANGING_UP)
TRANSFERRING = (Phase.ANNOUNCING, Phase.REFERRED)
