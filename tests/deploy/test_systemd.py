"""The unit is one that systemd understands, leaves little open, and gives calls their time."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from runner.model.settings import Server
from tests.deploy.proxies import changed, program
from tests.deploy.test_kubernetes import end_s
from tests.docs.pages import ROOT

UNIT = ROOT / "deploy/systemd/phone-agents.service"
MOST_EXPOSED = 15
"""Tenths, of what `systemd-analyze security` calls exposure: 100 is a service without any protection."""


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit for this checkout."""
    phone_agents = Path(sys.executable).with_name("phone-agents")
    text = changed(UNIT.read_text(), ("/opt/phone-agents/bin/phone-agents", str(phone_agents)))
    (path := tmp_path / UNIT.name).write_text(text)
    return path


@pytest.mark.deploy
@pytest.mark.parametrize(
    "command", [("verify", "--man=no"), ("security", "--offline=true", f"--threshold={MOST_EXPOSED}")]
)
def test_systemd_finds_nothing(command: tuple[str, ...], unit: Path) -> None:
    analyze = program("systemd-analyze", "systemd")
    result = subprocess.run(
        [analyze, *command, str(unit)], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "phone-agents.service:" not in result.stderr


def test_a_stop_gives_live_calls_their_time() -> None:
    (found,) = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT.read_text(), re.MULTILINE)
    needed_s = Server().drain_timeout_s + end_s()
    assert needed_s < int(found) <= needed_s + 60
