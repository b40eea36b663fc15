"""Rounds of chaos until as many calls were played as are asked for: `python -m tests.chaos --calls 1000`.

Prints a table: rounds, calls, faults by kind, losses. Exit code 1 when anything was lost. A round in which
the machine had no time for the harness itself is void: it is shown and not counted.
"""

import argparse
import asyncio
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from tests.chaos.planted import BUGS
from tests.chaos.world import Plan, play
from tests.store.postgresql.server import PostgresqlServer

FAULTS = ("kill", "kill_at_work", "cut", "cut_at_reply", "duplicate", "reload")
PATIENCE_S = 75.0
"""Longer than the database is away, for which a booking waits."""
FLEET_FAULTS = (*FAULTS, "deploy", "pause", "outage", "cut_off", "late")


def main() -> int:
    """Run it; the process's exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--calls", type=int, default=200, help="how many calls at least (default: 200)")
    parser.add_argument("--seed", type=int, default=1, help="of the first round (default: 1)")
    parser.add_argument("--store", choices=("sqlite", "postgresql"), default="postgresql")
    parser.add_argument("--runners", type=int, default=3, help="processes, with PostgreSQL (default: 3)")
    parser.add_argument("--a-round", type=int, default=40, help="calls of one round (default: 40)")
    parser.add_argument("--lasts", type=float, default=30.0, help="seconds in which they ring (default: 30)")
    parser.add_argument(
        "--faults", nargs="+", choices=FLEET_FAULTS, metavar="FAULT", help="only these (default: all)"
    )
    parser.add_argument(
        "--logs", type=Path, help="a folder for the runners' logs of rounds that lost something"
    )
    parser.add_argument("--minutes", type=float, help="begin no further round after so many")
    parser.add_argument("--bug", choices=tuple(BUGS), default="nothing", help="a bug to plant")
    options = parser.parse_args()
    if options.logs is not None:
        try:
            options.logs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            parser.error(f'cannot make the folder "{options.logs}": {error.strerror}')
    # Like Ctrl-C: nothing is left running.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    server = PostgresqlServer() if options.store == "postgresql" else None
    try:
        return asyncio.run(_rounds(options, server))
    finally:
        if server is not None:
            server.delete()


async def _rounds(options: argparse.Namespace, server: PostgresqlServer | None) -> int:
    calls, losses, faults, rounds, void = 0, 0, Counter[str](), 0, 0
    until = None if options.minutes is None else time.monotonic() + options.minutes * 60
    while calls < options.calls and (until is None or time.monotonic() < until):
        plan = Plan(
            seed=options.seed + rounds,
            store="sqlite:" if server is None else server.new_database(),
            runners=1 if server is None else options.runners,
            calls=options.a_round,
            lasts_s=options.lasts,
            faults=tuple(options.faults or (FAULTS if server is None else FLEET_FAULTS)),
            bug=options.bug,
            server=server,
            patience_s=PATIENCE_S,
            log=None
            if options.logs is None
            else options.logs / f"{options.store}-{options.seed + rounds}.log",
        )
        result = await play(plan)
        rounds += 1
        if result.is_void:
            void += 1
        else:
            calls += result.calls
            losses += len(result.losses)
            faults += result.faults
        verdict = ", so it is void" if result.is_void else ""
        print(
            f"round {rounds}, seed {plan.seed}: {result.calls} calls, {len(result.losses)} losses; "
            f"this process was late by at most {result.late_s:.1f} s{verdict}",
            flush=True,
        )
        for loss in result.losses:
            print(f"  {loss}", flush=True)
        if plan.log is not None and not result.losses:
            plan.log.unlink()
    named = ["store", "rounds", "void", "calls", *sorted(faults), "losses"]
    figures = [options.store, rounds, void, calls, *(faults[name] for name in sorted(faults)), losses]
    print("\n| " + " | ".join(named) + " |\n|" + " --- |" * len(named))
    print("| " + " | ".join(map(str, figures)) + " |")
    return 1 if losses else 0


if __name__ == "__main__":
    sys.exit(main())
