"""What a process that a test starts takes over from this one."""

import os

# The time of day, which may be made up, and its zone.
CLOCK = {
    name: value
    for name, value in os.environ.items()
    if name in ("LD_PRELOAD", "PYTHONPATH", "TZ") or name.startswith("FAKETIME")
}

WITHOUT_FAKETIME = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
"""The environment of a browser: under faketime its many threads do little else than look at the clock. The
day of callers is their own."""
