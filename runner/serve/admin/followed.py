"""Follows the calls of this process for readers of streams. Keeps nothing of a call without readers."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from runner.call.view.call_view import CallView
from runner.model.conversation_event import TranscriptGrew
from runner.model.values import Instant, Json, JsonObject
from runner.serve.admin.event_log import EventLog
from runner.serve.live_call import LiveCall
from runner.serve.live_calls import LiveCalls

log = logging.getLogger("runner.serve.admin.followed")

SETTLE_S = 0.05
"""Between an event of a call and the look at its changes: several events come at once."""
LOOK_S = 1.0
"""Between two looks without an event: what the caller hears ends by time alone."""
FRESH_S = 0.2
"""How long the rows of all calls serve further readers."""
IDLE_S = 5.0
"""After this long without a reader nothing is kept of any call."""
MOST_ENDS = 1000
"""Calls that are gone and whose end is remembered for readers that have not got it yet."""
KEPT_S = 30.0
"""How long the log of a call is kept without readers: they reconnect."""


_DONE = object()


async def in_turns(steps: Iterator[None]) -> None:
    """Take each step in a turn of the event loop of its own, so that other calls are served between them."""
    for _ in steps:
        await asyncio.sleep(0)


class FollowedCall:
    """One followed call: its log, and what its readers have got. It is the call's `follower`."""

    def __init__(self, call: LiveCall, view: CallView, clock: Callable[[], Instant]) -> None:
        self.log = EventLog()
        self.moved = False
        """Whether another runner serves the call from now on."""
        self.readers = 0
        self._call = call
        self._view = view
        self._clock = clock
        self._look: asyncio.TimerHandle | None = None
        self._next_look = 0.0
        self._ahead: Iterator[None] | None = None
        self._is_shown = False
        self._end: int | None = None
        """The place of the end in the log."""
        self._look_in(LOOK_S)

    @property
    def wants_words(self) -> bool:
        """Whether words as they come would be shown."""
        try:
            return self.readers > 0 and not self.log.is_closed and self._view.wants_words
        except Exception:
            log.exception("call cannot be shown", extra={"call_id": self._call.id})
            return False

    def words(self, grew: TranscriptGrew) -> None:
        """More words came."""
        with self._guard():
            change = self._view.words(grew, self._clock())
            if change is not None:
                self.log.append(*change)

    def changed(self) -> None:
        """The view of the call may have changed."""
        self._look_in(SETTLE_S)

    def over(self, *, moved: bool) -> None:
        """The call is over, or served by another runner."""
        with self._guard():
            if self._is_shown:
                self._tell()
            self.moved = moved
            if not moved:
                self.log.append("ended", self._view.end())
                self._end = self.log.last
        self.stop()

    async def snapshot(self) -> tuple[int, dict[str, Json]]:
        """The whole call, and the place in the log that it stands for: only an end is told after it."""
        await in_turns(self._view.mask_ahead())
        self._tell()
        place = self.log.last if self._end is None else self._end - 1
        return place, self._view.whole(self._clock())

    def stop(self) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None
        self.log.close()

    def _look_in(self, seconds: float) -> None:
        if self.log.is_closed:
            return
        due = asyncio.get_running_loop().time() + seconds
        if self._look is not None:
            if self._next_look <= due:
                return
            self._look.cancel()
        self._next_look = due
        self._look = asyncio.get_running_loop().call_at(due, self._looked)

    def _looked(self) -> None:
        self._look = None
        with self._guard():
            self._ahead = self._ahead or self._view.mask_ahead()
            if next(self._ahead, _DONE) is not _DONE:
                self._look_in(0.0)
                return
            self._ahead = None
            self._tell()
        self._look_in(LOOK_S)

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """A failure to show something is a bug of ours. It ends the streams, and never the call."""
        try:
            yield
        except Exception:
            log.exception("call cannot be shown", extra={"call_id": self._call.id})
            self.stop()

    def _tell(self) -> None:
        if not self._is_shown:
            # There is no reader yet who knows an earlier state.
            self._is_shown = True
            self._view.whole(self._clock())
        for name, data in self._view.changes(self._clock()):
            self.log.append(name, data)


@dataclass(slots=True)
class _Shown:
    """A call as the list shows it."""

    call: LiveCall
    view: CallView
    lived_until: Instant
    row: dict[str, Json]


class FollowedCalls:
    """The followed calls of this process."""

    def __init__(self, live_calls: LiveCalls, runner: str, clock: Callable[[], Instant]) -> None:
        self.runner = runner
        """The id of this process as a runner."""
        self._live_calls = live_calls
        self._clock = clock
        self._followed: dict[str, FollowedCall] = {}
        self._shown: dict[str, _Shown] = {}
        self._looked_at = float("-inf")
        self._ends: dict[str, JsonObject] = {}
        self._forgetting: asyncio.TimerHandle | None = None

    def call(self, call_id: str) -> LiveCall | None:
        """A call that this process serves."""
        call = self._live_calls.find(call_id)
        return call if call is not None and call.machine is not None and not call.is_over else None

    def view(self, call: LiveCall) -> CallView:
        """A view of a call, for one reader only."""
        assert call.machine is not None  # noqa: S101 - `call` has looked
        return CallView(call.machine, self.runner)

    @contextmanager
    def following(self, call: LiveCall) -> Iterator[FollowedCall]:
        """Follow a call, together with its other readers."""
        followed = self._followed.get(call.id)
        if followed is None or followed.log.is_closed:
            followed = FollowedCall(call, self.view(call), self._clock)
            self._followed[call.id] = call.follower = followed
        followed.readers += 1
        try:
            yield followed
        finally:
            followed.readers -= 1
            if followed.readers == 0:
                kept_s = 0.0 if followed.log.is_closed else KEPT_S
                asyncio.get_running_loop().call_later(kept_s, self._forget, call, followed)

    def rows(self) -> dict[str, dict[str, Json]]:
        """A row for each call of this process, by id. An unchanged call costs little."""
        tick = asyncio.get_running_loop().time()
        if tick - self._looked_at >= FRESH_S:
            self._looked_at = tick
            if self._forgetting is None:
                self._forget_rows_in(IDLE_S)
            now, before = self._clock(), self._shown
            shown = {
                call.id: each
                for call in self._live_calls.all()
                if call.machine is not None
                and not call.is_over
                and (each := self._row(call, now)) is not None
            }
            self._shown = {call_id: each for call_id, each in shown.items() if each.row["phase"] != "over"}
            for call_id in before.keys() - self._shown.keys():
                self._ends[call_id] = before[call_id].view.end()
            while len(self._ends) > MOST_ENDS:
                del self._ends[next(iter(self._ends))]
        return {call_id: each.row for call_id, each in self._shown.items()}

    def end_of(self, call_id: str) -> dict[str, Json]:
        """How a call ended that `rows` has shown before, for the event `gone`."""
        end = self._ends.get(call_id, {})
        return {
            "now": self._clock(),
            "id": call_id,
            "ended": end.get("ended"),
            "ended_at": end.get("ended_at"),
        }

    def _forget_rows_in(self, seconds: float) -> None:
        self._forgetting = asyncio.get_running_loop().call_later(seconds, self._forget_rows)

    def _forget_rows(self) -> None:
        """There are no readers: calls that are over are not kept for a list that nobody reads."""
        idle_s = asyncio.get_running_loop().time() - self._looked_at
        if idle_s < IDLE_S:
            self._forget_rows_in(IDLE_S - idle_s)
            return
        self._forgetting = None
        self._shown.clear()
        self._ends.clear()

    def _row(self, call: LiveCall, now: Instant) -> _Shown | None:
        """None for a call that cannot be shown, which is a bug of ours and hides no other call."""
        try:
            return self._look(call, now)
        except Exception:
            log.exception("call cannot be shown", extra={"call_id": call.id})
            return None

    def _look(self, call: LiveCall, now: Instant) -> _Shown:
        session = call.machine.session if call.machine is not None else None
        lived_until = session.connection.lived_until if session is not None else now
        known = self._shown.get(call.id)
        is_new = known is None or known.call is not call
        if known is None or known.call is not call:
            known = _Shown(call, self.view(call), lived_until, {})
        # What the caller hears ends by time alone.
        if is_new or known.lived_until != lived_until or known.row["speaking"] in {"agent", "both"}:
            known.row = known.view.row(now)
            known.lived_until = lived_until
        return known

    def _forget(self, call: LiveCall, followed: FollowedCall) -> None:
        if followed.readers == 0 and self._followed.get(call.id) is followed:
            del self._followed[call.id]
            followed.stop()
            if call.follower is followed:
                call.follower = None
