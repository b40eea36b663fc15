"""`phone-agents calls`: lists the calls that are over, the newest first; with `--follow`, each as it ends."""

import argparse
import asyncio
import json
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from runner.call.addresses.number import read_number
from runner.cli.json_document import print_document
from runner.cli.main import OK
from runner.cli.table import Column, print_table
from runner.cli.terminal import Style, Terminal, printable, stderr, stdout
from runner.cli.times import lasted, local, read_since
from runner.cli.unfinished import live_and_over
from runner.config.checking.suggest import did_you_mean, one_of, or_there_is
from runner.model.record import ENDS
from runner.model.settings import Settings
from runner.model.stored_call import CallFilter, CallSummary
from runner.model.values import Instant
from runner.store.store import Store

FOLLOW_EVERY_S = 1.0
LONGEST_CALL_S = 2 * 3600.0
"""A call that is over now began no earlier: the API ends every call after one hour."""
MOST_FOLLOWED = 10_000
"""Calls that began within that time."""

_BAD = {"failed", "lost", "model_failed", "ghost", "session_expired", "shutdown", "tampered"}
_LIMITED = {"guardrail", "max_cost", "max_duration", "max_tool_calls"}


def add_filter(parser: argparse.ArgumentParser) -> None:
    """Declare the options that select calls."""
    parser.add_argument("--agent", metavar="NAME", help="calls that this agent answered")
    parser.add_argument("--number", metavar="N", help="calls from or to this number, or this sip: address")
    parser.add_argument(
        "--since", metavar="TIME", help="calls since a time: 2h, 3d, 2026-11-23 or 2026-11-23T15:00-05:00"
    )
    parser.add_argument(
        "--ended",
        metavar="REASON",
        type=_reason,
        help="calls that ended for this reason, such as failed or transferred",
    )


def positive(text: str) -> int:
    """A number above zero, from the command line."""
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f'"{text}" is not a number above zero')
    return number


def _reason(text: str) -> str:
    if text not in ENDS:
        hint = did_you_mean(text, ENDS) or f"; there is {one_of(ENDS, len(ENDS))}"
        raise argparse.ArgumentTypeError(f'no call ends as "{text}"{hint}')
    return text


def number_of(text: str, settings: Settings) -> str:
    """A number as records have it, however it is written; an address unchanged."""
    number = read_number(text, settings.routing.default_country)
    return text if number is None else number.e164


async def act(options: argparse.Namespace, settings: Settings, store: Store) -> int:
    """List calls. Raises UsageError."""
    now = time.time()
    where = CallFilter(
        agent=options.agent,
        number=None if options.number is None else number_of(options.number, settings),
        ended=options.ended,
        since=None if options.since is None else read_since(options.since, now),
    )
    # Read first: a call that ends between the two reads is shown twice rather than never.
    known = await recent(store, where, now) if options.follow else {}
    calls = await store.find(where, options.most)
    live, over = await live_and_over(settings, store)
    unknown = None if calls else await _unknown_agent(store, options.agent)
    if unknown is not None and (options.follow or options.format == "json"):
        stderr().line(printable(unknown))
    if options.format == "json":
        if options.follow:
            for call in reversed(calls):
                print_line(call)
            return await follow(store, where, known, print_line)
        print_document({"calls": [asdict(call) for call in calls], "live": len(live), "unsaved": len(over)})
        return OK
    terminal, width = stdout(), columns()
    if calls:
        # The newest is last when more may follow, as in a log.
        show_calls(calls[::-1] if options.follow else calls, terminal, width)
    elif not options.follow:
        nothing = "no call is stored" if where == CallFilter() else "no stored call matches"
        terminal.line(printable(unknown or nothing))
    if len(calls) == options.most and not options.follow:
        terminal.line(terminal.styled(f"the newest {options.most}; --most N shows more", Style.DIM))
    if live:
        are_live = "1 call is live" if len(live) == 1 else f"{len(live)} calls are live"
        terminal.line(terminal.styled(are_live, Style.DIM))
    if over:
        terminal.line(terminal.styled(_waits(over), Style.DIM))
    if not options.follow:
        return OK
    sys.stdout.flush()
    return await follow(
        store, where, known, lambda call: show_calls([call], terminal, width, has_title=False)
    )


def _waits(over: Mapping[str, Path]) -> str:
    files = ", ".join(f'"{path}"' for path in sorted(set(over.values())))
    if len(over) == 1:
        return f"1 call is over, and its record waits for the store in {files}"
    return f"{len(over)} calls are over, and their records wait for the store in {files}"


async def _unknown_agent(store: Store, agent: str | None) -> str | None:
    """What to say of an agent without a stored call, which may be mistyped; None where there is none."""
    known = {} if agent is None else await store.count_calls(0.0)
    if agent is None or agent in known:
        return None
    return f'no call of an agent "{agent}" is stored{or_there_is(agent, known)}'


def columns() -> int | None:
    """How wide a list may be; None where nobody looks at it, so nothing is left out."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def show_calls(
    calls: Sequence[CallSummary], terminal: Terminal, width: int | None, *, has_title: bool = True
) -> None:
    """Print a line for each call. Columns without room are left out, ids are cut at their beginning."""
    print_table(
        [
            Column(title="began", cells=[local(call.started_at) for call in calls], rank=1, least=16),
            Column(title="agent", cells=[call.agent for call in calls], rank=3, style=Style.NAME, least=10),
            Column(title="from", cells=[call.caller or "withheld" for call in calls], rank=2, least=13),
            Column(title="to", cells=[call.called or "" for call in calls], rank=5, least=13),
            Column(title="lasted", cells=[_lasted(call) for call in calls], rank=4, is_number=True),
            Column(
                title="ended",
                cells=[call.ended for call in calls],
                styles=[_style(call.ended) for call in calls],
                least=14,
            ),
            Column(title="cost", cells=[cost(call.cost_usd) for call in calls], rank=6, is_number=True),
            Column(title="id", cells=[call.id for call in calls], style=Style.BOLD),
        ],
        terminal,
        width,
        has_title=has_title,
    )


def print_line(call: CallSummary) -> None:
    sys.stdout.write(json.dumps(asdict(call), ensure_ascii=False) + "\n")
    sys.stdout.flush()


def cost(usd: float | None) -> str:
    return "unknown" if usd is None else f"${usd:.2f}" if usd >= 1 else f"${usd:.4f}"


async def recent(store: Store, where: CallFilter, now: Instant) -> dict[str, CallSummary]:
    """The calls that may have ended just now, by id, the oldest first."""
    since = max(where.since or 0.0, now - LONGEST_CALL_S)
    calls = await store.find(replace(where, since=since), MOST_FOLLOWED)
    return {call.id: call for call in reversed(calls)}


async def follow(
    store: Store,
    where: CallFilter,
    known: Mapping[str, CallSummary],
    show: Callable[[CallSummary], None],
) -> int:
    """Show each call that is not `known` as it ends, until somebody presses Ctrl-C."""
    while True:
        calls = await recent(store, where, time.time())
        for call_id, call in calls.items():
            if call_id not in known:
                show(call)
        sys.stdout.flush()
        known = calls
        await asyncio.sleep(FOLLOW_EVERY_S)


def _lasted(call: CallSummary) -> str:
    return "" if call.ended_at is None else lasted(call.ended_at - call.started_at)


def _style(ended: str) -> Style | None:
    return Style.ERROR if ended in _BAD else Style.WARNING if ended in _LIMITED else None
