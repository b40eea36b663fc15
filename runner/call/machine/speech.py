"""Lets the agent speak when the floor is free: one request for a response at a time, by the call's queue.

Sentences wait until the floor is free; several of them become one request for a response, and so do several
wishes to continue. Nothing else in the program asks the model to speak.
"""

from dataclasses import dataclass, field

from runner.call.machine.floor import PATIENCE_S, Cue, Floor, next_floor
from runner.call.machine.playback import MARGIN_S, Playback
from runner.call.machine.sentence import Request, Sentence, SentenceEnd, wish_id
from runner.call.machine.sentence_queue import SentenceQueue
from runner.call.machine.unheard_sentences import UnheardSentences
from runner.call.recent_ids import NO_IDS, RecentIds
from runner.model.action import Action, ClearTimer, Interrupt, SetTimer, Speak, Timer, TimerKind
from runner.model.conversation_event import (
    ApiError,
    ApiErrorKind,
    CallerSpeaks,
    Outcome,
    PlaybackEnded,
    PlaybackStarted,
    ResponseEnded,
    ResponseStarted,
)
from runner.model.event import CallEvent, SidebandLost, SidebandOpened, TakenOver, TimerFired
from runner.model.values import Instant

FLOOR_TIMER = Timer(TimerKind.FLOOR)
RATE_LIMIT_WAITS_S = (1.0, 2.0)
"""Waits before a response that failed at the API's rate limit is requested again; then it has failed."""
_SPEAKING = frozenset({Floor.SENDING, Floor.CONTESTED, Floor.ACTIVE, Floor.OVERLAP})


@dataclass(slots=True, eq=False)
class Speech:
    """Who speaks in one call, and what the agent says next."""

    hears = frozenset(
        {
            ApiError,
            CallerSpeaks,
            PlaybackEnded,
            PlaybackStarted,
            ResponseEnded,
            ResponseStarted,
            SidebandLost,
            SidebandOpened,
            TakenOver,
            TimerFired,
        }
    )
    """Events that say who speaks, or that somebody should."""

    floor: Floor = field(default=Floor.CLOSED, init=False)
    queue: SentenceQueue = field(default_factory=SentenceQueue, init=False)
    _count: int = field(default=0, init=False)
    _request: Request | None = field(default=None, init=False)
    unheard: UnheardSentences = field(default_factory=UnheardSentences, init=False)
    _current: str | None = field(default=None, init=False)
    _over: RecentIds = field(default_factory=RecentIds, init=False)
    _rate_limited: int = field(default=0, init=False)
    _is_held: bool = field(default=False, init=False)
    _is_led: bool = field(default=False, init=False)
    _of_persons: frozenset[str] = field(default=NO_IDS, init=False)
    playback: Playback = field(default_factory=Playback, init=False)
    _wishes_come_back: bool = field(default=False, init=False)

    @property
    def is_closed(self) -> bool:
        """Whether there is no sideband."""
        return self.floor is Floor.CLOSED

    def is_idle(self, now: Instant) -> bool:
        """Whether nobody speaks or is heard."""
        return self.floor is Floor.IDLE and not self.playback.is_playing(now)

    def busy_until(self, now: Instant) -> Instant:
        """How long the agent may still speak, or be heard, as far as is known now."""
        until = self.playback.until(now)
        if self.floor in {Floor.SENDING, Floor.ACTIVE}:
            # The length of this response is unknown yet; the floor's own patience bounds it.
            until = max(until, now + MARGIN_S)
        return until

    def is_persons(self, response_id: str) -> bool:
        """Whether a response says what a person wanted said."""
        return response_id in self._of_persons

    def is_speaking(self, now: Instant) -> bool:
        """Whether the agent speaks, is heard, or was asked to speak."""
        return self.floor in _SPEAKING or self.playback.is_playing(now)

    def is_speaking_its_own(self, now: Instant) -> bool:
        """Whether it speaks, and not what a person wanted said."""
        if self._request is not None:
            return not self._request.is_persons
        if self._current is not None:
            return self._current not in self._of_persons
        return self.floor in _SPEAKING or (self.playback.is_playing(now) and not self.unheard.has_persons)

    @property
    def requested(self) -> int:
        """How many responses the call has requested so far."""
        return self._count

    def follow(self, response_id: str, key: str) -> bool:
        """Report under `key` how the caller heard this response; False when it has finished playing
        already."""
        if self.playback.is_heard(response_id):
            return False
        self.unheard.add(response_id, Request(wish="", sentences=(Sentence(key=key),)))
        return True

    def clear(self) -> None:
        """Drop everything that waits. A request that was sent cannot be taken back."""
        self.unheard.report(self.queue.drop(), SentenceEnd.DROPPED)

    def lead(self, *, is_led: bool) -> None:
        """While a person leads, the agent says what that person wants said and nothing of its own."""
        self._is_led = is_led

    def handle(self, event: CallEvent, now: Instant, *, sees_all: bool = True) -> list[Action]:
        """Follow who speaks. The actions are timers, and an interruption of what the agent begins while a
        person leads; `ask` makes the agent speak.

        `sees_all`: a response that begins now sees everything that we have added to the conversation.
        """
        self.playback.handle(event, now)
        match event:
            case SidebandOpened():
                return self._move(Cue.ATTACHED, now)
            case SidebandLost() | TakenOver():
                return self._lost(now)
            case CallerSpeaks(began=began):
                return self._move(Cue.CALLER_BEGAN if began else Cue.CALLER_STOPPED, now)
            case ResponseStarted():
                return self._began(event, now, sees_all=sees_all)
            case ResponseEnded():
                return self._ended(event, now)
            case PlaybackEnded(response_id=response_id, interrupted=interrupted):
                return self.unheard.close(
                    response_id, SentenceEnd.INTERRUPTED if interrupted else SentenceEnd.HEARD
                )
            case ApiError():
                return self._refused(event, now)
            case TimerFired(timer=Timer(kind=TimerKind.FLOOR)):
                return self._overdue(now)
            case TimerFired(timer=Timer(kind=TimerKind.MODEL_RETRY)):
                self._is_held = False
                return []
            case TimerFired(timer=Timer(kind=TimerKind.HEARD, key=response_id)):
                return self.unheard.close(response_id, SentenceEnd.HEARD)
            case _:
                return []

    def ask(self, now: Instant) -> list[Action]:
        """Ask the model to speak, if something waits and the floor is free."""
        if self._is_led:
            self.unheard.report(self.queue.drop(except_persons=True), SentenceEnd.DROPPED)
        if self.floor is not Floor.IDLE or self._is_held:
            return []
        request = self.queue.take(wish_id(self._count + 1))
        if request is None:
            return []
        self._count += 1
        self._request = request
        spoken = [sentence.say for sentence in request.sentences if sentence.say is not None]
        instructions = [sentence.tell for sentence in request.sentences if sentence.tell is not None]
        speak = Speak(wish=request.wish, say=" ".join(spoken) or None, tell="\n".join(instructions) or None)
        return [*self._move(Cue.ASKED, now), speak]

    def _move(self, cue: Cue, now: Instant) -> list[Action]:
        floor = next_floor(self.floor, cue)
        if floor is self.floor:
            return []
        patience_s = PATIENCE_S.get(floor)
        self.floor = floor
        if patience_s is None:
            return [ClearTimer(timer=FLOOR_TIMER)]
        return [SetTimer(timer=FLOOR_TIMER, at=now + patience_s)]

    def _began(self, started: ResponseStarted, now: Instant, *, sees_all: bool) -> list[Action]:
        if started.response_id in self._over or started.response_id == self._current:
            return []
        self._current = started.response_id
        if started.wish is not None:
            self._wishes_come_back = True
        if self._request is not None and started.wish == self._request.wish:
            self._take_up(started.response_id, self._request)
        elif self._request is None:
            self.queue.api_goes_on(sees_all=sees_all)
        return [*self._move(Cue.BEGAN, now), *self._cut_short(started)]

    def _take_up(self, response_id: str, request: Request) -> None:
        """This response is the requested one."""
        self.unheard.add(response_id, request)
        self._request = None
        if request.is_persons:
            self._of_persons |= {response_id}

    def _cut_short(self, started: ResponseStarted) -> list[Action]:
        """Interrupt what the agent begins of its own while a person leads: the API's own answer to the
        caller, or what was requested just before.
        """
        if not self._is_led:
            return []
        request = self.unheard.of(started.response_id)
        if request is None and self._request is not None and not self._wishes_come_back:
            # This provider does not send wishes back: it is most likely the requested response.
            request = self._request
        return [] if request is not None and request.is_persons else [Interrupt()]

    def _ended(self, ended: ResponseEnded, now: Instant) -> list[Action]:
        if not self._over.add(ended.response_id):
            return []
        moved: list[Action] = []
        if self._request is not None and (ended.wish == self._request.wish or not self._wishes_come_back):
            # Its beginning was missed, or the provider does not send our wish back: a response that ended
            # while our request was open, and not refused, was ours.
            self._take_up(ended.response_id, self._request)
            moved += self._move(Cue.BEGAN, now)
        if self._current in {None, ended.response_id}:
            self._current = None
            moved += self._move(Cue.ENDED, now)
            if self._request is not None:
                # Our request crossed with this response, which was not ours: it stands, or will be refused.
                moved += self._move(Cue.ASKED, now)
        if ended.outcome is Outcome.COMPLETED:
            self._rate_limited = 0
        if ended.outcome is Outcome.FAILED and ended.cause is ApiErrorKind.RATE_LIMITED:
            moved += self._wait_for_rate(ended.response_id, now)
        if ended.response_id not in self.unheard:
            return moved
        if ended.outcome is Outcome.CANCELLED:
            return moved + self.unheard.close(ended.response_id, SentenceEnd.INTERRUPTED)
        if ended.outcome is Outcome.FAILED:
            return moved + self.unheard.close(ended.response_id, SentenceEnd.FAILED)
        if not ended.audible or self.playback.is_heard(ended.response_id):
            return moved + self.unheard.close(ended.response_id, SentenceEnd.HEARD)
        # The buffer reports when the caller has heard it all; this timer is for the case that it never does.
        heard = Timer(TimerKind.HEARD, ended.response_id)
        return [*moved, SetTimer(timer=heard, at=self.playback.heard_by(ended.response_id, now))]

    def _wait_for_rate(self, response_id: str, now: Instant) -> list[Action]:
        """The API's rate limit is reached: request the response again, a little later."""
        if self._rate_limited == len(RATE_LIMIT_WAITS_S):
            return []
        return self._ask_later(self.unheard.take(response_id), now)

    def _ask_later(self, request: Request | None, now: Instant) -> list[Action]:
        wait_s = RATE_LIMIT_WAITS_S[self._rate_limited]
        self._rate_limited += 1
        self._is_held = True
        if request is not None and request.sentences:
            self.queue.put_back(request)
        else:
            self.queue.go_on()
        return [SetTimer(timer=Timer(TimerKind.MODEL_RETRY), at=now + wait_s)]

    def _refused(self, error: ApiError, now: Instant) -> list[Action]:
        request = self._request
        if request is None or error.about not in {request.wish, None}:
            return []
        if error.kind is ApiErrorKind.BUSY_SPEAKING:
            self._request = None
            self.queue.put_back(request, somebody_speaks=True)
            return self._move(Cue.REFUSED_BUSY, now)
        if error.about is None:
            return []
        if error.kind is ApiErrorKind.RATE_LIMITED and self._rate_limited < len(RATE_LIMIT_WAITS_S):
            self._request = None
            return [*self._ask_later(request, now), *self._move(Cue.REFUSED, now)]
        self._request = None
        self.unheard.report(request.sentences, SentenceEnd.FAILED)
        return self._move(Cue.REFUSED, now)

    def _overdue(self, now: Instant) -> list[Action]:
        if self._request is not None:
            self.unheard.report(self._request.sentences, SentenceEnd.FAILED)
            self._request = None
        self._current = None
        # While the API holds on to a response that never ends, it refuses every further one.
        is_stuck = self.floor in {Floor.ACTIVE, Floor.OVERLAP} and not self.playback.is_playing(now)
        return [*([Interrupt()] if is_stuck else []), *self._move(Cue.OVERDUE, now)]

    def _lost(self, now: Instant) -> list[Action]:
        """It is unknown what the caller heard of the active response, and nothing is ever said twice."""
        if self._request is not None:
            self.unheard.report(self._request.sentences, SentenceEnd.LOST)
        self.unheard.lose()
        self._request = self._current = None
        return self._move(Cue.LOST, now)
