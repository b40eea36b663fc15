"""Silence on the line: the caller says nothing, the agent says nothing, or nobody was ever there."""

from collections.abc import Callable

from runner.call.machine.intent import End, GoOn, Intent, SayToCaller
from runner.model.action import ClearTimer, SetTimer, Timer, TimerKind
from runner.model.agent import Silence
from runner.model.event import (
    CallerSpeaks,
    CallEvent,
    KeyPressed,
    PlaybackEnded,
    PlaybackStarted,
    Replied,
    ResponseEnded,
    ResponseStarted,
    SidebandOpened,
    TimerFired,
    Transcribed,
)
from runner.model.values import Instant

STALL_S = 6.0
"""After the caller has spoken or a tool was answered, the agent should begin to speak within this time."""

LONGEST_PLAYBACK_S = 30.0
"""How long a response may be heard after it was made, should nobody tell when it ends."""

SILENCE = Timer(TimerKind.SILENCE)
STALL = Timer(TimerKind.STALL)
GHOST = Timer(TimerKind.GHOST)


class SilenceLadder:
    """The caller says nothing: ask, as often as is declared, then hang up.

    The API's own nudge after silence is a response like others: it neither counts as the caller's turn
    nor starts the count anew.
    """

    hears = frozenset(
        {SidebandOpened, PlaybackEnded, ResponseEnded, CallerSpeaks, KeyPressed, ResponseStarted, TimerFired}
    )

    def __init__(self, silence: Silence, quiet: Callable[[], bool]) -> None:
        self._silence = silence
        self._quiet = quiet
        self._asked = 0

    def start(self, now: Instant) -> list[Intent]:
        """Nothing: silence begins when the agent has said something, or after the sideband opens."""
        return []

    def handle(self, event: CallEvent, now: Instant) -> list[Intent]:
        """Count the silence from what was heard last."""
        match event:
            case SidebandOpened() | PlaybackEnded():
                return [SetTimer(timer=SILENCE, at=now + self._silence.after_s)]
            case ResponseEnded():
                return [SetTimer(timer=SILENCE, at=now + self._silence.after_s + LONGEST_PLAYBACK_S)]
            case CallerSpeaks() | KeyPressed():
                self._asked = 0
                return [ClearTimer(timer=SILENCE)]
            case ResponseStarted():
                return [ClearTimer(timer=SILENCE)]
            case TimerFired(timer=Timer(kind=TimerKind.SILENCE)):
                return self._silent(now)
            case _:
                return []

    def _silent(self, now: Instant) -> list[Intent]:
        again = SetTimer(timer=SILENCE, at=now + self._silence.after_s)
        if not self._quiet():
            return [again]
        if self._asked >= self._silence.times:
            return [End(reason="silence")]
        self._asked += 1
        # The timer is set once more in case the question is never heard to end.
        return [SayToCaller(text=self._silence.say), again]


class StallWatch:
    """The agent says nothing though it is its turn: an event was lost, or the model stopped short."""

    hears = frozenset({SidebandOpened, CallerSpeaks, Replied, ResponseStarted, PlaybackStarted, TimerFired})

    def __init__(self, quiet: Callable[[], bool], *, agent_opens: bool) -> None:
        """`agent_opens`: the first word of the call is the agent's."""
        self._quiet = quiet
        self._agent_opens = agent_opens

    def start(self, now: Instant) -> list[Intent]:
        """Nothing."""
        return []

    def handle(self, event: CallEvent, now: Instant) -> list[Intent]:
        """Set the watch when it is the agent's turn; ask it to go on when the time has passed."""
        watch = SetTimer(timer=STALL, at=now + STALL_S)
        match event:
            case CallerSpeaks(began=False) | Replied():
                return [watch]
            case SidebandOpened(again=False) if self._agent_opens:
                return [watch]
            case CallerSpeaks() | ResponseStarted() | PlaybackStarted():
                return [ClearTimer(timer=STALL)]
            case TimerFired(timer=Timer(kind=TimerKind.STALL)):
                # The watch goes on: a tool may still run, and what is asked for may be lost as well.
                return [GoOn(), watch] if self._quiet() else [watch]
            case _:
                return []


class GhostWatch:
    """Nothing at all happens: no audio either way, so there is nobody, or nothing gets through."""

    hears = frozenset({SidebandOpened, CallerSpeaks, PlaybackStarted, KeyPressed, Transcribed, TimerFired})

    def __init__(self, ghost_after_s: float) -> None:
        self._ghost_after_s = ghost_after_s
        self._alive = False

    def start(self, now: Instant) -> list[Intent]:
        """Nothing: the time counts from the sideband's opening."""
        return []

    def handle(self, event: CallEvent, now: Instant) -> list[Intent]:
        """Wait for the first sign of life, and for no second one."""
        if self._alive:
            return []
        match event:
            # A sideband that was lost says nothing about the line, and who lives is told only once.
            case SidebandOpened(again=False):
                return [SetTimer(timer=GHOST, at=now + self._ghost_after_s)]
            case CallerSpeaks() | PlaybackStarted() | KeyPressed() | Transcribed():
                self._alive = True
                return [ClearTimer(timer=GHOST)]
            case TimerFired(timer=Timer(kind=TimerKind.GHOST)):
                return [End(reason="ghost", at_once=True)]
            case _:
                return []
