"""Opens the parts that serve calls, each after those that it needs."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import aiohttp

from runner import __version__
from runner.api.realtime import api as realtime
from runner.call.machine.call_counts import CallCounts, day_of
from runner.errors import CannotRunError, StoreError
from runner.model.call import Ringing
from runner.model.settings import Settings
from runner.model.values import DAY_S
from runner.serve.call_actions import SharedByCalls
from runner.serve.call_answerer import CallAnswerer
from runner.serve.call_intake import CallIntake
from runner.serve.call_watch import CallWatch
from runner.serve.clients import Clients
from runner.serve.fleet.service import FleetService
from runner.serve.jobs import JobWorker
from runner.serve.live_calls import LiveCalls
from runner.serve.process import Process
from runner.serve.secrets import FoundSecrets
from runner.serve.storage import Storage
from runner.serve.tracing.tracing import Tracing
from runner.serve.versions import Versions
from runner.serve.webhooks import Webhooks
from runner.store.journal.seal import Seal


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What a started runner serves calls with. Made by `open`; the process's owner closes it."""

    storage: Storage
    clients: Clients
    jobs: JobWorker
    live_calls: LiveCalls
    fleet: FleetService
    intake: CallIntake
    webhooks: Webhooks

    @classmethod
    async def open(
        cls,
        process: Process,
        settings: Settings,
        secrets: FoundSecrets,
        versions: Versions,
        *,
        name: str | None,
        dead: str | None,
        new_connector: Callable[[], aiohttp.BaseConnector] | None,
        tracing: Tracing | None,
        watches: Callable[[Ringing], Sequence[CallWatch]],
    ) -> Self:
        """Open everything; jobs run from now on, and calls are taken over once it is started.

        For `name`, `dead` and `new_connector` see `Runner`. `watches` makes the watches of a call. Raises
        CannotRunError.
        """
        owner, readiness = process.owner, process.readiness
        metrics, timeouts = process.metrics, process.timeouts
        has_new_jobs = asyncio.Event()
        storage = await Storage.open(
            secrets.store() or str(settings.store),
            keep_s=settings.records.keep_s,
            metrics=metrics,
            clock=process.clock,
            on_jobs=has_new_jobs.set,
        )
        owner.push_async_callback(storage.close)
        readiness.add_troubles(lambda: storage.troubles)
        call_counts = CallCounts()
        now = process.clock()
        call_counts.remember(await storage.count_calls(day_of(now) * DAY_S), now)
        clients = await Clients.open(process, settings, secrets, new_connector=new_connector, tracing=tracing)
        readiness.add_obstacle(lambda: clients.api.obstacle)
        jobs = JobWorker(
            store=storage.store,
            model=clients.api,
            endpoints=clients.endpoints,
            secrets=lambda: versions.current.secrets.tools,
            metrics=metrics,
            timeouts=timeouts,
            clock=process.clock,
            changed=has_new_jobs,
        )
        owner.push_async_callback(jobs.close)
        jobs.start()
        live_calls = LiveCalls(saver=storage.saver, metrics=metrics, timeouts=timeouts)
        readiness.count_calls(lambda: live_calls.held)
        fleet = FleetService(
            storage.store,
            Seal(secrets.webhook_secrets),
            versions,
            live_calls,
            metrics,
            version=__version__,
            name=name,
            dead=dead,
            clock=process.clock,
            lease_s=timeouts.runner_lease_s,
            heartbeat_s=timeouts.heartbeat_s,
            spool=storage.journal_spool(),
        )
        readiness.add_troubles(lambda: fleet.troubles)
        readiness.add_troubles(lambda: [] if jobs.trouble is None else [jobs.trouble])
        shared = SharedByCalls(
            clients=clients, counts=call_counts, metrics=metrics, timeouts=timeouts, clock=process.clock
        )
        intake = CallIntake(
            live_calls=live_calls,
            shared=shared,
            fleet=fleet,
            world=lambda: versions.current.world,
            watches=watches,
        )
        answerer = CallAnswerer(ring=intake.ring, has_call=fleet.member.has, is_open=readiness.takes_calls)
        webhooks = Webhooks(
            api=realtime,
            secrets=secrets.webhook_secrets,
            answer=answerer.answer,
            metrics=metrics,
            timeouts=timeouts,
            clock=process.clock,
        )
        return cls(
            storage=storage,
            clients=clients,
            jobs=jobs,
            live_calls=live_calls,
            fleet=fleet,
            intake=intake,
            webhooks=webhooks,
        )

    async def start(self, process: Process) -> None:
        """Join the fleet, and take over the calls that another process has left. Raises CannotRunError."""
        try:
            await self.fleet.start(self.intake.take_over)
        except StoreError as error:
            raise CannotRunError(f"the store cannot say which calls are live: {error}") from None
        process.owner.push_async_callback(self.fleet.close)
