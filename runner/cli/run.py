"""`phone-agents run`: serves the agents of a directory until it is told to stop."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from functools import partial
from tempfile import TemporaryFile

from runner.api.realtime.facts import PROVIDER
from runner.cli.environment import add_directory, add_environment
from runner.cli.main import OK, PROBLEMS
from runner.cli.overrides import overridden
from runner.cli.problems import counted, print_problems
from runner.cli.recorded_scenario import recorded_scenario
from runner.cli.summary import show_summary, show_talk
from runner.cli.terminal import stderr, stdout
from runner.cli.workers import RELOADS, WorkerPlace, Workers, reserve
from runner.config.load import load
from runner.config.loaded import Loaded
from runner.config.problem import Severity
from runner.config.version import ConfigurationVersion
from runner.errors import CannotRunError, UsageError
from runner.model.settings import Configuration
from runner.serve import event_loop, logs
from runner.serve.app import webhook_url
from runner.serve.descriptors import raise_limit
from runner.serve.listen_address import url_of
from runner.serve.reloads import Reloads
from runner.serve.runner import Runner
from runner.serve.secrets import find_secrets
from runner.serve.tls import shrink_read_buffers
from runner.serve.tracing.opening import open_tracing
from runner.serve.versions import DirectorySource

SHARED_STORES = ("postgresql:", "postgres:")
MOST_WORKERS = 64

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


def configure(parser: argparse.ArgumentParser) -> None:
    add_directory(parser)
    add_environment(parser)
    parser.add_argument("--host", help="the address to listen on, instead of server.host")
    parser.add_argument(
        "--port", type=_port, help="the port to listen on, instead of server.port; 0 chooses a free one"
    )
    parser.add_argument(
        "--workers",
        type=_count,
        default=1,
        metavar="N",
        help="start this many runners on one port, one process each; needs a store that they can share",
    )
    parser.add_argument(
        "--watch",
        action="store_true",
        help="reload the configuration whenever it changes; live calls keep theirs",
    )
    parser.add_argument(
        "--dev",
        action="store_true",
        help="serve this machine only: talk and console without tokens; without a key, a stand-in speaks",
    )
    parser.add_argument(
        "--log-format",
        choices=("json", "text"),
        help="the format of the log (default: text on a terminal, else json)",
    )
    parser.add_argument(
        "--log-level",
        choices=tuple(LEVELS),
        default="info",
        help="the lowest level to log (default: info)",
    )


def run(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT; SIGHUP loads the configuration again.

    Raises CannotRunError when something is missing.
    """
    if options.dev and options.workers > 1:
        raise UsageError("--dev and --workers do not go together")
    return _run_workers(options) if options.workers > 1 else _run_one(options)


def _run_one(
    options: argparse.Namespace, place: WorkerPlace | None = None, *, log_lock: int | None = None
) -> int:
    """`place`: one of several runners on one port, which write one log under this lock."""
    # Made first: `--watch` notices changes from here on.
    number = 0 if place is None else place.number
    adapted = partial(overridden, host=options.host, port=options.port, environ=os.environ, number=number)
    source = DirectorySource(options.directory, options.environment, os.environ, adapted)
    loaded = _loaded(options, is_first=place is None)
    if loaded.configuration is None:
        return PROBLEMS
    configuration = adapted(loaded.configuration)
    logs.configure(sys.stderr, json=_is_json(options), level=LEVELS[options.log_level], lock=log_lock)
    raise_limit()
    shrink_read_buffers()
    version = ConfigurationVersion.of(loaded, options.directory, options.environment)
    if options.dev:
        event_loop.run(_develop(configuration, source, version, watch=options.watch))
        return OK
    runner = Runner(
        configuration,
        find_secrets(configuration.settings, os.environ),
        version=version,
        source=source,
        shares_port=place is not None,
        name=None if place is None else place.name,
        dead=None if place is None else place.dead,
        tracing=open_tracing(os.environ, provider=PROVIDER),
        scenario_of=recorded_scenario,
    )
    event_loop.run(_serve(runner, configuration, watch=options.watch, place=place))
    return OK


def _run_workers(options: argparse.Namespace) -> int:
    loaded = _loaded(options)
    if loaded.configuration is None:
        return PROBLEMS
    configuration = overridden(loaded.configuration, host=options.host, port=options.port, environ=os.environ)
    store = find_secrets(configuration.settings, os.environ).store() or str(configuration.settings.store)
    if not store.startswith(SHARED_STORES):
        raise CannotRunError(
            f"--workers {options.workers} needs a store that runners can share; write store: postgresql://…"
            " in runner.yaml, or leave --workers out"
        )
    server = configuration.settings.server
    with reserve(server.host, server.port) as reserved, TemporaryFile() as lock:
        host, port = reserved.getsockname()[:2]
        options.port = port

        def ready() -> None:
            show_summary(configuration, webhook_url(url_of(host, port)), stdout())
            sys.stdout.flush()

        logs.configure_without_thread(
            sys.stderr, json=_is_json(options), level=LEVELS[options.log_level], lock=lock.fileno()
        )
        serve = partial(_run_one, options, log_lock=lock.fileno())
        return Workers(options.workers, serve, ready).run()


def _loaded(options: argparse.Namespace, *, is_first: bool = True) -> Loaded:
    """The configuration. Its errors are shown, and warnings only by the first process to load it."""
    loaded = load(options.directory, options.environment)
    if is_first or loaded.configuration is None:
        print_problems(loaded.problems, loaded.sources, stderr())
    if loaded.configuration is None:
        errors = [problem for problem in loaded.problems if problem.severity is Severity.ERROR]
        stderr().line(f"not started: {counted(errors)}")
    return loaded


def _is_json(options: argparse.Namespace) -> bool | None:
    return None if options.log_format is None else options.log_format == "json"


async def _develop(
    configuration: Configuration, source: DirectorySource, version: ConfigurationVersion, *, watch: bool
) -> None:
    """Serve this machine only, with substitutes for what is missing. Raises CannotRunError."""
    from runner.cli.dev import dev_setup  # noqa: PLC0415 - the stand-in is not part of a server

    async with dev_setup(configuration, os.environ) as made:
        source.take_environ(made.environ)
        runner = Runner(
            made.configuration,
            find_secrets(made.configuration.settings, made.environ),
            version=version,
            source=source,
            new_connector=made.new_connector,
            is_dev=True,
            scenario_of=recorded_scenario,
        )
        await _serve(runner, made.configuration, watch=watch, stands_in=made.stands_in, is_dev=True)


async def _serve(
    runner: Runner,
    configuration: Configuration,
    *,
    watch: bool,
    place: WorkerPlace | None = None,
    is_dev: bool = False,
    stands_in: bool = False,
) -> None:
    stop, hurry = asyncio.Event(), asyncio.Event()
    _on_signals(stop, hurry)
    if place is not None:
        _on_end_of_supervisor(place.alone, stop)
    reloads = Reloads(runner.versions)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reloads.ask)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, RELOADS)
    try:
        # Before the start, which may take over thousands of calls that another process has left.
        event_loop.tame_garbage_collector()
        await runner.start()
        reloads.start(watch=watch)
        if place is None:
            console_url = None if runner.admin_url is None else f"{runner.admin_url}/console/"
            show_summary(configuration, webhook_url(runner.url), stdout(), console_url, is_dev=is_dev)
            if is_dev:
                show_talk(configuration, runner.url, stdout(), stands_in=stands_in)
            sys.stdout.flush()
        else:
            place.ready()
        await stop.wait()
        await runner.drain(hurry)
    finally:
        await reloads.close()
        await runner.close()
        # Python handles no signals while it ends: a late one would end the process as one that has failed.
        signal.pthread_sigmask(signal.SIG_BLOCK, RELOADS)


def _on_signals(stop: asyncio.Event, hurry: asyncio.Event) -> None:
    """The first signal drains, the second ends the live calls at once, a third kills the process."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)

    def on_signal() -> None:
        if stop.is_set():
            hurry.set()
            for number in signals:
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_DFL)
        stop.set()

    for number in signals:
        loop.add_signal_handler(number, on_signal)


def _on_end_of_supervisor(alone: int, stop: asyncio.Event) -> None:
    """A runner whose supervisor is gone ends as on SIGTERM."""
    loop = asyncio.get_running_loop()

    def ended() -> None:
        loop.remove_reader(alone)
        stop.set()

    loop.add_reader(alone, ended)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_WORKERS:
        raise argparse.ArgumentTypeError(
            f'"{text}" is not a number of workers; write one from 1 to {MOST_WORKERS}'
        )
    return int(text)


def _port(text: str) -> int:
    try:
        port = int(text)
    except ValueError:
        port = -1
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f'"{text}" is not a valid port; write a number from 0 to 65535')
    return port
