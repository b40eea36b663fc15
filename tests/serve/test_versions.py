"""Another version of the configuration takes the place of the one in force: all of it, or nothing."""

import asyncio
import logging
from pathlib import Path

import pytest

from runner.serve import background
from runner.serve.metrics import Metrics
from runner.serve.reloads import Reloads
from runner.serve.versions import DirectorySource, ReloadError, Version, Versions
from runner.wording import plural
from tests.clock import NOW
from tests.patience import PATIENCE_S

AT = "2026-11-23T17:00:00Z"
AGENT = """\
agent: desk
model: gpt-realtime-2.1
instructions: Be kind.
routes: [{to: "+18005551212"}]
"""
ENVIRON = {
    "OPENAI_API_KEY": "sk-1",
    "OPENAI_WEBHOOK_SECRET": "whsec_bWFwbGUtZGVudGFsLXNlY3JldC0x",
    "CRM": "s3cret",
}


class Desk:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.write(AGENT)
        self.metrics = Metrics()
        source = DirectorySource(directory, None, ENVIRON)
        self.versions = Versions(source.read(), source, self.metrics, lambda: NOW)

    def write(self, agent: str, runner: str = "records: {keep: 90d}\n") -> None:
        (self.directory / "desk.yaml").write_text(agent)
        (self.directory / "runner.yaml").write_text(runner)

    def metric(self, name: str) -> float:
        lines = [line for line in self.metrics.text().decode().splitlines() if line.startswith(name + " ")]
        return float(lines[0].rsplit(" ", 1)[1])


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_new_calls_get_the_version_that_was_loaded_last(desk: Desk) -> None:
    before = desk.versions.current
    assert desk.versions.shown == f"configuration {before.source.hash}"
    desk.write(AGENT.replace("Be kind.", "Be brief."))
    after = await desk.versions.reload()
    assert desk.versions.shown == f"configuration {after.source.hash}, reloaded at {AT}"
    assert desk.versions.current is after
    assert after.source.hash != before.source.hash
    assert after.world.agents["desk"].instructions.source == "Be brief."
    assert before.world.agents["desk"].instructions.source == "Be kind."
    assert desk.metric('phone_agents_configuration_reloads_total{result="done"}') == 1
    assert desk.metric(f'phone_agents_configuration_info{{hash="{after.source.hash}"}}') == 1
    assert before.source.hash not in desk.metrics.text().decode()


@pytest.mark.parametrize(
    ("agent", "runner", "reason"),
    [
        ("agent: desk\nmodel: [\n", "", "desk.yaml"),
        (AGENT, "secrets: {CRM: {env: CRM_2}}\n", 'environment variable "CRM_2" is not set'),
    ],
    ids=["an error", "a secret that is missing"],
)
async def test_whatever_is_wrong_leaves_the_version_in_force_and_says_so(
    desk: Desk, agent: str, runner: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = desk.versions.current
    desk.write(agent, runner)
    with pytest.raises(ReloadError) as raised:
        await desk.versions.reload()
    assert reason in str(raised.value)
    assert desk.versions.current is before
    assert desk.metric('phone_agents_configuration_reloads_total{result="failed"}') == 1
    assert desk.metric("phone_agents_configuration_last_reload_successful") == 0
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    failed = f"; the reload at {AT} failed: {plural(len(raised.value.reasons), 'error')}, in the log"
    assert desk.versions.shown == f"configuration {before.source.hash}{failed}"
    desk.write(AGENT)
    after = await desk.versions.reload()
    assert desk.versions.shown == f"configuration {after.source.hash}, reloaded at {AT}"
    assert desk.metric("phone_agents_configuration_last_reload_successful") == 1


async def test_what_needs_a_restart_is_said(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.write(AGENT, "records: {keep: 90d}\nserver: {port: 9090}\n")
    await desk.versions.reload()
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert (warning.message, vars(warning)["sections"]) == (
        "change takes effect at the next start",
        ["server"],
    )


def test_a_change_of_any_file_is_noticed_once(desk: Desk) -> None:
    source = DirectorySource(desk.directory, None, ENVIRON)
    assert not source.has_changed()
    (desk.directory / "_prompt.md").write_text("x")
    assert source.has_changed()
    assert not source.has_changed()


class BuggyOnce(DirectorySource):
    """A source whose first reload meets a bug of ours."""

    has_failed = False

    def read(self) -> Version:
        if not self.has_failed:
            self.has_failed = True
            raise RuntimeError("a bug")
        return super().read()


async def test_a_reload_that_fails_by_a_bug_is_told_and_does_not_stop_the_next_one(
    desk: Desk, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "RESTART_S", 0.0)
    before = desk.versions.current
    source = BuggyOnce(desk.directory, None, ENVIRON)
    versions = Versions(before, source, desk.metrics, lambda: NOW)
    reloads = Reloads(versions)
    reloads.start(watch=False)
    reloads.ask()
    async with asyncio.timeout(PATIENCE_S):
        while "reloading the configuration failed and is started again" not in caplog.text:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        failed = f"; the reload at {AT} failed: a bug, in the log"
        assert versions.shown == f"configuration {before.source.hash}{failed}"
        assert desk.metric("phone_agents_configuration_last_reload_successful") == 0
        reloads.ask()
        while versions.current is before:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    await reloads.close()
