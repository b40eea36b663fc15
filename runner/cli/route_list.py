"""Checks the calls of a CSV file against the routing table: who should answer each, and who does."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.call.addresses.incoming import incoming_call
from runner.call.routes.routing import Match, RouteTable
from runner.cli.call_options import read_instant
from runner.cli.terminal import Terminal, printable
from runner.config.checking.suggest import did_you_mean, nearest, one_of
from runner.errors import CannotRunError
from runner.model.call import Ringing, SipOrigin
from runner.model.settings import Configuration
from runner.model.values import Instant
from runner.wording import plural

COLUMNS = ("from", "to", "expected", "at")
"""`at` may be left out, or empty, for a call that comes now."""

_REQUIRED = COLUMNS[:3]
_REJECT = "reject "


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One row: a call and its expected result."""

    line: int
    caller: str
    called: str
    expected: str
    """An agent, or `reject` with a SIP status."""
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """What is wrong with one line, or with the result of its call."""

    line: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListReport:
    """The result of a list."""

    calls: int
    malformed: tuple[Flaw, ...]
    mismatches: tuple[Flaw, ...]

    @property
    def is_good(self) -> bool:
        """Whether every row is a call with the expected result, and there is one."""
        return self.calls > 0 and not (self.malformed or self.mismatches)


def check_list(file: Path, configuration: Configuration, now: Instant) -> ListReport:
    """Check each row; a call without a time comes at `now`. Raises CannotRunError when the file cannot be
    read.
    """
    malformed: list[Flaw] = []
    calls = list(_read(_text(file), now, malformed))
    table = RouteTable.of(configuration)
    mismatches = []
    for call in calls:
        mismatch = _mismatch(call, table, configuration)
        mismatches += [Flaw(line=call.line, message=mismatch)] if mismatch else []
    return ListReport(calls=len(calls), malformed=tuple(malformed), mismatches=tuple(mismatches))


def show_report(report: ListReport, file: Path, terminal: Terminal) -> None:
    for flaw in sorted((*report.malformed, *report.mismatches), key=lambda flaw: flaw.line):
        terminal.line(printable(f"{file.as_posix()}:{flaw.line}: {flaw.message}"))


def summary(report: ListReport) -> str:
    summary = [f"{plural(report.calls, 'call')} checked"]
    if report.mismatches:
        summary.append(f"{len(report.mismatches)} not as expected")
    if report.malformed:
        summary.append(f"{plural(len(report.malformed), 'line')} cannot be read")
    return ", ".join(summary)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise CannotRunError(f'"{file}" is not UTF-8') from None
    except OSError as error:
        raise CannotRunError(f'"{file}" cannot be read: {(error.strerror or str(error)).lower()}') from None


def _read(text: str, now: Instant, malformed: list[Flaw]) -> Iterator[Listed]:
    rows = _rows(text, malformed)
    line, header = next(rows, (1, []))
    names = [name.strip().lower() for name in header]
    if flaw := _header_flaw(names):
        malformed.append(Flaw(line=line, message=flaw))
        return
    rest = list(rows)
    if not rest and not malformed:
        malformed.append(Flaw(line=line, message="no call stands below this line"))
    for line, row in rest:
        try:
            yield _listed(line, names, row, now)
        except ValueError as error:
            malformed.append(Flaw(line=line, message=str(error)))


def _rows(text: str, malformed: list[Flaw]) -> Iterator[tuple[int, list[str]]]:
    """Rows, each with its first line number: a quoted value may hold line breaks. Empty ones are left out."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for row in reader:
            if any(value.strip() for value in row):
                yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        malformed.append(Flaw(line=line, message=f"this is not CSV: {error}"))


def _header_flaw(names: list[str]) -> str | None:
    missing = [name for name in _REQUIRED if name not in names]
    if missing:
        return f'there is no column {one_of(missing)}; the first line names them, such as "from,to,expected"'
    unknown = next((name for name in names if name not in COLUMNS), None)
    if unknown is not None:
        return f'unknown column "{unknown}"{did_you_mean(unknown, COLUMNS)}; there are {", ".join(COLUMNS)}'
    twice = next((name for name in names if names.count(name) > 1), None)
    return f'the column "{twice}" is there twice' if twice else None


def _listed(line: int, names: list[str], row: list[str], now: Instant) -> Listed:
    """One row. Raises ValueError, whose text says what is wrong with it."""
    if len(row) != len(names):
        raise ValueError(
            f"{plural(len(row), 'value')}, and the first line names {plural(len(names), 'column')}"
        )
    values = {name: value.strip() for name, value in zip(names, row, strict=True)}
    if not values["to"]:
        raise ValueError('"to" is empty; write the number that is dialled')
    if not values["expected"]:
        raise ValueError('"expected" is empty; write an agent, or "reject 404"')
    at = values.get("at")
    return Listed(
        line=line,
        caller=values["from"],
        called=values["to"],
        expected=" ".join(values["expected"].split()),
        at=read_instant(at).timestamp() if at else now,
    )


def _mismatch(listed: Listed, table: RouteTable, configuration: Configuration) -> str | None:
    headers = [("To", listed.called), *([("From", listed.caller)] if listed.caller else [])]
    routing = configuration.settings.routing
    origin = SipOrigin(headers=tuple(headers))
    call = incoming_call(Ringing(call_id="rtc_example", created_at=listed.at, origin=origin), routing)
    match = table.match(call, listed.at)
    if listed.expected == (match.agent or f"{_REJECT}{match.reject}"):
        return None
    caller = f'from "{listed.caller}" ' if listed.caller else ""
    return (
        f'expected "{listed.expected}" for the call {caller}to "{listed.called}", but {became(match)}: '
        f"{match.why}{unknown_agent(listed.expected, configuration.agents)}"
    )


def became(match: Match) -> str:
    """The result of a call, for the sentence about a wrong one."""
    return f'"{match.agent}" answers' if match.agent is not None else f"it is rejected with {match.reject}"


def unknown_agent(expected: str, agents: Mapping[str, object] | Iterable[str]) -> str:
    """The end of that sentence where no agent has the expected name."""
    if expected in agents or expected.startswith(_REJECT):
        return ""
    word, _, status = expected.rpartition(" ")
    if status.isdigit() or expected == _REJECT.strip():
        right = status if status.isdigit() and (not word or nearest(word, [_REJECT.strip()])) else "404"
        return f'; a rejected call is written "{_REJECT}{right}"'
    return f"; there is no agent of that name{did_you_mean(expected, agents)}"
