"""Shows the whole routing table in the order in which it decides."""

from runner.cli.summary import routing_rows
from runner.cli.terminal import Style, Terminal, printable
from runner.model.settings import Configuration


def show_tree(configuration: Configuration, terminal: Terminal) -> None:
    """Print reject rules, then routes, then `otherwise`; of those that match a call, the first decides."""
    rejects, routes, otherwise = routing_rows(configuration)
    rows = [tuple(map(printable, row)) for row in (*rejects, *routes, otherwise)]
    wide_answer, wide_place = (max(len(row[column]) for row in rows) for column in (0, 1))
    for answer, place, words in rows:
        # Padded before it is styled, since a terminal's escapes have no width. An agent's id has no spaces.
        style = Style.ERROR if answer.startswith("reject ") else Style.NAME
        shown = terminal.styled(f"{answer:{wide_answer}}", style)
        terminal.line(f"{shown}  {terminal.styled(f'{place:{wide_place}}', Style.DIM)}  {words}")
