"""Warns of routes that can never win, and names what takes their calls."""

from runner.call.routes.routing import RouteTable
from runner.call.routes.unreachable import Covered, find_covered
from runner.config.problem import Problems
from runner.model.route import RejectRule

_MOST_NAMED = 3


def check_covered(table: RouteTable, problems: Problems) -> None:
    """Note each route that no call can reach. For a table without other mistakes."""
    for covered in find_covered(table):
        problems.warning(covered.route.place, "never-wins", f"this route never wins: {_why(covered)}")


def _why(covered: Covered) -> str:
    if not covered.by:
        return "its share is 0%; leave it out, or give it a larger one"
    named = [
        f"the {'reject rule' if isinstance(rule, RejectRule) else 'route'} at {rule.place}"
        for rule in covered.by[:_MOST_NAMED]
    ]
    if len(covered.by) > _MOST_NAMED:
        named.append(f"{len(covered.by) - _MOST_NAMED} more")
    takes = "takes" if len(covered.by) == 1 else "take"
    right = (
        "leave it out"
        if any(isinstance(rule, RejectRule) for rule in covered.by)
        else ('leave it out, or give it a higher "priority"')
    )
    return f"{' and '.join(named)} {takes} all of its calls; {right}"
