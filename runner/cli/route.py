"""`phone-agents route`: shows which agent answers a call, and why each other route does not.

With --tree it shows the whole table, with --file it checks a list of calls.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from runner.call.addresses.incoming import incoming_call
from runner.call.examples.example_call import WEB_CALLER, browser_origin
from runner.call.routes.matcher import address_text
from runner.call.routes.routing import Candidate, Explanation, Match, RouteTable
from runner.cli.call_options import add_headers, add_time, call_headers, call_time, check_parties, time_words
from runner.cli.environment import add_directory, add_environment
from runner.cli.main import OK, PROBLEMS
from runner.cli.problems import print_problems
from runner.cli.route_list import became, check_list, show_report, summary, unknown_agent
from runner.cli.route_tree import show_tree
from runner.cli.summary import answer_of
from runner.cli.terminal import Style, Terminal, printable, stderr, stdout
from runner.config.load import load
from runner.errors import UsageError
from runner.model.call import WEB, Address, IncomingCall, Origin, Ringing, SipOrigin, Transport
from runner.model.settings import Configuration
from runner.model.values import Instant

ANY_AGENT = "any agent (from a browser that names none)"


def configure(parser: argparse.ArgumentParser) -> None:
    add_directory(parser)
    add_environment(parser)
    parser.add_argument(
        "--to",
        metavar="N",
        help="the dialled number or address, a whole To header, or web:AGENT for a browser",
    )
    parser.add_argument(
        "--from",
        dest="caller",
        metavar="N",
        help="the caller: the same, the word anonymous, or web:SUBJECT for a browser",
    )
    add_headers(parser)
    add_time(parser)
    parser.add_argument("--expect", metavar="AGENT", help="exit with 1 if another agent answers, or none")
    parser.add_argument(
        "--tree", action="store_true", help="show the whole routing table in the order of precedence"
    )
    parser.add_argument(
        "--file",
        type=Path,
        metavar="CSV",
        help="check a list of calls: columns from, to, expected (an agent, or reject 404) and optionally at",
    )


def run(options: argparse.Namespace) -> int:
    """Explain one call, show the table or check a list. Raises UsageError and CannotRunError."""
    at = call_time(options.at)
    origin = _wanted(options)
    loaded = load(options.directory, options.environment)
    configuration = loaded.configuration
    if configuration is None:
        print_problems(loaded.problems, loaded.sources, stderr())
        return PROBLEMS
    if options.tree:
        show_tree(configuration, stdout())
        return OK
    if options.file is not None:
        return _check_list(options.file, configuration, at.timestamp())
    now = at.timestamp()
    ringing = Ringing(call_id="rtc_example", created_at=now, origin=origin)
    call = incoming_call(ringing, configuration.settings.routing)
    explanation = RouteTable.of(configuration).explain(call, now)
    _show(call, at, explanation, stdout())
    return _expected(options.expect, explanation.match, configuration)


def _wanted(options: argparse.Namespace) -> Origin:
    """The origin of the call in question; None with --tree and --file, which are about many."""
    others = [("--tree", options.tree), ("--file", options.file is not None)]
    alternatives = [name for name, is_given in others if is_given]
    one_call = [
        ("--to", options.to is not None),
        ("--from", options.caller is not None),
        ("--header", bool(options.header)),
        ("--expect", options.expect is not None),
    ]
    if not alternatives:
        return _origin(options.to, options.caller, options.header)
    more = [name for name, is_given in one_call if is_given] + alternatives[1:]
    if more:
        raise UsageError(f"{alternatives[0]} and {more[0]} do not go together")
    return SipOrigin()


def _check_list(file: Path, configuration: Configuration, now: Instant) -> int:
    report = check_list(file, configuration, now)
    show_report(report, file, stdout())
    sys.stdout.flush()  # so that the summary comes last where both go to one place
    stderr().line(summary(report))
    return OK if report.is_good else PROBLEMS


def _origin(to: str | None, caller: str | None, more: Sequence[str]) -> Origin:
    """A party such as web:AGENT or web:SUBJECT makes it a call from a browser."""
    if check_parties(caller, to, more):
        return browser_origin(caller or WEB_CALLER, to or WEB)
    if to is None and not more:
        raise UsageError("say who is called: --to NUMBER, or --header with the headers of a call")
    parties = [(name, party) for name, party in (("To", to), ("From", caller)) if party is not None]
    return SipOrigin(headers=(*parties, *call_headers(more)))


def _expected(agent: str | None, match: Match, configuration: Configuration) -> int:
    if agent is None or agent == match.agent:
        return OK
    hint = unknown_agent(agent, configuration.agents)
    stderr().line(printable(f'phone-agents route: expected "{agent}", but {became(match)}{hint}'))
    return PROBLEMS


def _show(call: IncomingCall, at: datetime, explanation: Explanation, terminal: Terminal) -> None:
    match = explanation.match
    found_in = f", found in {call.called_found_in}" if call.called_found_in else ""
    called = (
        _party(call.called, "nothing") if call.called.uri or call.transport is Transport.SIP else ANY_AGENT
    )
    _row("to", f"{called}{found_in}", terminal)
    _row("from", _party(call.caller, "no From header"), terminal)
    _row("at", time_words(at), terminal)
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
    """Those that match too come first: they are the next in line."""
    shown = sorted(others, key=lambda other: not other.matches)
    if not shown:
        return
    names = [printable(answer_of(other.entry)) for other in shown]
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


def _party(address: Address, absent: str) -> str:
    if address.anonymous:
        return f"a withheld number ({address.uri})"
    if address.number is not None:
        return f"{address.number} ({address.country or 'of no known country'})"
    if address.uri.startswith(WEB):
        return f"{address.uri} (from a browser)"
    return f'"{address_text(address)}" (not a telephone number)' if address.uri else absent
