"""`phone-agents calls scenario`: prints a recorded call as a scenario, for a `*.test.yaml` file."""

import argparse
import sys

from runner.cli.calls_show import find_call, record_of
from runner.cli.main import OK
from runner.config.load import load
from runner.errors import CannotRunError
from runner.model.record import CallRecord
from runner.model.route import Route
from runner.model.settings import Settings
from runner.scenario.from_record import scenario_of
from runner.store.store import Store


async def act(options: argparse.Namespace, settings: Settings, store: Store) -> int:
    """Print the scenario. Raises CannotRunError when there is no such call, or its record cannot be read."""
    call_id, call = await find_call(settings, store, options.id)
    record = record_of(call, call_id)
    sys.stdout.write(scenario_of(record, _route_of(record, options)))
    return OK


def _route_of(record: CallRecord, options: argparse.Namespace) -> Route | None:
    """The route by which the call was taken, if the configuration still has it at that place."""
    try:
        loaded = load(options.dir, options.environment)
    except CannotRunError:
        return None
    agents = loaded.configuration.agents.values() if loaded.configuration is not None else ()
    routes = (route for agent in agents for route in agent.routes)
    return next((route for route in routes if str(route.place) == record.route), None)
