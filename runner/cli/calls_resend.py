"""`phone-agents calls resend`: retries the parked jobs of calls, as if they were new."""

import argparse
import time

from runner.cli.calls_show import find_call
from runner.cli.main import OK, PROBLEMS
from runner.cli.terminal import stdout
from runner.model.settings import Settings
from runner.serve.timeouts import Timeouts
from runner.store.store import Store
from runner.wording import plural


async def act(options: argparse.Namespace, settings: Settings, store: Store) -> int:
    """Open the jobs again. Raises CannotRunError for a call that is not stored."""
    code = OK
    for id_end in options.id:
        call_id, _call = await find_call(settings, store, id_end)
        count = await store.retry_parked(call_id, time.time())
        if not count:
            stdout().line(f'call "{call_id}" has no parked job')
            code = PROBLEMS
            continue
        stdout().line(
            f'{plural(count, "job")} of call "{call_id}" will be tried again: a runner that is up looks '
            f"every {Timeouts().poll_s:g} s"
        )
    return code
