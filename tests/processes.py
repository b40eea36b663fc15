"""What a process that a test starts takes over from this one."""

import os

# The time of day, which may be made up, and its zone.
CLOCK = {
    name: value
    for name, value in os.environ.items()
    if name in ("LD_PRELOAD", "PYTHONPATH", "TZ") or name.startswith("FAKETIME")
}

WITHOUT_FAKETIME = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
"""The environment of a client of the program that looks at the clock all the time, such as a browser: under
faketime it would do little else. The day of callers is their own."""
