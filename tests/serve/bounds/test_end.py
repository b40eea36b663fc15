"""The end of the process comes, whatever hangs."""

import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from runner.standin.faults import Faults
from runner.standin.script import CallerHangsUp, CallerSays, greets, says
from tests.serve.bounds.configuration import DELIVERS_SLOWLY
from tests.serve.bounds.lowered import FOREVER_S, LOWERED
from tests.serve.bounds.rows.answering import SILENT
from tests.serve.bounds.rows.during import greeted
from tests.serve.bounds.serving import hang, serving
from tests.serve.bounds.table import alone_beyond

pytestmark = pytest.mark.chaos


@alone_beyond(
    "serve.runner.HURRIED_S", "serve.timeouts.close_s", "serve.timeouts.end_s", "serve.timeouts.save_s"
)
async def test_an_end_in_which_nothing_ends_comes_all_the_same(tmp_path: Path) -> None:
    """And the neighbour is hung up first."""
    waits = (
        "serve.timeouts.hangup_s",
        "store.record_saver.ATTEMPT_S",
        "store.record_saver.LAST_ATTEMPT_S",
        "store.sqlite.database.BUSY_S",
        "store.sqlite.database.CLOSE_S",
    )
    lowered = {
        **LOWERED,
        **dict.fromkeys(waits, FOREVER_S),
        "serve.runner.HURRIED_S": 0.5,
        "serve.timeouts.close_s": 2.0,
        "serve.timeouts.end_s": 4.0,
        "serve.timeouts.save_s": 0.5,
    }
    async with serving(tmp_path, lowered) as service:
        stuck, _ = await service.ring(greets(), faults=Faults(hangup=(SILENT,) * 99))
        await greeted(service, stuck)
        with closing(sqlite3.connect(tmp_path / "calls.db", isolation_level=None)) as store:
            store.execute("BEGIN IMMEDIATE")
            await service.ends(signal.SIGTERM, signal.SIGTERM)
    assert service.neighbour.call.is_over
    await service.logged("not everything could be closed in time")


@alone_beyond("serve.timeouts.shutdown_s", "serve.timeouts.sideband_close_s", "serve.tracing.otlp.CLOSE_S")
async def test_an_end_in_which_nobody_answers_comes_all_the_same(tmp_path: Path) -> None:
    outer = dict.fromkeys(("serve.timeouts.close_s", "serve.timeouts.end_s"), FOREVER_S)
    inner = dict.fromkeys(("serve.timeouts.shutdown_s", "serve.tracing.otlp.CLOSE_S"), 0.5)
    async with serving(tmp_path, {**LOWERED, **outer, **inner}, traces="traces") as service:
        service.endpoint.handlers["traces"] = hang
        deaf, _ = await service.ring(greets())
        await greeted(service, deaf)
        service.wire.sidebands[deaf.id].passes.clear()
        await service.stream()
        await service.ends(signal.SIGTERM, signal.SIGTERM)
    assert service.neighbour.call.is_over
    assert deaf.is_over


@alone_beyond("serve.timeouts.after_call_s")
async def test_an_end_waits_for_no_receiver_that_hangs(tmp_path: Path) -> None:
    async with serving(tmp_path, {**LOWERED, "serve.timeouts.after_call_s": 0.5}) as service:
        service.endpoint.handlers["leased"] = hang
        await service.play(
            greets(), CallerSays(text="Bye."), says("Bye."), CallerHangsUp(), to=DELIVERS_SLOWLY
        )
        await service.asked("leased", 1)
        await service.neighbour.is_served()
        await service.hang_up(service.neighbour.call)
        await service.ends(signal.SIGTERM)
