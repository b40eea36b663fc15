"""`phone-agents completion`: prints what a shell needs to complete commands, options and directories."""

import argparse
import sys
from collections.abc import Iterator
from importlib import import_module

import shtab

from runner.cli.command_line import CommandParser
from runner.cli.main import COMMANDS, OK, described

SHELLS = ("bash", "zsh", "fish")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, help="the shell")


def run(options: argparse.Namespace) -> int:
    sys.stdout.write(shtab.complete(whole_parser(), shell=options.shell) + "\n")
    return OK


def whole_parser() -> argparse.ArgumentParser:
    """The command line with all its commands, actions and options."""
    parser = CommandParser(prog="phone-agents")
    parser.add_argument("--version", action="store_true", help="show the version")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for command, summary in COMMANDS.items():
        subparser = commands.add_parser(command, help=summary, description=described(summary))
        import_module(f"runner.cli.{command}").configure(subparser)
    for action in _actions(parser):
        match action.metavar:
            case "DIR":
                action.complete = shtab.DIRECTORY  # type: ignore[attr-defined] # what shtab looks for
            case "FILE" | "CSV":
                action.complete = shtab.FILE  # type: ignore[attr-defined]
            case _:
                pass
    return parser


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _actions(below)
        else:
            yield action
