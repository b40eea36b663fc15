"""`phone-agents route`: which agent answers a call, and why each other route does not. Calls nobody."""

import argparse
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from runner.call.incoming import incoming_call
from runner.call.matcher import address_text
from runner.call.routing import Candidate, Explanation, Match, RouteTable
from runner.cli.environment import add_environment
from runner.cli.main import OK, PROBLEMS
from runner.cli.problems import print_problems
from runner.cli.terminal import Style, Terminal, printable, stderr, stdout
from runner.config.load import load
from runner.config.suggest import did_you_mean
from runner.errors import UsageError
from runner.model.call import Address, IncomingCall
from runner.model.route import Route
from runner.model.settings import Configuration


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "directory",
        nargs="?",
        type=Path,
        default=Path("agents"),
        metavar="DIR",
        help="the configuration directory (default: agents)",
    )
    add_environment(parser)
    parser.add_argument("--to", metavar="N", help="who is called: a number, an address, or a whole To header")
    parser.add_argument(
        "--from", dest="caller", metavar="N", help="who calls: the same, or the word anonymous"
    )
    parser.add_argument(
        "--header",
        action="append",
        default=[],
        metavar="'N: v'",
        help="a SIP header of the call; may be repeated",
    )
    parser.add_argument("--at", metavar="TIME", help="when, such as 2026-11-23T15:00-05:00 (default: now)")
    parser.add_argument("--expect", metavar="AGENT", help="exit with 1 when another agent answers, or none")


def run(options: argparse.Namespace) -> int:
    """Explain one call. Raises UsageError and CannotRunError."""
    headers = _headers(options.to, options.caller, options.header)
    at = _time(options.at) if options.at is not None else datetime.now(UTC).astimezone()
    now = at.timestamp()
    loaded = load(options.directory, options.environment)
    configuration = loaded.configuration
    if configuration is None:
        print_problems(loaded.problems, loaded.sources, stderr())
        return PROBLEMS
    call = incoming_call(
        call_id="rtc_example", created_at=now, headers=headers, routing=configuration.settings.routing
    )
    explanation = RouteTable.of(configuration).explain(call, now)
    _show(call, at, explanation, stdout())
    return _expected(options.expect, explanation.match, configuration)


def _headers(to: str | None, caller: str | None, more: Iterable[str]) -> list[tuple[str, str]]:
    headers = [("To", to)] if to is not None else []
    headers += [("From", caller)] if caller is not None else []
    for header in more:
        name, colon, value = header.partition(":")
        if not colon or not name.strip() or " " in name.strip():
            raise UsageError(f"\"{header}\" is no header; write one such as 'X-Plan: gold'")
        headers.append((name.strip(), value.strip()))
    if to is None and not more:
        raise UsageError("say who is called: --to NUMBER, or --header with the headers of a call")
    return headers


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        # Instants at the ends of the calendar have no local time everywhere.
        is_usable = 1 < at.year < 9999
    except ValueError:
        is_usable = False
    if not is_usable:
        raise UsageError(f'"{text}" is no time; write one such as 2026-11-23T15:00-05:00')
    if at.tzinfo is None:
        raise UsageError(f'"{text}" could be anywhere; end it with an offset such as -05:00, or with Z')
    return at


def _expected(agent: str | None, match: Match, configuration: Configuration) -> int:
    if agent is None or agent == match.agent:
        return OK
    found = f'"{match.agent}" answers' if match.agent is not None else f"it is rejected with {match.reject}"
    hint = ""
    if agent not in configuration.agents:
        hint = f"; there is no agent of that name{did_you_mean(agent, configuration.agents)}"
    stderr().line(printable(f'phone-agents route: expected "{agent}", but {found}{hint}'))
    return PROBLEMS


def _show(call: IncomingCall, at: datetime, explanation: Explanation, terminal: Terminal) -> None:
    match = explanation.match
    found_in = f", found in {call.called_found_in}" if call.called_found_in else ""
    _row("to", f"{_party(call.called)}{found_in}", terminal)
    _row("from", _party(call.caller), terminal)
    _row("at", f"{at:%A} {at.isoformat(timespec='minutes')}", terminal)
    if match.agent is not None:
        _row("agent", match.agent, terminal, Style.GOOD)
    else:
        _row("reject", str(match.reject), terminal, Style.ERROR)
    _row("why", match.why, terminal)
    _show_others(explanation.others, terminal)


def _row(name: str, text: str, terminal: Terminal, style: Style | None = None) -> None:
    shown = printable(text)
    terminal.line(
        f"{terminal.styled(f'{name:6}', Style.DIM)}  {terminal.styled(shown, style) if style else shown}"
    )


def _show_others(others: Iterable[Candidate], terminal: Terminal) -> None:
    """Those that match too come first: they are what a change would bring to the top."""
    shown = sorted(others, key=lambda other: not other.matches)
    if not shown:
        return
    names = [printable(_name(other)) for other in shown]
    places = [printable(str(other.entry.place)) for other in shown]
    wide_name, wide_place = max(map(len, names)), max(map(len, places))
    terminal.line()
    terminal.line(terminal.styled("other routes", Style.BOLD))
    for name, place, other in zip(names, places, shown, strict=True):
        # Padded before it is styled, since a terminal's escapes have no width.
        agent = terminal.styled(f"{name:{wide_name}}", Style.NAME)
        why_not = printable(other.why_not)
        reason = terminal.styled(why_not, Style.WARNING) if other.matches else why_not
        terminal.line(f"  {agent}  {place:{wide_place}}  {reason}")


def _name(candidate: Candidate) -> str:
    entry = candidate.entry
    return entry.agent if isinstance(entry, Route) else f"reject {entry.status}"


def _party(address: Address) -> str:
    if address.anonymous:
        return f"a withheld number ({address.uri})"
    if address.number is not None:
        return f"{address.number} ({address.country or 'of no known country'})"
    return f'"{address_text(address)}" (no telephone number)' if address.uri else "nobody that is named"
