"""`python -m runner.standin`: the stand-in as a process, to try `phone-agents run` without an account.

Whoever started it is the caller: each line of stdin is what the caller says next.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from threading import Thread
from typing import Any, TextIO

import aiohttp

from runner.call.examples.example_call import CALLER, sip_headers
from runner.standin.placed_call import PlacedCall
from runner.standin.script import CallerHangsUp, CallerSays, ScriptStep, calls
from runner.standin.server import StandIn
from runner.standin.webhook import call_incoming, new_secret

PORT = 8090
RUNNER = "http://127.0.0.1:8080"
CALLED = "+18005550142"
"""The number in the examples and in what `init` writes."""
INTRODUCTION = """\
the stand-in for the voice API is at {base_url}; in another terminal, start a runner with

  export OPENAI_BASE_URL={base_url}
  export OPENAI_API_KEY={api_key}
  export OPENAI_WEBHOOK_SECRET={secret}
  phone-agents run

then write here what the caller says, one sentence per line; the first one places a call to {called}.
/TOOL {{"argument": 1}} makes the model call a tool, an empty line hangs up, and Ctrl-D ends the stand-in.
"""


class Telephone:
    """One caller after the other, who says what is written."""

    def __init__(self, options: argparse.Namespace, out: TextIO) -> None:
        self._options = options
        self._out = out
        self._secret = new_secret()
        self._call: PlacedCall | None = None
        self._api = StandIn(
            pace=1.0, port=options.port, inspect_received=self._received, inspect_sent=self._sent
        )

    async def serve(self, lines: "asyncio.Queue[str | None]") -> None:
        """Serve until there are no more lines; None is their end."""
        async with self._api as api:
            self._print(
                INTRODUCTION.format(
                    base_url=api.base_url, api_key=api.api_key, secret=self._secret, called=self._options.to
                )
            )
            while (line := await lines.get()) is not None:
                await self._take(line.strip())
            if self._is_live and self._call is not None:
                await self._say(CallerHangsUp())
                await api.until_over(self._call)

    @property
    def _is_live(self) -> bool:
        return self._call is not None and not self._call.is_over

    async def _take(self, line: str) -> None:
        if not line:
            if self._is_live:
                await self._say(CallerHangsUp())
            return
        steps: tuple[ScriptStep, ...] = (CallerSays(text=line),)
        if line.startswith("/"):
            name, _, arguments = line[1:].partition(" ")
            steps = (CallerSays(text=f"(asks for {name})"), calls(name, arguments.strip() or "{}"))
        await self._say(*steps)

    async def _say(self, *steps: ScriptStep) -> None:
        if not self._is_live:
            await self._dial(*steps)
        elif self._call is not None:
            self._call.play(*steps)
            self._api.wake(self._call)

    async def _dial(self, *steps: ScriptStep) -> None:
        call = self._call = self._api.place_call(*steps)
        headers = sip_headers(caller=self._options.caller, called=self._options.to, call_id=call.id)
        webhook = call_incoming(call_id=call.id, headers=headers, secret=self._secret, now=time.time())
        url = f"{self._options.runner}/webhooks/openai"
        self._print(f"rings     {self._options.caller} calls {self._options.to}")
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.post(url, data=webhook.body, headers=webhook.headers) as response,
            ):
                answer = (await response.text()).strip()
        except aiohttp.ClientError as error:
            answer = f"no runner answers at {url}: {error}"
        if call.accept_body is None:
            self._print(f"webhook   {answer}")
            self._call = None

    def _received(self, kind: str, message: Any) -> None:
        match kind, message:
            case "event", {
                "type": "conversation.item.create",
                "item": {"type": "function_call_output", **item},
            }:
                self._print(f"output    {item.get('output')}")
            case "reject" | "refer" | "hangup", _:
                more = f" {json.dumps(message)}" if isinstance(message, Mapping) and message else ""
                self._print(f"{kind:<9} requested by the runner{more}")
            case _:
                pass

    def _sent(self, _: str, message: Any) -> None:
        match message:
            case {"type": "response.output_audio_transcript.done", "transcript": words}:
                self._print(f"agent     {words}")
            case {"type": "response.function_call_arguments.done", "name": name, "arguments": arguments}:
                self._print(f"tool      {name} {arguments}")
            case {"type": "error", "error": {"message": why}}:
                self._print(f"error     {why}")
            case _:
                pass

    def _print(self, line: str) -> None:
        self._out.write(f"{line}\n")
        self._out.flush()


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the result is the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m runner.standin", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument(
        "--port", type=int, default=PORT, help=f"where the stand-in listens (default: {PORT})"
    )
    parser.add_argument(
        "--runner", default=RUNNER, metavar="URL", help=f"the runner to call (default: {RUNNER})"
    )
    parser.add_argument(
        "--to", default=CALLED, metavar="NUMBER", help=f"the number to call (default: {CALLED})"
    )
    parser.add_argument(
        "--from", dest="caller", default=CALLER, metavar="NUMBER", help=f"who calls (default: {CALLER})"
    )
    options = parser.parse_args(arguments)
    try:
        asyncio.run(_converse(options))
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        sys.stderr.write(
            f"{parser.prog}: port {options.port} cannot be opened: {reason}; choose another with --port\n"
        )
        return 3
    return 0


async def _converse(options: argparse.Namespace) -> None:
    loop, lines = asyncio.get_running_loop(), asyncio.Queue[str | None]()

    def read() -> None:
        with suppress(RuntimeError):  # the loop is closed, and nobody waits for lines any more
            for line in sys.stdin:
                loop.call_soon_threadsafe(lines.put_nowait, line)
            loop.call_soon_threadsafe(lines.put_nowait, None)

    # A thread, since stdin may be a file, which no event loop can wait for; nobody waits for its last line.
    Thread(target=read, daemon=True).start()
    await Telephone(options, sys.stdout).serve(lines)


if __name__ == "__main__":
    sys.exit(main())
