"""Writes the observed values where a scenario says `expect: ...`, after showing the diff."""

from difflib import unified_diff
from pathlib import Path

from runner.cli.terminal import Style, Terminal, printable
from runner.cli.test_report import ScenarioReport
from runner.scenario.update import FilledMark, updated

_SIGNS = {"-": Style.ERROR, "+": Style.GOOD, "@": Style.DIM}


def update(report: ScenarioReport, terminal: Terminal) -> None:
    """Show the diff of each file, then write the file."""
    changes: dict[str, list[FilledMark]] = {}
    for played in report.played:
        for one in played.to_write:
            place = one.expectation.place
            changes.setdefault(place.file, []).append(FilledMark(place=place, observed=one.observed))
    for file, found in changes.items():
        before = Path(file).read_bytes().decode()
        after = updated(before, found)
        for line in unified_diff(before.splitlines(), after.splitlines(), file, file, lineterm="", n=2):
            style = _SIGNS.get(line[:1])
            terminal.line(terminal.styled(printable(line), style) if style else printable(line))
        Path(file).write_bytes(after.encode())
