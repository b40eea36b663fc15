"""A key and a webhook's secret that stand in files are rotated while the runner serves."""

import asyncio
from pathlib import Path

import aiohttp

from runner.call.examples.example_call import sip_headers
from runner.config.load import load
from runner.serve.runner import Runner
from runner.serve.secrets import find_secrets
from runner.standin.placed_call import State
from runner.standin.script import CallerHangsUp, greets
from runner.standin.server import StandIn
from runner.standin.webhook import call_incoming, new_secret
from tests.clock import clock

CLINIC = "+18005551212"


async def ring(api: StandIn, runner: Runner, secret: str) -> tuple[State, int]:
    """One call that is announced with this secret: what became of it, and of its webhook."""
    call = api.place_call(greets(), CallerHangsUp())
    headers = sip_headers(caller="+14155550100", called=CLINIC, call_id=call.id)
    webhook = call_incoming(call_id=call.id, headers=headers, secret=secret, now=clock())
    async with (
        aiohttp.ClientSession() as session,
        session.post(runner.url + "/webhooks/openai", data=webhook.body, headers=webhook.headers) as response,
    ):
        status = response.status
    if call.conversation is not None:
        await api.until_over(call)
    return call.state, status


async def test_what_stands_in_files_is_rotated_without_a_restart(tmp_path: Path) -> None:
    old, new = new_secret(), new_secret()
    (tmp_path / "hook").write_text(old)
    (tmp_path / "key").write_text("sk-expired\n")
    (tmp_path / "desk.yaml").write_text(
        f'agent: desk\nmodel: gpt-realtime-2.1\ninstructions: Be kind.\nroutes: [{{to: "{CLINIC}"}}]\n'
    )
    async with StandIn() as api:
        (tmp_path / "runner.yaml").write_text(
            f"provider:\n  base_url: {api.base_url}\n"
            f"  api_key: {{file: {tmp_path}/key}}\n"
            f"  webhook_secrets: [{{file: {tmp_path}/hook}}]\n"
            "server: {port: 0}\n"
            "store: 'sqlite::memory:'\n"
        )
        configuration = load(tmp_path).configuration
        assert configuration
        runner = Runner(configuration, find_secrets(configuration.settings, {}), clock=clock)
        try:
            await runner.start()
            assert await ring(api, runner, old) == (State.RINGING, 503), "the key was refused"
            (tmp_path / "key").write_text(api.api_key)
            assert await ring(api, runner, old) == (State.OVER, 200)
            (tmp_path / "hook").write_text(new + "\n")
            assert await ring(api, runner, old) == (State.RINGING, 400)
            assert await ring(api, runner, new) == (State.OVER, 200)
            await runner.drain(asyncio.Event())
        finally:
            await runner.close()
