"""Makes the live calls of one runner, each with what all of them share."""

from collections.abc import Callable, Sequence

from runner.call.machine.call_counts import CallCounts
from runner.call.machine.machine import CallMachine
from runner.call.machine.world import World
from runner.model.call import Ringing
from runner.model.values import Instant
from runner.serve.call_watch import CallWatch
from runner.serve.clients import Clients
from runner.serve.fleet.hold import CallHold
from runner.serve.fleet.service import FleetService
from runner.serve.fleet.takeover import LeftCall
from runner.serve.live_call import LiveCall
from runner.serve.metrics import Metrics
from runner.serve.timeouts import Timeouts


class CallFactory:
    """Makes a live call of a ringing one, or of one that another process has left."""

    def __init__(
        self,
        *,
        clients: Clients,
        fleet: FleetService,
        world: Callable[[], World],
        counts: CallCounts,
        metrics: Metrics,
        timeouts: Timeouts,
        watches: Callable[[Ringing], Sequence[CallWatch]],
        clock: Callable[[], Instant],
    ) -> None:
        """`world` is the configuration that new calls get, `watches` what looks on at a call."""
        self._clients = clients
        self._fleet = fleet
        self._world = world
        self._counts = counts
        self._metrics = metrics
        self._timeouts = timeouts
        self._watches = watches
        self._clock = clock

    async def ringing(self, ringing: Ringing, world: World | None = None) -> LiveCall:
        """A call that rings here, in the `world` that it was admitted to, or in the current one."""
        hold = await self._fleet.hold(ringing)
        return self._make(ringing, world or self._world(), hold)

    def left(self, left: LeftCall, hold: CallHold) -> LiveCall:
        """A call that another process has served until now."""
        return self._make(left.ringing, left.world, hold, left.machine)

    def _make(
        self,
        ringing: Ringing,
        world: World,
        hold: CallHold,
        machine: CallMachine | None = None,
    ) -> LiveCall:
        return LiveCall(
            ringing=ringing,
            world=world,
            hold=hold,
            taken_over=machine,
            api=self._clients.api,
            sidebands=self._clients.sidebands,
            tools=self._clients.endpoints,
            counts=self._counts,
            metrics=self._metrics,
            timeouts=self._timeouts,
            watches=self._watches(ringing),
            clock=self._clock,
        )
