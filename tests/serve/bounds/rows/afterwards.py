"""Receivers and a text model that do not answer, or never well, after a call."""

import asyncio
import sqlite3
import time
from contextlib import closing

from aiohttp import web

from runner.standin.faults import HttpFault
from runner.standin.placed_call import PlacedCall
from runner.standin.script import CallerHangsUp, CallerSays, greets, says
from tests.patience import PATIENCE_S
from tests.serve.bounds.configuration import (
    ASKS,
    DELIVERS,
    DELIVERS_OFTEN,
    DELIVERS_SLOWLY,
    DELIVERS_TO_MANY,
    IS_REFUSED,
)
from tests.serve.bounds.lowered import LOWERED
from tests.serve.bounds.service import Service
from tests.serve.bounds.serving import hang
from tests.serve.bounds.table import waits_beyond


async def over(service: Service, to: str) -> PlacedCall:
    """A call that has ended."""
    return await service.play(greets(), CallerSays(text="Bye."), says("Bye."), CallerHangsUp(), to=to)


async def make_due(service: Service, many: int, call: PlacedCall | None = None) -> None:
    """Let this many jobs be due that are parked: all that there are, or those of a call.

    They are parked in the store after the log has said so.
    """
    made = 0

    def are_due() -> bool:
        nonlocal made
        with closing(sqlite3.connect(service.directory / "calls.db", timeout=PATIENCE_S)) as store, store:
            update = "UPDATE jobs SET state = 'open', due_at = 0 WHERE state = 'parked' AND call_id GLOB ?"
            made += store.execute(update, ("*" if call is None else call.id,)).rowcount
        return made == many

    await service.until(are_due)


async def gone(_: web.Request) -> web.Response:
    """Refuse a delivery for good."""
    return web.Response(status=410)


@waits_beyond("call.afterwards.capacity.MOST_HELD", "call.afterwards.capacity.MOST_PER_RECEIVER")
async def receivers_that_hang(service: Service) -> None:
    held: dict[str, int] = {}
    most = {"one": 0, "all": 0}

    async def hold(request: web.Request) -> web.Response:
        host = request.host
        held[host] = held.get(host, 0) + 1
        most["one"] = max(most["one"], held[host])
        most["all"] = max(most["all"], sum(held.values()))
        try:
            await asyncio.sleep(1.0)
        finally:
            held[host] -= 1
        return web.Response()

    service.endpoint.handlers["held"] = hold
    await over(service, DELIVERS_OFTEN)
    await service.asked("held", 8)
    await asyncio.gather(*(over(service, DELIVERS_TO_MANY) for _ in range(4)))
    await service.asked("held", 28)
    assert most["one"] <= LOWERED["call.afterwards.capacity.MOST_PER_RECEIVER"]
    assert most["all"] <= LOWERED["call.afterwards.capacity.MOST_HELD"]


@waits_beyond(
    "call.afterwards.jobs.FIRST_WAIT_S",
    "call.afterwards.jobs.LONGEST_WAIT_S",
    "call.afterwards.jobs.LONGEST_S",
)
async def a_receiver_that_always_fails(service: Service) -> None:
    attempts: list[float] = []

    async def fail(_: web.Request) -> web.Response:
        attempts.append(asyncio.get_running_loop().time())
        return web.Response(status=500)

    service.endpoint.handlers["deliver"] = fail
    call = await over(service, DELIVERS)
    waits_s: list[float] = []

    def has_waited() -> bool:
        """By now the waits would have doubled three times."""
        with closing(sqlite3.connect(service.directory / "calls.db")) as store:
            query = "SELECT due_at FROM jobs WHERE call_id = ? AND attempts > 3 AND taken_until = 0"
            waits_s.extend(due_at - time.time() for (due_at,) in store.execute(query, (call.id,)))
        return bool(waits_s)

    await service.until(has_waited)
    assert waits_s[0] <= LOWERED["call.afterwards.jobs.LONGEST_WAIT_S"]
    await service.logged("job was attempted", call_id=call.id, result="parked")
    # A wait is up to a half shorter.
    assert attempts[1] - attempts[0] >= LOWERED["call.afterwards.jobs.FIRST_WAIT_S"] / 2


@waits_beyond("serve.timeouts.question_s")
async def a_text_model_that_does_not_answer(service: Service) -> None:
    service.api.text_faults.append(HttpFault(after_s=60.0))
    call = await over(service, ASKS)
    again = await service.logged("job was attempted", call_id=call.id, kind="outcome")
    assert again["result"] == "again"
    await service.logged("job was attempted", call_id=call.id, kind="outcome", result="done")


@waits_beyond("serve.timeouts.poll_s")
async def a_job_that_another_process_has_made_due(service: Service) -> None:
    service.endpoint.handlers["refused"] = gone
    call = await over(service, IS_REFUSED)
    await service.logged("job was attempted", call_id=call.id, kind="delivery", result="parked")
    del service.endpoint.handlers["refused"]
    await make_due(service, 1, call)
    await service.logged("job was attempted", call_id=call.id, kind="delivery", result="done")


@waits_beyond("serve.timeouts.lease_s")
async def an_attempt_that_outlasts_its_lease(service: Service) -> None:
    """The job is due again, as after a crash: at least once is the promise."""
    service.endpoint.handlers["leased"] = hang
    await over(service, DELIVERS_SLOWLY)
    await service.asked("leased", 2)
