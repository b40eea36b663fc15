"""What makes which generated part of a page."""

import re

from tests.docs.command_tables import commands_table, options_table, rules_table
from tests.docs.metrics_table import metrics_table
from tests.docs.operations_table import operations_table
from tests.docs.pages import Generator, Page, all_pages, anchor
from tests.docs.record_table import record_table
from tests.docs.schema_tables import Linked, keys_table

MARKER = re.compile(r"^<!-- generated: keys (\w+)(?: (\w+))? -->$", re.MULTILINE)
_TOLD_IN = {
    "sharedTool": ("docs/language.md", "tools"),
    "defaults": ("docs/language.md", "defaults"),
    "environment": ("docs/language.md", "environments"),
    "failure": ("docs/scenarios.md", "replies"),
    "unexpectedStart": ("docs/scenarios.md", "expectations"),
    "unexpectedStep": ("docs/scenarios.md", "expectations"),
}
"""Where definitions are explained that have no table, since their keys are those of other tables."""


def links_to_tables(of: Page) -> Linked:
    """Where, seen from this page, the definitions are whose keys have a table of their own."""
    found = {name: _from(of, *place) for name, place in _TOLD_IN.items()}
    for page in all_pages():
        heading = ""
        for line in page.text.splitlines():
            heading = line.lstrip("# ") if line.startswith("#") else heading
            if marker := MARKER.match(line):
                found[marker[2]] = _from(of, page.name, anchor(heading))
    return found.get


def _from(page: Page, name: str, to: str) -> str:
    """A link from a page of docs/ to a place in another one, or in itself."""
    return f"#{to}" if name == page.name else f"{name.rpartition('/')[2]}#{to}"


def _keys(page: Page, place: str) -> str:
    return keys_table(place, links_to_tables(page))


def _contents(page: Page, _: str) -> str:
    return "\n".join(
        f"{'  ' * (level - 2)}- [{heading}](#{anchor(heading)})"
        for level, heading in page.headings()
        if level > 1
    )


GENERATORS: dict[str, Generator] = {
    "commands": lambda page, _: commands_table(),
    "contents": _contents,
    "keys": _keys,
    "metrics": lambda page, _: metrics_table(),
    "operations": lambda page, _: operations_table(),
    "options": lambda page, command: options_table(command),
    "record": lambda page, _: record_table(),
    "rules": lambda page, _: rules_table(),
}
