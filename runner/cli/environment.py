"""The option `--environment`, which several commands have."""

import argparse


def add_environment(parser: argparse.ArgumentParser, otherwise: str = "runner.yaml as it stands") -> None:
    """Declare the option; `otherwise` says what is used without it."""
    parser.add_argument(
        "--environment",
        metavar="NAME",
        help=f"an environment of runner.yaml to lay over it (default: {otherwise})",
    )
