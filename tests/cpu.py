"""Seconds of a processor, for tests that hold code to some of them: they are those of a usual machine."""

import os
import re
import time
from pathlib import Path

USUAL_S = 0.0033
"""What `_work` takes on a machine that is neither slow nor shared."""


def took_at_most(took_s: float, most_s: float) -> bool:
    """Whether this is no more than `most_s`, or would not be on a usual machine."""
    return took_s <= most_s or took_s <= most_s * _slowness()


def stolen_s() -> float:
    """How long the host of this virtual machine has given its processors to others (proc(5)).

    0 where the system does not tell.
    """
    try:
        with Path("/proc/stat").open(encoding="ascii") as stat:
            return int(stat.readline().split()[8]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError):
        return 0.0


def _slowness() -> float:
    """How much longer this machine takes just now than a usual one; at least 1."""
    took_s = []
    for _ in range(3):
        began = time.thread_time()
        _work()
        took_s.append(time.thread_time() - began)
    return max(1.0, min(took_s) / USUAL_S)


def _work() -> int:
    names = {str(number): number % 7 for number in range(20_000)}
    return sum(names.values()) + len(re.findall(r"[a-z]+\d?", "ab1 cd2 " * 1_500))
