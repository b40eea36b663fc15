"""`phone-agents calls scenario`: prints a recorded call as a scenario, for a `*.test.yaml` file."""

import argparse
import sys

from runner.cli.calls_show import find_call, record_of
from runner.cli.main import OK
from runner.model.settings import Settings
from runner.scenario.from_record import scenario_of
from runner.store.store import Store


async def act(options: argparse.Namespace, _: Settings, store: Store) -> int:
    """Print the scenario. Raises CannotRunError when there is no such call, or its record cannot be read."""
    call_id, call = await find_call(store, options.id)
    sys.stdout.write(scenario_of(record_of(call, call_id)))
    return OK
