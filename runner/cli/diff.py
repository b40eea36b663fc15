"""`phone-agents diff`: shows what changes for callers between two directories or git revisions."""

import argparse
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from runner.api.realtime import api as realtime
from runner.cli.call_options import add_time, call_time, time_words
from runner.cli.difference_markdown import markdown
from runner.cli.difference_text import show_difference
from runner.cli.difference_words import Comparison, path_words
from runner.cli.environment import add_environment
from runner.cli.json_document import add_format, print_document
from runner.cli.main import OK, PROBLEMS
from runner.cli.problems import print_problems
from runner.cli.revision import Side, open_side
from runner.cli.summary import answer_of, asks
from runner.cli.terminal import printable, stderr, stdout
from runner.difference.call_changes import MovedCall, Verdict
from runner.difference.configurations import difference
from runner.difference.tree import ABSENT, Change
from runner.errors import CannotRunError
from runner.model.settings import Configuration
from runner.model.values import Json
from runner.wording import plural


def configure(parser: argparse.ArgumentParser) -> None:
    side = "a directory, or a git revision such as main or main:path/to/agents"
    parser.add_argument("old", metavar="OLD", help=f"the old side: {side}")
    parser.add_argument("new", metavar="NEW", help=f"the new side: {side}")
    add_environment(parser)
    add_time(parser)
    add_format(parser, ("text", "markdown", "json"))


def run(options: argparse.Namespace) -> int:
    """Compare two sides. Raises CannotRunError, also where one of them has errors."""
    instant = call_time(options.at).replace(second=0, microsecond=0)
    with TemporaryDirectory() as folder:
        old = open_side(options.old, options.new, Path(folder, "old"))
        new = open_side(options.new, options.old, Path(folder, "new"))
        before, after = _loaded(old, options.environment), _loaded(new, options.environment)
    compared = Comparison(
        old=old,
        new=new,
        old_configuration=before,
        new_configuration=after,
        difference=difference(before, after, instant.timestamp(), realtime),
    )
    if options.format == "json":
        print_document(_document(compared, instant))
    elif options.format == "markdown":
        sys.stdout.write(markdown(compared))
    else:
        show_difference(compared, stdout())
    sys.stdout.flush()  # so that the summary comes last where both go to one place
    stderr().line(printable(_summary(compared, instant)))
    return OK if compared.difference.is_empty else PROBLEMS


def _loaded(side: Side, environment: str | None) -> Configuration:
    loaded = side.load(environment)
    if loaded.configuration is None:
        print_problems(loaded.problems, loaded.sources, stderr())
        raise CannotRunError(f'"{side.label}" has errors, so there is nothing to compare')
    return loaded.configuration


def _summary(compared: Comparison, instant: datetime) -> str:
    between = f'between "{compared.old.label}" and "{compared.new.label}"'
    count = compared.count()
    changes = plural(count, "change") if count else "nothing changes"
    since = f", from {time_words(instant)} on" if compared.difference.calls.has_schedules else ""
    return f"{changes} for callers {between}{since}"


def _document(compared: Comparison, instant: datetime) -> Json:
    difference = compared.difference
    return {
        "old": compared.old.label,
        "new": compared.new.label,
        "at": instant.isoformat(),
        "calls": [
            {
                "old": _verdict(moved.old),
                "new": _verdict(moved.new),
                "examples": [_example(example, compared) for example in moved.examples],
            }
            for moved in difference.calls.moved
        ],
        "routes_without_example": [
            {
                "is_new": one.is_new,
                "answer": answer_of(one.rule),
                "place": (compared.new if one.is_new else compared.old).place(one.rule.place),
                "asks": asks(one.rule.conditions),
            }
            for one in difference.calls.without_example
        ],
        "agents": {
            "added": list(difference.added),
            "removed": list(difference.removed),
            "changed": {name: _changes(changes) for name, changes in difference.agents.items()},
        },
        "settings": _changes(difference.settings),
    }


def _verdict(verdict: Verdict) -> Json:
    return {"agent": verdict} if isinstance(verdict, str) else {"reject": verdict}


def _example(example: MovedCall, compared: Comparison) -> Json:
    call = example.call
    was, now = compared.why(example)
    return {
        "from": call.caller,
        "to": call.called,
        "headers": [list(header) for header in call.headers],
        "at": datetime.fromtimestamp(call.at, UTC).isoformat(),
        "transport": call.transport.value,
        "old": was,
        "new": now,
    }


def _changes(changes: Iterable[Change]) -> list[Json]:
    """A missing key `old` or `new` stands for a missing value."""
    return [
        {
            "path": path_words(change),
            **({} if change.old is ABSENT else {"old": change.old}),
            **({} if change.new is ABSENT else {"new": change.new}),
        }
        for change in changes
    ]
