"""Watches for silence: of the caller, of the agent, or of a line on which nobody ever was."""

from collections.abc import Callable

from runner.call.machine.intent import End, GoOn, Intent, Part, SayToCaller, TakeWayOut
from runner.model.action import ClearTimer, SetTimer, Timer, TimerKind
from runner.model.agent import Silence
from runner.model.conversation_event import (
    CallerSpeaks,
    KeyPressed,
    Outcome,
    PlaybackEnded,
    PlaybackStarted,
    ResponseEnded,
    ResponseStarted,
    Transcribed,
)
from runner.model.event import CallEvent, Replied, SidebandOpened, TimerFired
from runner.model.values import Instant

STALL_S = 6.0
"""After the caller has spoken or a tool has been answered, the agent should begin to speak within this
time."""

LONGEST_TURN_S = 60.0
"""How long one turn may last when its end is never reported."""

MOST_STALLS = 3
"""How often a silent agent is asked to continue; after that it cannot serve the call."""

SILENCE = Timer(TimerKind.SILENCE)
STALL = Timer(TimerKind.STALL)
CLEAR_STALL = ClearTimer(timer=STALL)
GHOST = Timer(TimerKind.GHOST)


def restart_silence(silence: Silence | None, now: Instant) -> list[Intent]:
    """Restart the count of silence, which was suspended."""
    return [SetTimer(timer=SILENCE, at=now + silence.after_s)] if silence is not None else []


class SilenceLadder(Part):
    """The caller says nothing: ask, as often as declared, then hang up.

    The API's own nudge after silence is a response like any other: it neither counts as the caller's turn nor
    restarts the count.
    """

    __slots__ = ("_asked", "_quiet", "_silence")

    hears = frozenset(
        {SidebandOpened, PlaybackEnded, ResponseEnded, CallerSpeaks, KeyPressed, ResponseStarted, TimerFired}
    )

    def __init__(self, silence: Silence, quiet: Callable[[Instant], bool]) -> None:
        self._silence = silence
        self._quiet = quiet
        self._asked = 0

    def handle(self, event: CallEvent, now: Instant) -> list[Intent]:
        """Count the silence from the last sound."""
        match event:
            case SidebandOpened() | PlaybackEnded() | ResponseStarted() | ResponseEnded():
                # While a response lasts, it is not quiet.
                return [SetTimer(timer=SILENCE, at=now + self._silence.after_s)]
            case CallerSpeaks(began=True):
                # Their end may never be reported, so the next question is postponed and not cancelled.
                self._asked = 0
                return [SetTimer(timer=SILENCE, at=now + self._silence.after_s + LONGEST_TURN_S)]
            case CallerSpeaks() | KeyPressed():
                self._asked = 0
                return [SetTimer(timer=SILENCE, at=now + self._silence.after_s)]
            case TimerFired(timer=Timer(kind=TimerKind.SILENCE)):
                return self._silent(now)
            case _:
                return []

    def stop(self, now: Instant) -> list[Intent]:
        """The next agent may allow another silence, or none at all."""
        return [ClearTimer(timer=SILENCE)]

    def _silent(self, now: Instant) -> list[Intent]:
        again = SetTimer(timer=SILENCE, at=now + self._silence.after_s)
        if not self._quiet(now):
            return [again]
        if self._asked >= self._silence.times:
            return [End(reason="silence")]
        self._asked += 1
        # The timer is set again in case the end of the question is never reported.
        return [SayToCaller(text=self._silence.say), again]


class StallWatch(Part):
    """The agent says nothing on its turn: an event was lost, or the model stopped short.

    A response may also end as completed and hold nothing at all.
    """

    __slots__ = ("_agent_opens", "_is_due", "_is_heard", "_quiet", "_stalls")

    hears = frozenset(
        {SidebandOpened, CallerSpeaks, Replied, ResponseStarted, PlaybackStarted, ResponseEnded, TimerFired}
    )

    def __init__(self, quiet: Callable[[Instant], bool], *, agent_opens: bool) -> None:
        """`agent_opens`: once the sideband opens for the first time, the first word is the agent's."""
        self._quiet = quiet
        self._agent_opens = agent_opens
        self._is_due = False
        """Whether the agent has something to say that no response has begun to say."""
        self._is_heard = False
        """Whether the caller hears anything of the response that has begun last."""
        self._stalls = 0

    def handle(self, event: CallEvent, now: Instant) -> list[Intent]:
        """Set the watch when it is the agent's turn; ask it to go on when the time has passed."""
        match event:
            case CallerSpeaks(began=False) | Replied():
                self._is_due = True
                return [_watch(now)]
            case SidebandOpened() if self._agent_opens:
                self._agent_opens, self._is_due = False, True
                return [_watch(now)]
            case CallerSpeaks():
                self._is_due = False
                return [CLEAR_STALL]
            case ResponseStarted():
                # It may never end, and never be heard.
                self._is_due = self._is_heard = False
                return [_watch(now)]
            case PlaybackStarted():
                self._is_heard, self._stalls = True, 0
                return [CLEAR_STALL]
            case ResponseEnded(outcome=Outcome.COMPLETED, is_empty=True) if not self._is_heard:
                # The caller waits for words all the same.
                self._is_due = True
                return [_watch(now)]
            case ResponseEnded(outcome=outcome):
                self._stalls = 0 if outcome is Outcome.COMPLETED else self._stalls
                return [] if self._is_due else [CLEAR_STALL]
            case TimerFired(timer=Timer(kind=TimerKind.STALL)):
                return self._stalled(now)
            case _:
                return []

    def stop(self, now: Instant) -> list[Intent]:
        """The next agent has its own time to begin."""
        return [CLEAR_STALL]

    def _stalled(self, now: Instant) -> list[Intent]:
        # The watch continues: a tool may still run, and this request may be lost as well.
        if not self._quiet(now):
            return [_watch(now)]
        self._stalls += 1
        if self._stalls > MOST_STALLS:
            return [TakeWayOut(detail=f"the agent was asked to speak {MOST_STALLS} times and said nothing")]
        return [GoOn(), _watch(now)]


def _watch(now: Instant) -> SetTimer:
    return SetTimer(timer=STALL, at=now + STALL_S)


class GhostWatch(Part):
    """No audio either way: there is nobody, or nothing gets through."""

    __slots__ = ("_alive", "_ghost_after_s", "_is_open")

    hears = frozenset({SidebandOpened, CallerSpeaks, PlaybackStarted, KeyPressed, Transcribed, TimerFired})

    def __init__(self, ghost_after_s: float) -> None:
        self._ghost_after_s = ghost_after_s
        self._is_open = False
        self._alive = False

    def handle(self, event: CallEvent, now: Instant) -> list[Intent]:
        """Wait for the first sign of life only."""
        if self._alive:
            return []
        match event:
            # A lost sideband says nothing about the line: the time does not start again.
            case SidebandOpened() if not self._is_open:
                self._is_open = True
                return [SetTimer(timer=GHOST, at=now + self._ghost_after_s)]
            case CallerSpeaks() | PlaybackStarted() | KeyPressed() | Transcribed():
                self._alive = True
                return [ClearTimer(timer=GHOST)]
            case TimerFired(timer=Timer(kind=TimerKind.GHOST)):
                return [End(reason="ghost", at_once=True)]
            case _:
                return []

    def stop(self, now: Instant) -> list[Intent]:
        """A call that is handed off has somebody on the line."""
        return [ClearTimer(timer=GHOST)]
