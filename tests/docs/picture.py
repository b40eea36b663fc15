"""Draws the simulated call of the README: the real output of `phone-agents simulate`, as an SVG."""

import io
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from unittest.mock import patch
from xml.sax.saxutils import escape

from runner.cli.main import main
from tests.docs.pages import ROOT

FILE = ROOT / "docs" / "simulated-call.svg"
COLUMNS = 100
COMMAND = ("simulate", "agents/", "--call", "find_slots", "--call", "book_slot", "--call", "end_call")
AT = ("--at", "2026-11-23T15:00-05:00")
"""Not shown: it makes the picture the same on any day."""

TOOK = re.compile(r"\((\d+ ms|\d+\.\d s)\)")
"""What depends on the machine. It stands at the end of a line, so that no line is broken elsewhere for it."""

WIDTH, LINE, LEFT, TOP = 8.4, 19, 20, 46
"""Of a character, and of what is around the text, in pixels."""
CLASSES = {"1": "b", "2": "d", "1;31": "e", "1;33": "w", "32": "g", "36": "n"}
STYLE = """\
text { font: 14px ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace;
  white-space: pre; fill: #24292f }
.page { fill: #f6f8fa; stroke: #d0d7de }
.b { font-weight: bold }
.d { fill: #57606a }
.e { fill: #cf222e; font-weight: bold }
.w { fill: #8a4600; font-weight: bold }
.g { fill: #116329 }
.n { fill: #0550ae }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .page { fill: #161b22; stroke: #30363d }
  .d { fill: #9198a1 }
  .e { fill: #ff7b72 }
  .w { fill: #e3b341 }
  .g { fill: #56d364 }
  .n { fill: #79c0ff }
}"""
DESCRIPTION = (
    "A terminal. The agent of a dental practice greets the caller. The model looks up free times and books"
    " one, with the requests to the practice's endpoints and their replies. The record says how the call"
    " ended, what it took and what it cost."
)


class _Screen(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def output() -> str:
    """What the command prints on a terminal, with its colours."""
    screen = _Screen()
    with redirect_stdout(screen), patch.dict("os.environ", {"COLUMNS": str(COLUMNS + 1), "TERM": "xterm"}):
        code = main([*COMMAND, *AT, "--speed", "0"])
    if code:
        raise RuntimeError(screen.getvalue())
    return TOOK.sub("(12 ms)", screen.getvalue())


def drawn(text: str) -> str:
    """The text as an SVG."""
    lines = [f"\x1b[2m$\x1b[0m phone-agents {' '.join(COMMAND)}", *text.rstrip().splitlines()]
    width, height = round(COLUMNS * WIDTH + 2 * LEFT), TOP + len(lines) * LINE
    body = "\n".join(
        f'<text x="{LEFT}" y="{TOP + number * LINE}">{"".join(_spans(line))}</text>'
        for number, line in enumerate(lines)
        if line
    )
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" width="{width}" height="{height}" \
viewBox="0 0 {width} {height}" role="img" aria-labelledby="title description">
<title id="title">A simulated call, as phone-agents shows it</title>
<desc id="description">{escape(DESCRIPTION)}</desc>
<style>
{STYLE}
</style>
<rect class="page" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"/>
{body}
</svg>
"""


def _spans(line: str) -> Iterator[str]:
    """The pieces of a line, each in its style."""
    for style, styled, plain in re.findall(r"\x1b\[([\d;]+)m(.*?)\x1b\[0m|([^\x1b]+)", line):
        yield f'<tspan class="{CLASSES[style]}">{escape(styled)}</tspan>' if style else escape(plain)
