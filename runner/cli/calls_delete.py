"""`phone-agents calls delete`: deletes calls with their outcomes, journals and jobs, one by one."""

import argparse
import os
import sys
from collections.abc import AsyncIterator

from runner.cli.calls_list import columns, number_of, show_calls
from runner.cli.calls_show import find_call
from runner.cli.main import OK, PROBLEMS
from runner.cli.terminal import stderr, stdout
from runner.cli.times import read_time
from runner.errors import UsageError
from runner.model.settings import Settings
from runner.model.stored_call import CallFilter
from runner.serve.secrets import find_store
from runner.store.store import Store
from runner.store.url import file_beside
from runner.wording import plural

STEP = 200
"""Calls looked up at a time. Each is deleted in a transaction of its own: nobody waits for long."""
MOST_SHOWN = 5


async def act(options: argparse.Namespace, settings: Settings, store: Store) -> int:
    """Delete calls, and say how many. Raises UsageError, and CannotRunError for a call that is not stored."""
    where = _filter(options, settings)
    if where is None:
        for id_end in options.id:
            call_id, _ = await find_call(settings, store, id_end)
            await store.delete(call_id)
            stdout().line(f'call "{call_id}" is deleted')
        _tell_what_waits(settings)
        return OK
    if not options.yes and not await _is_meant(store, where):
        return PROBLEMS
    count = 0
    async for call_id in _matching(store, where):
        count += await store.delete(call_id)
    stdout().line(f"{plural(count, 'call')} {'is' if count == 1 else 'are'} deleted")
    _tell_what_waits(settings)
    return OK


def _filter(options: argparse.Namespace, settings: Settings) -> CallFilter | None:
    """The filter of the options; None for calls that are named."""
    if options.id and (options.number or options.before):
        raise UsageError("name calls by their ids, or by --number and --before, not both")
    if not options.id and not options.number and not options.before:
        raise UsageError("say which calls: by their ids, by --number N, by --before TIME")
    if options.id:
        return None
    return CallFilter(
        number=None if options.number is None else number_of(options.number, settings),
        until=None if options.before is None else read_time(options.before),
    )


async def _is_meant(store: Store, where: CallFilter) -> bool:
    """Ask the person at the terminal. Raises UsageError where there is none."""
    records = await store.find(where, MOST_SHOWN + 1)
    if not records:
        stdout().line("no stored call matches")
        return False
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to confirm at; add --yes to delete them without a question")
    show_calls(records[:MOST_SHOWN], stdout(), columns())
    if len(records) > MOST_SHOWN:
        stdout().line("…")
    sys.stdout.flush()
    stderr().line("Delete all matching calls, with their jobs? This cannot be undone. [y/N]")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


async def _matching(store: Store, where: CallFilter) -> AsyncIterator[str]:
    while calls := await store.find(where, STEP):
        for call in calls:
            yield call.id


def _tell_what_waits(settings: Settings) -> None:
    """Say which files may hold the same calls: they belong to a runner, which may be writing to them."""
    beside = file_beside(find_store(settings, os.environ), "unsaved")
    if beside is None:
        return
    for path in sorted(beside.parent.glob(f"{beside.name}*")):
        stderr().line(f'"{path}" holds records that the store has not taken, and is left as it is')
