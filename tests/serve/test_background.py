"""Work that runs as long as the process: a failure is told, shows, and starts it again."""

import asyncio
import logging

import pytest

from runner.serve import background
from runner.serve.background import Background
from tests.patience import PATIENCE_S


async def test_work_that_fails_is_told_and_started_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "RESTART_S", 0.0)
    starts, runs_again = 0, asyncio.Event()

    async def work() -> None:
        nonlocal starts
        starts += 1
        if starts == 1:
            raise ValueError("a bug")
        runs_again.set()
        await asyncio.Future()

    running = Background("the sweeper", work)
    shown = [running.trouble]
    running.start()
    async with asyncio.timeout(PATIENCE_S):
        await runs_again.wait()
    shown.append(running.trouble)
    assert [(entry.levelno, entry.message) for entry in caplog.records] == [
        (logging.ERROR, "the sweeper failed and is started again")
    ]
    monkeypatch.setattr(background, "STEADY_S", -1.0)
    shown.append(running.trouble)
    assert shown == [None, "the sweeper failed and was restarted: ValueError", None]
    await running.stop()
    assert starts == 2


async def test_stopping_what_never_ran_is_nothing() -> None:
    async def work() -> None:
        raise AssertionError("nobody has started it")

    await Background("nothing", work).stop()
