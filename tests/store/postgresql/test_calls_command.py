"""`phone-agents calls` on PostgreSQL: the same actions on the same calls as in tests/cli/test_calls.py."""

import asyncio
import json
from pathlib import Path

import pytest

from runner.cli.main import OK, main
from runner.store.opening import open_store
from tests.cli.test_calls import calls, fill
from tests.store.postgresql.server import PostgresqlServer


async def test_calls_are_listed_shown_tried_again_and_deleted(
    postgresql: PostgresqlServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    url = postgresql.new_database()
    monkeypatch.setenv("DATABASE_URL", url)
    Path("agents").mkdir()
    Path("agents/runner.yaml").write_text("store: {env: DATABASE_URL}\n")
    store = await open_store(url)
    await fill(store)

    async def run(*arguments: str) -> str:
        assert await asyncio.to_thread(main, ["calls", *arguments]) == OK
        return capsys.readouterr().out

    async def ids(*arguments: str) -> list[str]:
        return [call["id"] for call in json.loads(await run("--format", "json", *arguments))["calls"]]

    assert await ids() == ["rtc_u0_3", "rtc_u0_2", "rtc_u0_1"]
    assert await ids("--number", "+493012345678") == ["rtc_u0_1"]
    shown = json.loads(await run("show", "0_3", "--format", "json"))
    assert shown["record"]["ended"] == calls()[2].ended
    assert "rtc_u0_2" in await run("parked")
    await run("resend", "rtc_u0_2")
    assert await run("parked") == "no job is parked\n"
    await run("delete", "--before", "2026-11-23T00:00Z", "--yes")
    await run("delete", "rtc_u0_2")
    assert await ids() == ["rtc_u0_3"]
    backlog = await store.backlog()
    assert (backlog.open, backlog.parked) == (0, 0)
    await store.close()
