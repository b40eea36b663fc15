"""Sleeping under faketime.

The `clock_nanosleep` of libfaketime 0.9.10 refuses every wait that does not go by the faked clock, and
Python's `time.sleep` calls it. `select` waits as long, and nobody has replaced it.
"""

import select
import time


def _sleep(seconds: float, /) -> None:
    select.select((), (), (), seconds)


time.sleep = _sleep
