"""Builds a person's act in a scenario, by the names of the admin API and of records."""

from runner.config.building.duration import duration_s
from runner.config.node import Node
from runner.config.problem import Problems
from runner.config.scenarios.scenario_scope import ScenarioScope
from runner.model.scenario import PersonActs, TransferEnd
from runner.model.steering import ACTS, TakeOver, act_of
from runner.model.values import Json

_MAIN = {"note": "text", "handoff": "agent", "transfer": "to", "vars": "set"}
"""The field of an act that is the act's own value, where it has another name than the act."""
_TRUE = frozenset({"hush", "hangup", "give-back"})


def build_persons_act(node: Node, scope: ScenarioScope, problems: Problems) -> PersonActs | None:
    """The act; None after noting a problem."""
    # `say` may be part of other acts: the act is the key that is not part of another.
    name = next((key for key in ACTS if key != "say" and node.get(key) is not None), "say")
    value = node.get(name)
    if value is None:
        return None
    if name == "take-over":
        seconds = duration_s(value, problems)
        return PersonActs(act=TakeOver(for_s=seconds)) if seconds is not None else None
    if name == "handoff":
        scope.check_agent(value.text, value.place, problems)
    fields: dict[str, Json] = {key: _plain(each) for key, each in node.items() if key not in {name, "ends"}}
    if name == "instructions":
        fields = value.data()
    elif name not in _TRUE:
        fields[_MAIN.get(name, name)] = value.data() if name == "vars" else value.text
    ends = node.get("ends")
    return PersonActs(
        act=act_of(name, fields),
        transfer_end=TransferEnd(ends.text) if ends is not None else TransferEnd.COMPLETED,
    )


def _plain(node: Node) -> Json:
    return node.text if isinstance(node.value, str | int) and not isinstance(node.value, bool) else node.value
