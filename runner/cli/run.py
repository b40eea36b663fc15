"""`phone-agents run`: serves the agents of a directory until it is told to stop."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from runner.api.realtime.facts import BASE_URL, BASE_URL_VARIABLE, PROVIDER
from runner.cli.environment import add_environment
from runner.cli.main import OK, PROBLEMS
from runner.cli.problems import counted, print_problems
from runner.cli.summary import show_summary
from runner.cli.terminal import stderr, stdout
from runner.config.building.settings import is_base_url
from runner.config.load import load
from runner.config.problem import Severity
from runner.config.version import ConfigurationVersion
from runner.errors import CannotRunError
from runner.model.settings import Configuration
from runner.serve import event_loop, logs
from runner.serve.descriptors import raise_limit
from runner.serve.reloads import Reloads
from runner.serve.runner import Runner, webhook_url
from runner.serve.secrets import find_secrets
from runner.serve.tls import shrink_read_buffers
from runner.serve.tracing.opening import open_tracing
from runner.serve.versions import DirectorySource

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "directory",
        nargs="?",
        type=Path,
        default=Path("agents"),
        metavar="DIR",
        help="the configuration directory (default: agents)",
    )
    add_environment(parser)
    parser.add_argument("--host", help="the address to listen on, instead of server.host")
    parser.add_argument(
        "--port", type=_port, help="the port to listen on, instead of server.port; 0 takes a free one"
    )
    parser.add_argument(
        "--watch",
        action="store_true",
        help="load the configuration again whenever it changes; live calls keep theirs",
    )
    parser.add_argument(
        "--log-format",
        choices=("json", "text"),
        help="what a line of the log looks like (default: text on a terminal, else json)",
    )
    parser.add_argument(
        "--log-level",
        choices=tuple(LEVELS),
        default="info",
        help="the least level that is logged (default: info)",
    )


def run(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT; SIGHUP loads the configuration again.

    Raises CannotRunError when something that is needed is missing.
    """
    # Made first: what changes from here on is noticed by `--watch`.
    adapted = partial(_overridden, host=options.host, port=options.port, environ=os.environ)
    source = DirectorySource(options.directory, options.environment, os.environ, adapted)
    loaded = load(options.directory, options.environment)
    print_problems(loaded.problems, loaded.sources, stderr())
    if loaded.configuration is None:
        errors = [problem for problem in loaded.problems if problem.severity is Severity.ERROR]
        stderr().line(f"not started: {counted(errors)}")
        return PROBLEMS
    configuration = adapted(loaded.configuration)
    json = None if options.log_format is None else options.log_format == "json"
    logs.configure(sys.stderr, json=json, level=LEVELS[options.log_level])
    raise_limit()
    shrink_read_buffers()
    runner = Runner(
        configuration,
        find_secrets(configuration.settings, os.environ),
        version=ConfigurationVersion.of(loaded, options.directory, options.environment),
        source=source,
        tracing=open_tracing(os.environ, provider=PROVIDER),
    )
    event_loop.run(_serve(runner, configuration, watch=options.watch))
    return OK


async def _serve(runner: Runner, configuration: Configuration, *, watch: bool) -> None:
    stop, hurry = asyncio.Event(), asyncio.Event()
    _on_signals(stop, hurry)
    reloads = Reloads(runner.versions)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reloads.ask)
    try:
        await runner.start()
        event_loop.tame_garbage_collector()
        reloads.start(watch=watch)
        console_url = None if runner.admin_url is None else f"{runner.admin_url}/console/"
        show_summary(configuration, webhook_url(runner.url), stdout(), console_url)
        sys.stdout.flush()
        await stop.wait()
        await runner.drain(hurry)
    finally:
        await reloads.close()
        await runner.close()


def _on_signals(stop: asyncio.Event, hurry: asyncio.Event) -> None:
    """The first signal drains, the second ends the live calls at once, a third kills the process."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)

    def told() -> None:
        if stop.is_set():
            hurry.set()
            for number in signals:
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_DFL)
        stop.set()

    for number in signals:
        loop.add_signal_handler(number, told)


def _overridden(
    configuration: Configuration, host: str | None, port: int | None, environ: Mapping[str, str]
) -> Configuration:
    """The configuration with what the command line says, and the environment where it says nothing itself."""
    provider, server = configuration.settings.provider, configuration.settings.server
    if provider.base_url is None:
        provider = replace(provider, base_url=base_url_of(environ))
    server = replace(
        server,
        host=server.host if host is None else host,
        port=server.port if port is None else port,
    )
    settings = replace(configuration.settings, provider=provider, server=server)
    return replace(configuration, settings=settings)


def base_url_of(environ: Mapping[str, str]) -> str | None:
    """Where the environment says that the voice API is. Raises CannotRunError."""
    url = environ.get(BASE_URL_VARIABLE, "").strip()
    if url and not is_base_url(url):
        raise CannotRunError(
            f'environment variable "{BASE_URL_VARIABLE}" is "{url}", which is not an address of an API;'
            f" write one such as {BASE_URL}"
        )
    return url or None


def _port(text: str) -> int:
    try:
        port = int(text)
    except ValueError:
        port = -1
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f'"{text}" is not a valid port; write a number from 0 to 65535')
    return port
