"""Declares which configuration a command is about: its directory, and `--environment`."""

import argparse
from pathlib import Path


def add_directory(parser: argparse.ArgumentParser) -> None:
    """Declare DIR, which may be left out."""
    parser.add_argument(
        "directory",
        nargs="?",
        type=Path,
        default=Path("agents"),
        metavar="DIR",
        help="the configuration directory (default: agents)",
    )


def add_environment(
    parser: argparse.ArgumentParser,
    otherwise: str = "runner.yaml alone",
    default: str | None = None,
) -> None:
    """Declare the option; `otherwise` says what is used without it, `default` is its value then."""
    parser.add_argument(
        "--environment",
        metavar="NAME",
        default=default,
        help=f"an environment of runner.yaml to apply (default: {otherwise})",
    )
