"""`python -m runner.standin` in one process, `phone-agents run` in another, as docs/commands.md says."""

import asyncio
import re
import socket
import sys
from pathlib import Path

from runner.standin.server import StandIn
from tests.patience import PATIENCE_S
from tests.processes import CLOCK
from tests.serving import Desk

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
AGENT = """\
agent: front-desk
routes: [{to: "+18005550142"}]
model: gpt-realtime-2.1
instructions: Be kind.
greeting: Hi.
tools: [{name: end_call, description: End., hangup: {}}]
"""


async def test_a_newcomer_calls_a_runner_without_an_account(tmp_path: Path, held_port: int) -> None:
    command = re.search(r"^python (-m runner\.standin)$", PAGE.read_text(), re.MULTILINE)
    assert command is not None
    desk = Desk(StandIn(), tmp_path)
    (desk.agents / "front-desk.yaml").write_text(AGENT)
    (desk.agents / "runner.yaml").write_text("store: sqlite:calls.db\n")
    standin = await asyncio.create_subprocess_exec(
        *(sys.executable, *command[1].split(), "--port", "0", "--runner", f"http://127.0.0.1:{held_port}"),
        env=CLOCK,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    told = ""

    async def until(text: str) -> None:
        nonlocal told
        assert standin.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            while text not in told:
                line = (await standin.stdout.readline()).decode()
                assert line, told
                told += line

    async def say(line: str) -> None:
        assert standin.stdin is not None
        standin.stdin.write(f"{line}\n".encode())
        await standin.stdin.drain()

    try:
        await until("Ctrl-D")
        await say("Is anybody there?")
        await until("no runner answers")
        environ = dict(re.findall(r"export (\w+)=(\S+)", told))
        async with desk.run("--port", str(held_port), environ=environ) as process:
            await process.started()
            await say("/end_call {}")
            await until("hangup")
            assert standin.stdin is not None
            standin.stdin.close()
            async with asyncio.timeout(PATIENCE_S):
                assert await standin.wait() == 0
    finally:
        if standin.returncode is None:
            standin.kill()
            await standin.communicate()
    assert told[told.rindex("rings") :].splitlines() == [
        "rings     +14155550100 calls +18005550142",
        "agent     Hi.",
        "tool      end_call {}",
        "hangup    requested by the runner",
    ]


async def test_a_port_in_use_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        standin = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "runner.standin", "--port", str(port)),
            env=CLOCK,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(PATIENCE_S):
            told = await standin.communicate()
    assert (standin.returncode, *told) == (
        3,
        b"",
        b"python -m runner.standin: port %d cannot be opened: address already in use;"
        b" choose another with --port\n" % port,
    )
