"""The option `--environment`, which several commands have."""

import argparse


def add_environment(
    parser: argparse.ArgumentParser,
    otherwise: str = "runner.yaml as it stands",
    default: str | None = None,
) -> None:
    """Declare the option; `otherwise` says what is used without it, `default` is its value then."""
    parser.add_argument(
        "--environment",
        metavar="NAME",
        default=default,
        help=f"an environment of runner.yaml to lay over it (default: {otherwise})",
    )
