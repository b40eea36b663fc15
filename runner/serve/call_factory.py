"""Makes the live calls of one runner, each with what all of them share."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFactory:
    """Makes a live call of a ringing one, or of one that another process has left."""

    shared: SharedByCalls
    fleet: FleetService
    world: Callable[[], World]
    """The configuration that new calls get."""
    watches: Callable[[Ringing], Sequence[CallWatch]]
    """The watches of a call."""

    async def ringing(self, ringing: Ringing, world: World | None = None) -> LiveCall:
        """A call that rings here, in the `world` that it was admitted to, or in the current one."""
        hold = await self.fleet.hold(ringing)
        return self._make(ringing, world or self.world(), hold)

    def left(self, left: LeftCall, hold: CallHold) -> LiveCall:
        """A call that another process has served until now."""
        return self._make(left.ringing, left.world, hold, left.machine)

    def _make(
        self, ringing: Ringing, world: World, hold: CallHold, machine: CallMachine | None = None
    ) -> LiveCall:
        watches = self.watches(ringing)
        driver = CallDriver(ringing, world, self.shared, hold=hold, taken_over=machine, watches=watches)
        return LiveCall(driver, self.shared)
