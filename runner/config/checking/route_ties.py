"""Reports routes of two agents that tie, each with a call that shows it."""

from datetime import datetime
from zoneinfo import ZoneInfo

from runner.call.routes.matcher import address_text
from runner.call.routes.routing import RouteTable
from runner.call.routes.ties import Tie, find_ties
from runner.config.problem import Problems
from runner.model.call import Address


def check_ties(table: RouteTable, problems: Problems) -> None:
    """Note every tie at the later route. For a table without other mistakes."""
    for tie in find_ties(table):
        first, second = tie.first, tie.second
        message = (
            f'this route of "{second.agent}" ties with the one of "{first.agent}" at {first.place}'
            f" for {_shown(tie, table)}; give one of them a higher priority"
        )
        problems.error(second.place, "route-tie", message)


def _shown(tie: Tie, table: RouteTable) -> str:
    """The call, with what `phone-agents route` needs to show it."""
    words = [f"a call to {_party(tie.call.called)} from {_party(tie.call.caller)}"]
    words += [f'with {name} "{value}"' for name, value in tie.call.headers]
    during = tie.first.conditions.during
    if during is not None:
        words.append(f"at {datetime.fromtimestamp(tie.now, _zone(table, during)).isoformat()}")
    return " ".join(words)


def _zone(table: RouteTable, schedule: str) -> ZoneInfo:
    return table.schedules[schedule].timezone


def _party(address: Address) -> str:
    return address.number or address_text(address)
