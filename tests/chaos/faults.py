"""What goes wrong in a round, one after the other, as its seed decides."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import aiohttp

from tests.chaos.checker import STALE, is_spoken_for
from tests.chaos.planted import LEASE_S
from tests.store.postgresql.database_line import LineFault

if TYPE_CHECKING:
    from tests.chaos.world import Place, World

WORK_S = 3.0
"""For a tool to be called."""
RESUMES_S = 1.0
"""For a runner that stood still to send what it was about to send."""
CATCH_UP_S = 4.0
"""After the database was away: a runner tries again every second."""
MOST_LATE_S = 10.0
"""By how much the database is late at most, for what it is asked and again for what it answers."""


class Faults:
    """Strikes a world: each fault is a method, and returns whether it could come about."""

    def __init__(self, world: "World", session: aiohttp.ClientSession) -> None:
        self._world = world
        self._session = session
        self._random = world.random
        self._unfinished: dict[Callable[[], None], None] = {}
        """What follows a fault once it is over."""
        self._faults = {
            "kill": self.kill,
            "kill_at_work": self.kill_at_work,
            "deploy": self.deploy,
            "pause": self.pause,
            "cut": self.cut,
            "cut_at_reply": self.cut_at_reply,
            "duplicate": self.duplicate,
            "reload": self.reload,
            "outage": self.outage,
            "cut_off": self.cut_off,
            "late": self.late,
        }

    async def strike(self) -> None:
        """For as long as the plan says."""
        plan, counted = self._world.plan, self._world.result.faults
        until = time.monotonic() + plan.lasts_s
        midst = until - plan.lasts_s / 2
        while time.monotonic() < until:
            await asyncio.sleep(self._random.uniform(0.2, 1.0))
            fault = self._random.choice(plan.faults)
            if time.monotonic() > midst and not counted[plan.faults[0]]:
                # A slow machine has time for a few faults only; the first one has to be among them.
                fault = plan.faults[0]
            counted[fault] += await self._faults[fault]()

    def _note_ungreeted(self) -> None:
        """A runner is stopped now, or a sideband cut: which calls are attached and not greeted?"""
        self._world.excused.ungreeted |= {
            call.id for call in self._world.calls if call.attached and not is_spoken_for(call)
        }

    def _stale(self) -> Counter[str]:
        return Counter({call.id: call.violations.count(STALE) for call in self._world.calls})

    async def kill(self) -> bool:
        """A runner is killed, and started again a little later."""
        place = self._world.one(is_well=True)
        if place is None or place.runner is None:
            return False
        (process, _), place.runner = place.runner, None
        self._note_ungreeted()
        process.tell(signal.SIGKILL)
        await process.ended()
        await asyncio.sleep(self._random.uniform(0.0, 1.0))
        await self._world.start(place)
        return True

    async def kill_at_work(self) -> bool:
        """A runner is killed while a tool's request is under way, its own or another's."""
        self._world.backend.was_asked.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(WORK_S):
                await self._world.backend.was_asked.wait()
        return await self.kill()

    async def deploy(self) -> bool:
        """A runner is told to end, and another takes its place."""
        if self._world.plan.runners == 1:
            return False
        place = self._world.one(is_well=True)
        if place is None or place.runner is None:
            return False
        (process, _), place.runner = place.runner, None
        self._note_ungreeted()
        process.tell(signal.SIGTERM)
        await self._world.start(place)
        return True

    async def pause(self) -> bool:
        """A runner stands still for longer than its lease lasts."""
        place = self._world.one()
        if place is None or place.runner is None or not self._world.are_all_well:
            return False
        process, place.is_paused = place.runner[0], True
        self._note_ungreeted()
        process.tell(signal.SIGSTOP)
        loop = asyncio.get_running_loop()

        def go_on() -> None:
            place.is_paused = False
            if process.has_ended:
                return
            before = self._stale()
            process.tell(signal.SIGCONT)
            loop.call_later(RESUMES_S, lambda: self._world.excused.stale.update(self._stale() - before))

        loop.call_later(LEASE_S + 2, go_on)
        return True

    async def cut(self) -> bool:
        """The sideband of a call breaks."""
        live = [call for call in self._world.calls if call.is_attached and not call.is_over]
        if not live:
            return False
        call = self._random.choice(live)
        self._note_ungreeted()
        call.cut()
        self._world.api.wake(call)
        return True

    async def cut_at_reply(self) -> bool:
        """The sideband of a call breaks as its tool replies: the output cannot be sent."""

        async def cut(key: str) -> None:
            for call in self._world.calls:
                if call.is_attached and call.conversation is not None and key in call.conversation.open_calls:
                    call.cut()
                    self._world.api.wake(call)
                    while call.is_attached:  # noqa: ASYNC110 - nobody tells
                        await asyncio.sleep(0)

        self._world.backend.before_reply = cut
        return True

    async def duplicate(self) -> bool:
        """A webhook comes once more, to any of the runners."""
        if not self._world.calls:
            return False
        await self._world.announce(self._session, self._random.choice(self._world.calls))
        return True

    async def outage(self) -> bool:
        """The database is away for everybody, for less than a lease or for more."""
        if self._world.plan.server is None or not self._world.are_all_well:
            return False
        await asyncio.to_thread(self._world.plan.server.stop)
        await asyncio.sleep(self._random.uniform(0.5, LEASE_S + 2))
        await asyncio.to_thread(self._world.plan.server.start)
        # What waited for the database in files of a runner is lost to the others where that runner is killed
        # before it could write it: that is not promised.
        await asyncio.sleep(CATCH_UP_S)
        return True

    async def cut_off(self) -> bool:
        """The database is away for one runner alone, for less than a lease or for more."""
        place = self._world.one()
        if place is None or place.line is None or not self._world.are_all_well:
            return False
        kind = self._random.choice(tuple(LineFault))
        self._trouble(kind, [place], late_s=LEASE_S + 1, lasts_s=self._random.uniform(0.5, 3 * LEASE_S))
        self._world.result.faults[f"cut_off: {kind.value}"] += 1
        return True

    async def late(self) -> bool:
        """The database is late for everybody, by less than a lease or by more."""
        places = [place for place in self._world.places if place.line is not None]
        if not places or not self._world.are_all_well:
            return False
        lasts_s = self._random.uniform(LEASE_S, 5 * LEASE_S)
        self._trouble(LineFault.LATE, places, late_s=self._random.uniform(0.1, MOST_LATE_S), lasts_s=lasts_s)
        return True

    def _trouble(self, kind: LineFault, places: Sequence["Place"], *, late_s: float, lasts_s: float) -> None:
        """This is wrong with their lines to the database for a while."""
        before, over = self._stale(), {call.id for call in self._world.calls if call.is_over}
        for place in places:
            place.is_cut_off = True
            if place.line is not None:
                place.line.fail(kind, late_s=late_s)
        loop = asyncio.get_running_loop()

        def caught_up() -> None:
            for place in places:
                place.is_cut_off = False
            excused = self._world.excused
            excused.stale.update(self._stale() - before)
            taken_over = {call.id for call in self._world.calls if call.attached > 1}
            excused.contested |= taken_over - over

        def mend() -> None:
            for place in places:
                if place.line is not None:
                    place.line.mend()
            loop.call_later(CATCH_UP_S, self._finish, caught_up)

        self._unfinished[caught_up] = None
        loop.call_later(lasts_s, mend)

    def finish(self) -> None:
        """Every call is over: whatever has not caught up yet never will."""
        for last in [*self._unfinished]:
            self._finish(last)

    def _finish(self, last: Callable[[], None]) -> None:
        if last in self._unfinished:
            del self._unfinished[last]
            last()

    async def reload(self) -> bool:
        """There is a new configuration."""
        place = self._world.one()
        if place is None or place.runner is None:
            return False
        self._world.write(self._random.randrange(1, 1000))
        place.runner[0].tell(signal.SIGHUP)
        return True
