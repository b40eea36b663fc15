"""`phone-agents calls`: the calls that are over, and their jobs, from the store of a configuration."""

import argparse
import asyncio
from collections.abc import Callable, Coroutine
from importlib import import_module
from pathlib import Path
from typing import Any

from runner.cli.calls_list import add_filter, positive
from runner.cli.environment import add_environment
from runner.cli.json_document import add_format
from runner.cli.main import PROBLEMS
from runner.cli.opened_store import opened_store, read_settings
from runner.model.settings import Settings
from runner.store.store import Store

StoreAction = Callable[[argparse.Namespace, Settings, Store], Coroutine[Any, Any, int]]
"""What one action does with the store; the result is the exit code."""

MOST_SHOWN = 20


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options and the actions; without an action, calls are listed."""
    _add_place(parser, Path("agents"), None)
    add_filter(parser)
    parser.add_argument(
        "--most",
        type=positive,
        default=MOST_SHOWN,
        metavar="N",
        help=f"show at most this many, the newest (default: {MOST_SHOWN})",
    )
    parser.add_argument(
        "--follow", action="store_true", help="keep running, and show each call when it has ended"
    )
    add_format(parser)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions")
    show = _action(actions, "show", "show a call: what was said and done, how long it took and what it cost")
    show.add_argument("id", metavar="ID", help="the call, by its id or the end of it")
    add_format(show, default=argparse.SUPPRESS)
    scenario = _action(actions, "scenario", "print one call as a scenario, for a *.test.yaml file")
    scenario.add_argument("id", metavar="ID", help="the call, by its id or the end of it")
    parked = _action(actions, "parked", "list the parked jobs after calls, with the reasons")
    add_format(parked, default=argparse.SUPPRESS)
    resend = _action(actions, "resend", "retry the parked jobs of calls")
    resend.add_argument("id", nargs="+", metavar="ID", help="the calls, by their ids or the ends of them")
    delete = _action(actions, "delete", "delete calls and everything stored about them")
    delete.add_argument("id", nargs="*", metavar="ID", help="the calls, by their ids or the ends of them")
    delete.add_argument("--number", metavar="N", help="calls from or to this number")
    delete.add_argument("--before", metavar="TIME", help="calls before a day or a time, such as 2026-11-23")
    delete.add_argument("--yes", action="store_true", help="delete without asking")


def run(options: argparse.Namespace) -> int:
    """Run the action. Raises UsageError and CannotRunError."""
    settings = read_settings(options.dir, options.environment)
    if settings is None:
        return PROBLEMS
    # Each action has a module: listing calls need not import what plays them.
    action: StoreAction = import_module(f"runner.cli.calls_{options.action or 'list'}").act

    async def act() -> int:
        async with opened_store(settings) as store:
            return await action(options, settings, store)

    try:
        return asyncio.run(act())
    except KeyboardInterrupt:
        return 130


def _action(actions: Any, name: str, summary: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name, help=summary, description=summary[0].upper() + summary[1:] + "."
    )
    # An option before the action counts, unless it is given behind it as well.
    _add_place(parser, argparse.SUPPRESS, argparse.SUPPRESS)
    return parser


def _add_place(parser: argparse.ArgumentParser, directory: Path | str, environment: str | None) -> None:
    parser.add_argument(
        "--dir",
        type=Path,
        default=directory,
        metavar="DIR",
        help="the configuration directory, whose runner.yaml names the store (default: agents)",
    )
    add_environment(parser, default=environment)
