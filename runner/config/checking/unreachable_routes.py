"""Warns of routes that can never win, and names the rules that take their calls."""

from runner.call.routes.routing import RouteTable
from runner.call.routes.unreachable import UnreachableRoute, find_unreachable
from runner.config.problem import Problems
from runner.model.route import RejectRule

_MOST_NAMED = 3


def check_unreachable(table: RouteTable, problems: Problems) -> None:
    """Note each route that no call can reach. For a table without other mistakes."""
    for unreachable in find_unreachable(table):
        problems.warning(unreachable.route.place, "never-wins", f"this route never wins: {_why(unreachable)}")


def _why(unreachable: UnreachableRoute) -> str:
    if not unreachable.by:
        return "its share is 0%; leave it out, or give it a larger one"
    named = [
        f"the {'reject rule' if isinstance(rule, RejectRule) else 'route'} at {rule.place}"
        for rule in unreachable.by[:_MOST_NAMED]
    ]
    if len(unreachable.by) > _MOST_NAMED:
        named.append(f"{len(unreachable.by) - _MOST_NAMED} more")
    takes = "takes" if len(unreachable.by) == 1 else "take"
    right = (
        "leave it out"
        if any(isinstance(rule, RejectRule) for rule in unreachable.by)
        else ('leave it out, or give it a higher "priority"')
    )
    return f"{' and '.join(named)} {takes} all of its calls; {right}"
