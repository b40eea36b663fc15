"""`phone-agents doctor`: checks online everything that the first call needs, and says what to do."""

import argparse
import asyncio
import os
import shutil
import sys
import textwrap
import time
from collections import Counter

from runner.api.realtime.facts import BASE_URL
from runner.cli.environment import add_directory, add_environment
from runner.cli.json_document import add_format, print_document
from runner.cli.main import OK, PROBLEMS
from runner.cli.overrides import base_url_of
from runner.cli.problems import print_problems
from runner.cli.terminal import Style, Terminal, printable, stderr, stdout
from runner.config.load import load
from runner.doctor.examination import examine
from runner.doctor.finding import Finding, FindingState
from runner.model.settings import Configuration
from runner.serve.descriptors import raise_limit
from runner.serve.tls import client_context
from runner.wording import cut, plural

WIDEST = 140
LEAST_TOPIC = 14
MOST_TOPIC = 28

_STYLES = {
    FindingState.OK: Style.GOOD,
    FindingState.WARNING: Style.WARNING,
    FindingState.ERROR: Style.ERROR,
    FindingState.SKIPPED: Style.DIM,
}
_STATE_WIDTH = max(len(state.value) for state in FindingState)


def configure(parser: argparse.ArgumentParser) -> None:
    add_directory(parser)
    add_environment(parser)
    parser.add_argument(
        "--url",
        metavar="URL",
        help="the webhook's public address, to be tested with a signed event that runners ignore",
    )
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    """Examine, and print each finding at once. Raises UsageError and CannotRunError."""
    loaded = load(options.directory, options.environment)
    if loaded.configuration is None:
        print_problems(loaded.problems, loaded.sources, stderr())
        stderr().line("the configuration has mistakes; nothing else was checked")
        return PROBLEMS
    return asyncio.run(_examine(options, loaded.configuration))


async def _examine(options: argparse.Namespace, configuration: Configuration) -> int:
    provider = configuration.settings.provider
    findings: list[Finding] = []
    terminal = stdout() if options.format == "text" else None
    columns = shutil.get_terminal_size().columns
    async for finding in examine(
        configuration,
        os.environ,
        base_url=provider.base_url or base_url_of(os.environ) or BASE_URL,
        webhook_url=options.url,
        tls=client_context(),
        now=time.time(),
        descriptors=raise_limit(),
    ):
        findings.append(finding)
        if terminal is not None:
            show(finding, terminal, columns)
            sys.stdout.flush()
    if terminal is None:
        rows = [
            {"subject": each.topic, "state": each.state.value, "text": each.text, "remedy": each.remedy}
            for each in findings
        ]
        print_document({"findings": rows})
    else:
        terminal.line()
        terminal.line(summary(findings))
    return PROBLEMS if any(finding.state is FindingState.ERROR for finding in findings) else OK


def summary(findings: list[Finding]) -> str:
    """The last line: how many things are wrong."""
    counts = Counter(finding.state for finding in findings)
    states = (FindingState.ERROR, FindingState.WARNING)
    return (
        " and ".join(plural(counts[each], each.value) for each in states if counts[each])
        or "nothing is wrong"
    )


def show(finding: Finding, terminal: Terminal, columns: int) -> None:
    """Print a finding, with what to do below it."""
    topic = cut(printable(finding.topic), MOST_TOPIC)
    margin = _STATE_WIDTH + 2
    width = max(40, min(columns - 1, WIDEST) - margin)
    state = terminal.styled(f"{finding.state.value:{_STATE_WIDTH}}", _STYLES[finding.state])
    head = f"{topic:{LEAST_TOPIC}}  "
    first, *more = textwrap.wrap(
        f"{head}{printable(finding.text)}",
        width,
        subsequent_indent=" " * (LEAST_TOPIC + 2),
        break_on_hyphens=False,
    )
    terminal.line(f"{state}  {terminal.styled(topic, Style.BOLD)}{first[len(topic) :]}")
    for line in more:
        terminal.line(f"{' ' * margin}{line}")
    if finding.remedy:
        indent = " " * (margin + LEAST_TOPIC + 2)
        for line in textwrap.wrap(
            f"→ {printable(finding.remedy)}",
            width - LEAST_TOPIC - 2,
            subsequent_indent="  ",
            break_on_hyphens=False,
        ):
            terminal.line(f"{indent}{line}")
