"""Begins the live calls of one runner, each with what all of them share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from runner.call.machine.machine import CallMachine
from runner.call.machine.world import World
from runner.model.call import Ringing
from runner.serve.call_actions import SharedByCalls
from runner.serve.call_driver import CallDriver
from runner.serve.call_watch import CallWatch
from runner.serve.fleet.hold import CallHold
from runner.serve.fleet.service import FleetService
from runner.serve.fleet.takeover import LeftCall
from runner.serve.live_call import LiveCall
from runner.serve.live_calls import LiveCalls
from runner.serve.logs import name_call


@dataclass(frozen=True, slots=True, kw_only=True)
class CallIntake:
    """Serves ringing calls, and those that another process has left."""

    live_calls: LiveCalls
    shared: SharedByCalls
    fleet: FleetService
    world: Callable[[], World]
    """The configuration that new calls get."""
    watches: Callable[[Ringing], Sequence[CallWatch]]
    """The watches of a call."""

    async def ring(self, ringing: Ringing, world: World | None = None) -> LiveCall:
        """Serve a call that rings here, in the `world` that it was admitted to, or in the current one.

        Needs a task of its own: every line that the task logs from here on names the call.
        """
        name_call(ringing.call_id)
        hold = await self.fleet.hold(ringing)
        return self._serve(ringing, world or self.world(), hold)

    def take_over(self, left: LeftCall, hold: CallHold) -> None:
        """Serve a call that another process has served until now."""
        self._serve(left.ringing, left.world, hold, left.machine)

    def _serve(
        self, ringing: Ringing, world: World, hold: CallHold, machine: CallMachine | None = None
    ) -> LiveCall:
        watches = self.watches(ringing)
        driver = CallDriver(ringing, world, self.shared, hold=hold, taken_over=machine, watches=watches)
        call = LiveCall(driver, self.shared)
        self.live_calls.serve(call)
        return call
