"""`phone-agents schema`: prints a JSON Schema, complete in one file, for editors and other tools."""

import argparse

from runner.cli.json_document import print_json
from runner.cli.main import OK
from runner.config.checking.schema_files import KINDS, OUTPUTS, schema


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "kind", nargs="?", choices=(*KINDS, *OUTPUTS), default="agent", help="which schema (default: agent)"
    )


def run(options: argparse.Namespace) -> int:
    print_json(schema(options.kind))
    return OK
