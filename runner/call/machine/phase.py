"""Where a call stands, and where it may go from there: the table of a call's phases.

    RINGING ─► CLAIMING ─► LOOKING_UP ─► ANSWERING ─► WAITING ─► TALKING ◄──────────────┐
       │          │  └───────────┼───────────▲            │        │ │ └─► ANNOUNCING ─► REFERRED
       │          │              │           │            │        │ │         │            │
       └──────────┴──► REJECTING ◄───────────┘            │        │ └─► SAYING_GOODBYE     │
                           │                              ▼        ▼           ▼            ▼
                           │                             HANGING_UP ◄───────────────────────┘
                           │                                  │
                           ▼                                  ▼
                          OVER ◄──────────────────── DRAINING_REQUESTS

From every phase between WAITING and HANGING_UP the call may be gone, which leads to DRAINING_REQUESTS; from
every phase before WAITING it may finish unanswered, which leads to OVER. `TABLE` is all of it: a trigger that
it does not have is a bug, since phases change by our own decisions only.
"""

from collections.abc import Mapping
from enum import Enum


class Phase(Enum):
    """The stages of a call. `runner.call.machine.machine` says where the tables of their events stand."""

    __hash__ = object.__hash__
    """By identity, which is faster than Python's hash of a member: tables are searched at each event."""

    RINGING = "ringing"
    """Nothing is decided yet."""
    CLAIMING = "claiming"
    """We claim the call, and a slot among the calls of its agent."""
    LOOKING_UP = "looking_up"
    """The lookup's request is in flight while the caller hears ringing."""
    ANSWERING = "answering"
    """The API was told to answer the call."""
    REJECTING = "rejecting"
    """The API was told to turn the call away."""
    WAITING = "waiting"
    """Answered; the sideband is not open yet."""
    TALKING = "talking"
    ANNOUNCING = "announcing"
    """The agent says the sentence before a transfer."""
    REFERRED = "referred"
    """The transfer is requested; we watch whether the call leaves."""
    SAYING_GOODBYE = "saying_goodbye"
    """The agent says goodbye, or the last tools finish."""
    HANGING_UP = "hanging_up"
    """The API was told to end the call."""
    DRAINING_REQUESTS = "draining_requests"
    """The call is gone; requests may still end, so that the record is complete."""
    OVER = "over"


class Trigger(Enum):
    """What moves a call from one phase to the next."""

    CLAIM = "claim"
    LOOK_UP = "look_up"
    ANSWER = "answer"
    REJECT = "reject"
    ANSWERED = "answered"
    OPENED = "opened"
    ANNOUNCE = "announce"
    REFER = "refer"
    STAY = "stay"
    """The transfer did not happen: the caller is still ours."""
    SAY_GOODBYE = "say_goodbye"
    HANG_UP = "hang_up"
    GONE = "gone"
    FINISH = "finish"


UNANSWERED = (Phase.RINGING, Phase.CLAIMING, Phase.LOOKING_UP, Phase.ANSWERING, Phase.REJECTING)
CONNECTED = (Phase.TALKING, Phase.ANNOUNCING, Phase.REFERRED, Phase.SAYING_GOODBYE)
LIVE = (Phase.WAITING, *CONNECTED)
NOT_GONE = (*LIVE, Phase.HANGING_UP)
NOT_OVER = (*NOT_GONE, Phase.DRAINING_REQUESTS)
TRANSFERRING = (Phase.ANNOUNCING, Phase.REFERRED)

TABLE: Mapping[tuple[Phase, Trigger], Phase] = {
    (Phase.RINGING, Trigger.CLAIM): Phase.CLAIMING,
    # The first agent has no room: claim a slot of the next.
    (Phase.CLAIMING, Trigger.CLAIM): Phase.CLAIMING,
    (Phase.CLAIMING, Trigger.LOOK_UP): Phase.LOOKING_UP,
    (Phase.CLAIMING, Trigger.ANSWER): Phase.ANSWERING,
    (Phase.LOOKING_UP, Trigger.ANSWER): Phase.ANSWERING,
    (Phase.RINGING, Trigger.REJECT): Phase.REJECTING,
    (Phase.CLAIMING, Trigger.REJECT): Phase.REJECTING,
    (Phase.LOOKING_UP, Trigger.REJECT): Phase.REJECTING,
    (Phase.ANSWERING, Trigger.REJECT): Phase.REJECTING,
    (Phase.ANSWERING, Trigger.ANSWERED): Phase.WAITING,
    (Phase.WAITING, Trigger.OPENED): Phase.TALKING,
    (Phase.TALKING, Trigger.ANNOUNCE): Phase.ANNOUNCING,
    (Phase.ANNOUNCING, Trigger.REFER): Phase.REFERRED,
    # The fallback of a transfer that failed.
    (Phase.REFERRED, Trigger.REFER): Phase.REFERRED,
    (Phase.REFERRED, Trigger.STAY): Phase.TALKING,
    (Phase.TALKING, Trigger.SAY_GOODBYE): Phase.SAYING_GOODBYE,
    **{(phase, Trigger.HANG_UP): Phase.HANGING_UP for phase in LIVE},
    **{(phase, Trigger.GONE): Phase.DRAINING_REQUESTS for phase in NOT_GONE},
    **{(phase, Trigger.FINISH): Phase.OVER for phase in (*UNANSWERED, Phase.DRAINING_REQUESTS)},
}


def why_not(phase: Phase) -> str:
    """Why a person's act does not fit this phase of the call."""
    if phase in UNANSWERED:
        return "the call is not answered yet"
    if phase is Phase.WAITING:
        return "the call is not connected yet"
    if phase in TRANSFERRING:
        return "the call is being transferred"
    if phase in {Phase.SAYING_GOODBYE, Phase.HANGING_UP}:
        return "the call is being ended"
    return "the call is over"


class CallPhase:
    """The phase of one call, and the only place where it changes."""

    __slots__ = ("now",)

    def __init__(self) -> None:
        self.now = Phase.RINGING

    def move(self, trigger: Trigger) -> None:
        """Move to the next phase. Raises KeyError for a trigger that the table does not have."""
        self.now = TABLE[self.now, trigger]
