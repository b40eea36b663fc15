"""The scenario of a stored record, as the admin API gives it."""

from runner.call.records.record_json import of_json
from runner.model.values import JsonObject
from runner.scenario.from_record import scenario_of
from runner.serve.admin.record_requests import NoScenarioError


def recorded_scenario(record: JsonObject) -> str:
    """The scenario of a stored record. Raises NoScenarioError."""
    try:
        return scenario_of(of_json(record))
    except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        # A record of another version, or one that somebody has edited.
        raise NoScenarioError(
            f"the record is not one that this version writes: {type(error).__name__}: {error}"
        ) from None
