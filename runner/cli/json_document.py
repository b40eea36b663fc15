"""The documents of `--format json`, and the option that asks for them."""

import argparse
import json
import sys
from collections.abc import Sequence

from runner.model.values import JsonObject

VERSION = 1
"""Of each document. Keys may be added; a change of meaning raises it."""


def add_format(
    parser: argparse.ArgumentParser, formats: Sequence[str] = ("text", "json"), *, default: str = "text"
) -> None:
    parser.add_argument(
        "--format", choices=tuple(formats), default=default, help="the output format (default: text)"
    )


def print_json(document: JsonObject) -> None:
    json.dump(document, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def print_document(document: JsonObject) -> None:
    """Print the document of a command, with its version."""
    print_json({"version": VERSION, **document})
