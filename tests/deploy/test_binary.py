"""dist/phone-agents in an empty directory, without Python on the path: every command, and a whole call.

deploy/build-binary has to have run before.
"""

import json
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from runner import __version__
from runner.standin.script import CallerHangsUp, greets
from runner.standin.server import StandIn
from tests.serving import KEYS, Desk, Process

pytestmark = pytest.mark.binary

BINARY = Path(__file__).parents[2] / "dist" / "phone-agents"
TOOLS = ("sh", "id", "mkdir", "mv", "rm", "tail", "tar", "gzip")
"""All that the file itself needs."""


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a machine without Python; the cache is filled by whoever comes first."""
    folder = tmp_path_factory.mktemp("machine")
    path = folder / "bin"
    path.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, tool
        (path / tool).symlink_to(found)
    return {"PATH": str(path), "XDG_CACHE_HOME": str(folder / "cache"), "COLUMNS": "100"}


def binary(
    *arguments: str, folder: Path, environ: dict[str, str], code: int = 0
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [BINARY, *arguments],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == code, done.stderr
    return done


def test_it_does_all_that_is_done_offline(tmp_path: Path, environ: dict[str, str]) -> None:
    def run(*arguments: str) -> str:
        return binary(*arguments, folder=tmp_path, environ=environ).stdout

    assert run("--version") == f"phone-agents {__version__}\n"
    assert "wrote agents/front-desk.yaml" in run("init")
    run("validate", "--deny-warnings")
    run("test")
    assert "answered  by front-desk" in run("simulate", "--speed", "0")
    assert "agent" in run("route", "--to", "+18005551212")
    for kind in ("agent", "runner", "test", "problems"):
        assert json.loads(run("schema", kind))["$schema"]
    refused = binary("validate", "--fomat", "json", folder=tmp_path, environ=environ, code=2)
    assert "Traceback" not in refused.stderr


def test_time_zones_and_numbers_are_inside(tmp_path: Path, environ: dict[str, str]) -> None:
    agents = tmp_path / "agents"
    agents.mkdir()
    (agents / "runner.yaml").write_text(
        "routing: {default_country: DE}\n"
        "schedules: {office: {timezone: America/New_York, open: {mon-fri: 09:00-17:00}}}\n"
    )
    (agents / "desk.yaml").write_text(
        "agent: desk\nroutes: [{to: '0221 4710123', during: office}]\nmodel: gpt-realtime-2.1\n"
        "instructions: Be kind.\n"
    )
    no_zones = {**environ, "PYTHONTZPATH": ""}
    asked = ("route", "--to", "+492214710123", "--at", "2026-11-23T10:00-05:00", "--expect", "desk")
    assert "desk" in binary(*asked, folder=tmp_path, environ=no_zones).stdout


@pytest.fixture
async def desk(tmp_path: Path, environ: dict[str, str]) -> AsyncIterator[Desk]:
    async with StandIn() as api:
        desk = Desk(api, tmp_path)
        desk.program = (str(BINARY),)
        desk.environ = {**environ, **KEYS}
        yield desk


def pid_of(process: Process) -> int:
    return process._process.pid


async def test_it_serves_a_whole_call_and_drains(desk: Desk) -> None:
    async with desk.run() as process:
        url = await process.started()
        call, status = await desk.ring(url, greets(), CallerHangsUp())
        assert status == 200
        await desk.api.until_over(call)
        process.tell(signal.SIGHUP)
        await process.logged("configuration")
        process.tell(signal.SIGTERM)
        assert (await process.ended())[0] == 0
    assert call.violations == []
    assert desk.ends() == {call.id: "caller_hung_up"}
    listed = binary("calls", folder=desk.directory, environ=desk.environ)
    assert call.id in listed.stdout


async def test_the_console_is_inside(desk: Desk) -> None:
    desk.settings("server: {admin: {port: 0, tokens: {pager: {env: PAGER}}}}")
    desk.environ["PAGER"] = "x" * 32
    async with desk.run() as process, aiohttp.ClientSession() as session:
        await process.started()
        async with session.get(f"{process.admin_url}/console/") as page:
            assert (page.status, page.content_type) == (200, "text/html")
        token = {"Authorization": f"Bearer {desk.environ['PAGER']}"}
        async with session.get(f"{process.admin_url}/admin/openapi.json", headers=token) as document:
            assert (await document.json())["openapi"].startswith("3.1")


async def test_a_signal_to_the_file_is_one_to_the_runner(desk: Desk) -> None:
    """Nothing is left behind that would go on serving."""
    async with desk.run() as process:
        url = await process.started()
        pid = pid_of(process)
        assert Path(f"/proc/{pid}/exe").readlink().is_relative_to(desk.environ["XDG_CACHE_HOME"])
        assert "uvloop" in Path(f"/proc/{pid}/maps").read_text()
        process.tell(signal.SIGKILL)
        assert (await process.ended())[0] == -signal.SIGKILL
    host, _, port = url.removeprefix("http://").partition(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=5).close()


def test_many_first_starts_at_once_unpack_one_program(tmp_path: Path, environ: dict[str, str]) -> None:
    cache = tmp_path / "cache"
    fresh = {**environ, "XDG_CACHE_HOME": str(cache)}
    started = [
        subprocess.Popen([BINARY, "--version"], env=fresh, cwd=tmp_path, stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    assert {process.communicate(timeout=120)[0] for process in started} == {
        f"phone-agents {__version__}\n".encode()
    }
    (program,) = cache.iterdir()
    assert program.stat().st_mode & 0o777 == 0o700


def test_where_it_cannot_unpack_it_says_so(tmp_path: Path, environ: dict[str, str]) -> None:
    nowhere = {
        "PATH": environ["PATH"],
        **dict.fromkeys(("XDG_CACHE_HOME", "HOME", "TMPDIR"), "/proc/nowhere"),
    }
    refused = binary("--version", folder=tmp_path, environ=nowhere, code=3)
    assert refused.stderr == (
        "phone-agents: there is no directory to unpack this file into; set XDG_CACHE_HOME to one that may be "
        "written\n"
    )
