"""Shows the whole routing table in the order in which it decides."""

from collections.abc import Iterator
from typing import TypeAlias

from runner.call.routes.precedence import in_order
from runner.cli.summary import asks
from runner.cli.terminal import Style, Terminal, printable
from runner.model.route import ToAgent
from runner.model.settings import Configuration

Row: TypeAlias = tuple[str, str, str]


def show_tree(configuration: Configuration, terminal: Terminal) -> None:
    """Print reject rules, then routes, then `otherwise`; of those that match a call, the first decides."""
    rows = [
        (printable(answer), printable(place), printable(words))
        for answer, place, words in _rows(configuration)
    ]
    wide_answer, wide_place = (max(len(row[column]) for row in rows) for column in (0, 1))
    for answer, place, words in rows:
        # Padded before it is styled, since a terminal's escapes have no width. An agent's id has no spaces.
        style = Style.ERROR if answer.startswith("reject ") else Style.NAME
        shown = terminal.styled(f"{answer:{wide_answer}}", style)
        terminal.line(f"{shown}  {terminal.styled(f'{place:{wide_place}}', Style.DIM)}  {words}")


def _rows(configuration: Configuration) -> Iterator[Row]:
    routing = configuration.settings.routing
    for rule in in_order(routing.reject):
        yield f"reject {rule.status}", str(rule.place), asks(rule.conditions)
    for route in in_order(route for agent in configuration.agents.values() for route in agent.routes):
        priority = f", priority {route.priority}" if route.priority else ""
        yield route.agent, str(route.place), asks(route.conditions) + priority
    otherwise = routing.otherwise
    answer = otherwise.agent if isinstance(otherwise, ToAgent) else f"reject {otherwise.status}"
    yield answer, "otherwise", "every other call"
