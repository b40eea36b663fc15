"""Imports point one way, cli → serve → {config, call, api} → model, and deciding stays pure: lint says so."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def complaints(folder: str, line: str) -> str:
    """What lint says of a file in `runner/<folder>` that holds this line."""
    command = ["check", "--no-cache", "--select", "TID251", "--output-format", "concise"]
    return subprocess.run(
        [sys.executable, "-m", "ruff", *command, "--stdin-filename", f"runner/{folder}/new.py", "-"],
        input=f"{line}\n",
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    ).stdout


@pytest.mark.parametrize(
    ("folder", "line"),
    [
        ("model", "from runner.call.machine.session import Session"),
        ("model", "import os"),
        ("call", "from runner.config.load import load"),
        ("call", "from runner.config import load"),
        ("call", "from runner import config"),
        ("call", "import runner.serve.sideband"),
        ("call", "from runner.api import realtime"),
        ("call", "import asyncio"),
        ("call", "from asyncio import sleep"),
        ("call", "import time"),
        ("call", "from time import monotonic"),
        ("call", "from os import environ"),
        ("call", "from datetime import datetime\nnow = datetime.now()"),
        ("api", "from runner.serve.api_client import ApiClient"),
        ("api", "import aiohttp"),
        ("difference", "from runner.config.load import load"),
        ("difference", "from runner.cli.summary import asks"),
        ("difference", "import subprocess"),
        ("difference", "from datetime import datetime\nnow = datetime.now()"),
        ("config", "from runner.serve import app"),
        ("config", "import aiohttp"),
        ("config", "import websockets.asyncio.client"),
        ("scenario", "from runner.serve.secrets import find_secrets"),
        ("scenario", "from runner.standin.server import StandIn"),
        ("scenario", "from runner.cli.main import main"),
        ("scenario", "import asyncio"),
        ("scenario", "from time import sleep"),
        ("call", "from runner.scenario.player import Player"),
        ("config", "from runner.scenario.player import Player"),
        ("serve", "from runner.cli.main import main"),
        ("scenario", "from runner.demo.demo_call import DemoCall"),
        ("serve", "from runner.standin.server import StandIn"),
        ("serve", "from runner.demo.demo_call import DemoCall"),
        ("standin", "from runner.cli.main import main"),
        ("standin", "from runner.demo.demo_call import DemoCall"),
        ("standin", "from runner.scenario.player import Player"),
        ("standin", "from runner.serve.runner import Runner"),
        ("demo", "from runner.cli.main import main"),
    ],
)
def test_an_import_against_the_direction_is_refused(folder: str, line: str) -> None:
    assert "TID251" in complaints(folder, line)


@pytest.mark.parametrize(
    ("folder", "line"),
    [
        ("call", "from runner.model.call import IncomingCall"),
        ("call", "from datetime import time"),
        ("config", "from runner.call.templates.template import compile_template"),
        ("config", "from pathlib import Path"),
        ("difference", "from runner.api.port import VoiceApi"),
        ("scenario", "from runner.call.machine.session import Session"),
        ("scenario", "from runner.config.load import load"),
        ("scenario", "from runner.standin.conversation import PlayedConversation"),
        ("demo", "from runner.standin.server import StandIn"),
        ("demo", "from runner.serve.runner import Runner"),
        ("serve", "import asyncio"),
        ("serve", "from runner.config.load import load"),
        ("cli", "from runner.serve import app"),
    ],
)
def test_an_import_along_the_direction_is_fine(folder: str, line: str) -> None:
    assert complaints(folder, line) == "All checks passed!\n"
