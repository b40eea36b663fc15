"""Finds the command and runs it. Imports only that command's module."""

import errno
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from runner import __version__
from runner.cli.command_line import CommandParser
from runner.errors import CannotRunError, UsageError

OK = 0
PROBLEMS = 1
USAGE = 2
CANNOT = 3

_OF_FILES = frozenset({errno.ENAMETOOLONG, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""Errors that a path or a disk can cause in any command; others are reported where they occur."""

COMMANDS = {
    "init": "write a working agent, its scenarios and a CI file",
    "run": "serve the agents of a directory",
    "validate": "check configurations without an account or a network",
    "test": "play scenarios offline, and show differences from what is expected",
    "route": "show which agent answers a call, and why",
    "explain": "show an agent's effective settings, and where each value comes from",
    "diff": "show what changes for callers between two directories or git revisions",
    "simulate": "play a whole call against a stand-in for the voice API",
    "doctor": "check key, model, store, endpoints and webhook before the first call, and say what to fix",
    "calls": "list ended calls, show one, delete them, retry deliveries",
    "schema": "print a JSON Schema for editors",
    "completion": "print a script with which a shell completes commands and options",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; the result is the process's exit code.

    0: nothing to report, 1: problems found, 2: wrong usage, 3: the work could not be done.
    """
    _open_streams()
    words = list(sys.argv[1:] if arguments is None else arguments)
    name = next((word for word in words if not word.startswith("-")), None)
    if name == "run":
        # Until it can reload, which on a busy machine takes seconds: SIGHUP must not end it meanwhile.
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGHUP,))
    parser = CommandParser(prog="phone-agents", description="Phone agents from YAML.")
    parser.add_argument("--version", action="version", version=f"phone-agents {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    # Where one is named, the others need no parser: each would take a millisecond.
    named = {name: COMMANDS[name]} if name in COMMANDS and name == words[0] else COMMANDS
    for command, summary in named.items():
        subparser = commands.add_parser(command, help=summary, description=described(summary))
        if command == name:
            module = import_module(f"runner.cli.{command}")
            module.configure(subparser)
            subparser.set_defaults(run=module.run)
    try:
        options = parser.parse_args(words)
    except SystemExit as stopped:
        return int(stopped.code or 0)
    try:
        code = int(options.run(options))
        sys.stdout.flush()
    except UsageError as error:
        sys.stderr.write(f"phone-agents {options.command}: {error}\n")
        return USAGE
    except CannotRunError as error:
        sys.stderr.write(f"phone-agents {options.command}: {error}\n")
        return CANNOT
    except BrokenPipeError:
        # The reader of our output has left (`| head`); there is nobody to tell.
        _discard_output()
        return OK
    except OSError as error:
        if error.errno not in _OF_FILES:
            raise
        if error.filename is None:
            subject = "the output cannot be written"
            _discard_output()
        else:
            subject = f'"{error.filename}"'
        sys.stderr.write(f"phone-agents {options.command}: {subject}: {os.strerror(error.errno).lower()}\n")
        return CANNOT
    return code


def _open_streams() -> None:
    """Whoever started us may have closed stdout or stderr, which Python then leaves out: nobody reads it."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            devnull = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until we end
            setattr(sys, name, devnull)


def _discard_output() -> None:
    """Python flushes stdout once more at exit, and would complain: it gets a place to flush to."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def described(summary: str) -> str:
    """A summary as the sentence above a command's help."""
    return summary[0].upper() + summary[1:] + "."
