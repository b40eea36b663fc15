"""A reader's machine: a project in git, the variables that are set, and a shell."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from runner.model.job import Job, JobCapacity, JobKind, Parked
from runner.model.record import CallRecord, ToolUse, Turn
from runner.model.usage import Usage
from runner.store.opening import open_store
from tests.clock import NOW
from tests.docs.pages import ROOT, read

_GIT = ("git", "-c", "user.name=A", "-c", "user.email=a@maple.example")


def make_project(folder: Path) -> None:
    """What somebody has who follows the README: the example agents, the first agent, all of it in git."""
    shutil.copytree(ROOT / "agents", folder / "agents")
    (folder / "my-agents").mkdir()
    first = read("README.md").blocks("yaml")[0]
    (folder / "my-agents" / "hello.yaml").write_text(first.text, encoding="utf-8")
    for step in (
        ("init", "-q", "-b", "main"),
        ("add", "--all"),
        ("commit", "-q", "-m", "Agents"),
        ("update-ref", "refs/remotes/origin/main", "main"),
    ):
        subprocess.run([*_GIT, *step], cwd=folder, env=environ(), check=True)
    asyncio.run(_make_store(f"sqlite:{folder / 'calls.db'}"))


async def _make_store(url: str) -> None:
    """What a runner has left: one call, whose delivery was given up."""
    store = await open_store(url)
    record = CallRecord(
        id="rtc_u1_DiPn7qXe81Zba9tK",
        agent="after-hours",
        route="agents/after-hours.yaml:8:5",
        why="the route at agents/after-hours.yaml:8:5 matches: to is +18005550142",
        caller="+14155550100",
        called="+18005550142",
        transport="sip",
        created_at=NOW,
        accepted_at=NOW + 0.21,
        ended_at=NOW + 41.3,
        ended="hangup",
        turns=(
            Turn(role="agent", text="Maple Dental is closed now. May I take a message?", at=NOW + 0.9),
            Turn(role="caller", text="Yes. Ada Lovelace, please call me back.", at=NOW + 6.2),
            Turn(role="agent", text="I have noted that. Goodbye!", at=NOW + 14.8),
        ),
        tools=(
            ToolUse(
                name="take_message",
                call_id="call_1",
                arguments={"name": "Ada Lovelace"},
                started_at=NOW + 12.4,
                took_s=0.31,
                status="ok",
                http_status=200,
                attempts=1,
            ),
        ),
        model="gpt-realtime-2.1",
        usage=Usage(text_in=2104, text_cached=1800, audio_in=260, text_out=64, audio_out=210),
        cost_usd=0.0312,
    )
    job = Job(
        id="job_1",
        call_id=record.id,
        kind=JobKind.DELIVERY,
        receiver="crm.example",
        created_at=NOW,
        due_at=NOW,
        work={"http": {}},
    )
    await store.save(record, [job])
    for due in await store.take(JobCapacity(most=1, per_receiver=1), now=NOW, lease_s=1):
        await store.settle(due, Parked(error="410 Gone"), NOW)
    await store.close()


def environ() -> dict[str, str]:
    """The variables that a reader sets, and the project's own command first on the path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    settings = (ROOT / "agents" / "runner.yaml").read_text(encoding="utf-8")
    names = {*re.findall(r"{env: (\w+)}", settings), "OPENAI_WEBHOOK_SECRET"}
    return {
        **kept,
        **dict.fromkeys(names, "whsec_bm90IGEgc2VjcmV0LCBub3QgYXQgYWxs"),
        "OPENAI_API_KEY": "sk-1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}",
        # Unbuffered, both outputs mix as they do on a terminal.
        "PYTHONUNBUFFERED": "1",
        "COLUMNS": "110",
        "TZ": "UTC",
    }


def bash(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script as a reader's shell does; both outputs are one text."""
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def played(session: str, project: Path, folder: Path) -> str:
    """A session of a terminal as it goes now, in a copy of the project."""
    shutil.copytree(project, folder, dirs_exist_ok=True)
    lines = re.findall(r"^\$ (.+)$", session, re.M)
    return "".join(f"$ {line}\n{bash(line, folder).stdout}" for line in lines)
