"""`phone-agents run` as a real process: what it prints, whom it serves, how it ends."""

import json
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runner.cli.main import main
from runner.model.conversation_event import PlaybackEnded
from runner.standin.faults import Faults, HttpFault
from runner.standin.placed_call import State
from runner.standin.script import CallerHangsUp, CallerSays, greets, says
from runner.standin.server import StandIn
from tests.clock import NOW
from tests.patience import PATIENCE_S
from tests.serving import AGENT, KEYS, SECRET, Desk

HUNG_UP_ON = """\
import os, signal, sys
from runner.cli import run
from runner.cli.main import main

def load(*arguments):
    loaded = load_first(*arguments)
    os.kill(os.getpid(), signal.SIGHUP)
    return loaded

load_first, run.load = run.load, load
code = main()
# Where Python ends it could handle nothing.
sys.exit(code if signal.SIGHUP in signal.pthread_sigmask(signal.SIG_BLOCK, ()) else 129)
"""
"""A program as it is, that gets SIGHUP while it starts, and says whether a later one would kill it."""


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with StandIn() as api:
        yield Desk(api, tmp_path)


@pytest.mark.parametrize("declared", [True, False])
async def test_the_api_is_where_the_environment_says_unless_the_file_does(desk: Desk, declared: bool) -> None:
    if declared:
        desk.settings()
        environ = {**KEYS, "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}
    else:
        (desk.agents / "runner.yaml").write_text("store: sqlite:calls.db\n")
        environ = {**KEYS, "OPENAI_BASE_URL": desk.api.base_url}
    async with desk.run("agents", "--port", "0", environ=environ) as process:
        url = await process.started()
        assert f"voice API\n  {desk.api.base_url}\n" in process.out
        _, status = await desk.ring(url, greets(), CallerHangsUp())
        assert status == 200


async def test_it_says_what_it_serves_and_serves_it(desk: Desk) -> None:
    async with desk.run("agents", "--port", "0") as process:
        url = await process.started()
        assert process.out == (
            "phone-agents 0.1.0 serves agents\n"
            "\n"
            "agents\n"
            "  front-desk  gpt-realtime-2.1, marin: Answers the main line.\n"
            "\n"
            "routes, the first that matches wins\n"
            "  front-desk  to begins with +1800, from is a number of CA or US, priority 2\n"
            "  front-desk  to is +18005551212\n"
            "  reject 404  otherwise\n"
            "\n"
            "webhook\n"
            f"  {url}/webhooks/openai  enter its public https:// address at the API\n"
            "\n"
            "voice API\n"
            f"  {desk.api.base_url}\n"
            "\n"
            "store\n"
            "  sqlite:calls.db\n"
        )
        call, status = await desk.ring(url, greets(), CallerHangsUp())
        assert status == 200
        await desk.api.until_over(call)
        process.tell(signal.SIGTERM)
        code, _, err = await process.ended()
    assert (code, call.violations) == (0, [])
    assert desk.ends() == {call.id: "caller_hung_up"}
    assert "Traceback" not in err
    assert SECRET not in err
    assert "sk-simulated" not in err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_one_signal_lets_live_calls_end_by_themselves(desk: Desk, number: signal.Signals) -> None:
    async with desk.run() as process:
        url = await process.started()
        live, _ = await desk.ring(url, greets())
        await desk.api.until(lambda: live.attached)
        process.tell(number)
        await process.logged("draining")
        _, status = await desk.ring(url)
        assert status == 503
        live.play(CallerHangsUp())
        desk.api.wake(live)
        assert (await process.ended())[0] == 0
    assert desk.ends() == {live.id: "caller_hung_up"}


async def test_a_second_signal_hangs_up_what_is_left(desk: Desk) -> None:
    async with desk.run() as process:
        live, _ = await desk.ring(await process.started(), greets())
        await desk.api.until(lambda: live.attached)
        process.tell(signal.SIGTERM)
        await process.logged("draining")
        process.tell(signal.SIGTERM)
        assert (await process.ended())[0] == 0
    assert live.state is State.OVER
    assert desk.ends() == {live.id: "shutdown"}


async def test_a_third_signal_kills(desk: Desk) -> None:
    deaf = Faults(hangup=(HttpFault(after_s=PATIENCE_S),))
    async with desk.run() as process:
        live, _ = await desk.ring(await process.started(), greets(), faults=deaf)
        await desk.api.until(lambda: live.attached)
        process.tell(signal.SIGINT)
        await process.logged("draining")
        process.tell(signal.SIGINT)
        await process.logged("live calls are ended")
        process.tell(signal.SIGINT)
        code, _, err = await process.ended()
    assert code == -signal.SIGINT
    assert "Traceback" not in err


async def test_everything_that_is_not_set_is_named_at_once(desk: Desk) -> None:
    assert await desk.outcome(environ={}) == (
        3,
        "",
        'phone-agents run: environment variable "OPENAI_API_KEY" is not set (provider.api_key); '
        'environment variable "OPENAI_WEBHOOK_SECRET" is not set (provider.webhook_secrets)\n',
    )


async def test_a_webhook_secret_that_is_none_is_told(desk: Desk) -> None:
    assert await desk.outcome(environ=KEYS | {"OPENAI_WEBHOOK_SECRET": "sk-proj-oops"}) == (
        3,
        "",
        "phone-agents run: environment variable OPENAI_WEBHOOK_SECRET is not a webhook secret, "
        'which is "whsec_" and base64 of at least 16 bytes, as the API shows it\n',
    )


async def test_a_port_in_use_is_told(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert await desk.outcome("--port", str(port)) == (
            3,
            "",
            f'phone-agents run: port {port} of "127.0.0.1" is in use; '
            "choose another with --port or server.port\n",
        )


async def test_a_store_that_cannot_be_written_is_told(desk: Desk) -> None:
    desk.settings(store="sqlite:missing/calls.db")
    code, out, err = await desk.outcome()
    assert (code, out) == (3, "")
    assert err.startswith('phone-agents run: store "sqlite:missing/calls.db" cannot be used: ')
    assert err.count("\n") == 1


async def test_the_address_to_listen_on_can_be_given(desk: Desk) -> None:
    desk.settings("server: {host: 192.0.2.1}")
    async with desk.run("--host", "127.0.0.1", "--port", "0") as process:
        assert (await process.started()).startswith("http://127.0.0.1:")
        process.tell(signal.SIGTERM)
        assert (await process.ended())[0] == 0


async def test_the_log_is_json_unless_text_is_asked_for(desk: Desk) -> None:
    for arguments, first in (
        ((), r'\{"time": "[^"]*", "level": "info", "logger": "runner.serve.runner", "event": "ready", '),
        (("--log-format", "text"), r"\S+ info    ready  url=http://127.0.0.1:"),
    ):
        async with desk.run("--port", "0", *arguments) as process:
            await process.started()
            process.tell(signal.SIGTERM)
            code, _, err = await process.ended()
            assert code == 0
            # A busy machine may stall the loop before, which is a line as well.
            assert re.search(f"^{first}", err, re.MULTILINE), err


async def test_lines_below_the_level_asked_for_are_not_written(desk: Desk) -> None:
    async with desk.run("--port", "0", "--log-level", "warning") as process:
        await process.started()
        process.tell(signal.SIGTERM)
        code, _, err = await process.ended()
        assert code == 0
        # A busy machine may stall the loop, which is a warning, and so is asked for.
        assert {json.loads(line)["level"] for line in err.splitlines()} <= {"warning"}


async def test_sighup_loads_the_configuration_again_and_live_calls_keep_theirs(desk: Desk) -> None:
    async with desk.run() as process:
        url = await process.started()
        first, _ = await desk.ring(url, greets())
        await desk.api.until(lambda: first.attached)
        text = AGENT.replace("model: gpt-realtime-2.1", "model: gpt-realtime-2")
        assert text != AGENT
        (desk.agents / "front-desk.yaml").write_text(text)
        process.tell(signal.SIGHUP)
        await process.logged("configuration was reloaded")
        second, status = await desk.ring(url, greets())
        assert status == 200
        assert first.accept_body is not None
        assert second.accept_body is not None
        assert (first.accept_body["model"], second.accept_body["model"]) == (
            "gpt-realtime-2.1",
            "gpt-realtime-2",
        )
        assert not first.is_over
        # The port was said on the command line, then and now.
        await process.logged(second.id)
        assert "change takes effect at the next start" not in process.err


async def test_sighup_ends_no_process_that_starts_or_ends(desk: Desk) -> None:
    desk.program = (sys.executable, "-c", HUNG_UP_ON)
    async with desk.run() as process:
        await process.started()
        await process.logged("configuration was reloaded")
        process.tell(signal.SIGTERM)
        code, _, _ = await process.ended()
    assert code == 0


async def test_a_configuration_with_errors_is_not_loaded_and_calls_go_on(desk: Desk) -> None:
    async with desk.run() as process:
        url = await process.started()
        (desk.agents / "front-desk.yaml").write_text("agent: front-desk\nmodel: 7\n")
        process.tell(signal.SIGHUP)
        await process.logged("configuration was not reloaded")
        assert "front-desk.yaml:1:1: this agent needs the key" in process.err
        _, status = await desk.ring(url, greets())
        assert status == 200


async def test_a_directory_that_is_watched_is_loaded_when_it_changes(desk: Desk) -> None:
    async with desk.run("--port", "0", "--watch") as process:
        url = await process.started()
        (desk.agents / "front-desk.yaml").write_text(AGENT.replace("gpt-realtime-2.1", "gpt-realtime-2"))
        await process.logged("configuration was reloaded")
        call, _ = await desk.ring(url, greets())
        assert call.accept_body is not None
        assert call.accept_body["model"] == "gpt-realtime-2"


# What ends it before it makes anything of a server needs no process


@pytest.fixture
def agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory to serve, below the current one, and an environment that has what it needs."""
    folder = tmp_path / "agents"
    folder.mkdir()
    (folder / "front-desk.yaml").write_text(AGENT)
    (folder / "runner.yaml").write_text("store: sqlite:calls.db\n")
    monkeypatch.chdir(tmp_path)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    return folder


Printed = pytest.CaptureFixture[str]


@pytest.mark.usefixtures("agents")
def test_an_environment_that_names_no_api_stops_it_with_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "api.openai.com")
    assert main(["run", "agents", "--port", "0"]) == 3
    assert capsys.readouterr().err.endswith(
        'environment variable "OPENAI_BASE_URL" is "api.openai.com", which is not the address of an API;'
        " write one such as https://api.openai.com/v1\n"
    )


@pytest.mark.usefixtures("agents")
def test_a_directory_that_is_not_there_is_told(capsys: Printed) -> None:
    assert main(["run", "nowhere"]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("phone-agents run: ")
    assert err.count("\n") == 1


def test_a_configuration_with_errors_is_not_served(agents: Path, capsys: Printed) -> None:
    (agents / "front-desk.yaml").write_text(AGENT.replace("voice:", "vioce:"))
    (agents / "other.yaml").write_text(AGENT.replace("front-desk", "other") + "busy: {reject: 486}\n")
    assert main(["run", "--port", "0"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("\nnot started: 1 error\n"), "not the warning that is the last of the problems"
    assert 'agents/front-desk.yaml:7:1: unknown key "vioce"; did you mean "voice"? [unknown-key]\n' in err
    assert "    7 | vioce: marin\n      | ^\n" in err


@pytest.mark.usefixtures("agents")
@pytest.mark.parametrize("port", ["x", "-1", "65536"])
def test_a_port_that_is_none_is_wrong_usage(capsys: Printed, port: str) -> None:
    assert main(["run", f"--port={port}"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith(f'--port: "{port}" is not a valid port; write a number from 0 to 65535\n')


@pytest.mark.usefixtures("agents")
def test_workers_need_a_store_that_they_can_share(capsys: Printed) -> None:
    assert main(["run", "--workers", "2"]) == 3
    assert capsys.readouterr().err == (
        "phone-agents run: --workers 2 needs a store that runners can share; write store: postgresql://…"
        " in runner.yaml, or leave --workers out\n"
    )


# A process that is killed


async def test_a_call_outlives_its_process(desk: Desk) -> None:
    async with desk.run() as process:
        url = await process.started()
        call, _ = await desk.ring(url, greets())
        await desk.api.until(lambda: call.received_types().count("response.create") == 1)
        await desk.api.until(lambda: "output_audio_buffer.stopped" in call.sent_types())
        await desk.journalled(call.id, PlaybackEnded)
        process.tell(signal.SIGKILL)
        await process.ended()
    # What it has sent last is read before the next one attaches.
    await desk.api.until(lambda: not call.is_attached)
    assert not call.is_over
    assert desk.ends() == {}
    async with desk.run() as process:
        await process.started()
        await desk.api.until(lambda: call.attached == 2)
        call.play(CallerSays(text="Are you there?"), says("Yes."), CallerHangsUp())
        desk.api.wake(call)
        await desk.api.until_over(call)
        process.tell(signal.SIGTERM)
        await process.ended()
    assert call.violations == []
    # Greeted once: what is asked for after the takeover is to go on.
    asked = [event for event in call.received if event["type"] == "response.create"]
    assert ["instructions" in event["response"] for event in asked].count(True) == 1
    assert desk.ends() == {call.id: "caller_hung_up"}


async def test_a_call_that_ended_while_nobody_served_it_has_its_record(desk: Desk) -> None:
    async with desk.run() as process:
        url = await process.started()
        call, _ = await desk.ring(url, greets())
        await desk.api.until(lambda: "output_audio_buffer.stopped" in call.sent_types())
        await desk.journalled(call.id, PlaybackEnded)
        process.tell(signal.SIGKILL)
        await process.ended()
    # The caller leaves, and the API tells nobody.
    call.answer("hangup", None, NOW)
    async with desk.run() as process:
        await process.started()
        await process.logged("call has ended")
        process.tell(signal.SIGTERM)
        await process.ended()
    assert desk.ends() == {call.id: "lost"}
