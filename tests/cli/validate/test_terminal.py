"""Problems on a terminal: the line, the caret below it, colour, and nothing that could take it over."""

import io
import sys
from io import StringIO
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from runner.cli.main import main
from runner.cli.problems import print_problems
from runner.cli.terminal import Style, Terminal, printable
from runner.config.load import load
from runner.config.problem import Problem, Severity
from runner.model.values import Place
from tests.cli.validate.agent import AGENT


@pytest.mark.parametrize(
    "line",
    [
        'tools: [{name: a, http: {url: "https://a.example", auth: {bearer: hunter2}, timout: 5s}}]',
        'tools: [{name: a, description: A, htpp: {auth: {basic: {username: u, password: "hunter2"}}}}]',
        "tools: [{name: a, description: A, http: {headers: {Authorization: Bearer hunter2}, timout: 5s}}]",
        "tools: [{name: a, description: A, http: {auth: {bearer: hunter2}",
        "voise: sk-proj-hunter2abcdefgh",
        "webhook_secrets: [hunter2]",
    ],
)
def test_a_secret_that_is_written_out_is_not_shown_for_another_problem_in_its_line(
    folder: Path, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    (folder / "desk.yaml").write_text(AGENT + line + "\n")
    assert main(["validate"]) == 1
    printed = capsys.readouterr()
    assert "agents/desk.yaml:5:" in printed.out
    assert "hunter2" not in printed.out + printed.err


def test_a_line_whose_secrets_are_named_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = (
        'tools: [{name: a, htpp: {auth: {bearer: "{{ secrets.A }}", basic: {password: "{{ secrets.B }}"}}}}]'
    )
    (folder / "desk.yaml").write_text(AGENT + line + "\n")
    assert main(["validate"]) == 1
    assert line in capsys.readouterr().out


class Screen(io.StringIO):
    """A stream that a person is looking at."""

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_the_place_the_caret_and_the_rule_stand_out(folder: Path) -> None:
    (folder / "desk.yaml").write_text(AGENT + "voise: x\n")
    screen = Screen()
    loaded = load(Path("agents"))
    print_problems(loaded.problems, loaded.sources, Terminal.of(screen, {}))
    assert screen.getvalue() == (
        '\x1b[1magents/desk.yaml:5:1\x1b[0m: unknown key "voise"; did you mean "voice"? '
        "\x1b[2m[unknown-key]\x1b[0m\n"
        "\x1b[2m    5 | \x1b[0mvoise: x\n"
        "\x1b[2m      | \x1b[0m\x1b[1;31m^\x1b[0m\n"
    )


@pytest.mark.parametrize(
    ("stream", "environ", "has_colour"),
    [
        (Screen(), {}, True),
        (Screen(), {"NO_COLOR": ""}, True),
        (Screen(), {"NO_COLOR": "1"}, False),
        (Screen(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_colour_is_for_terminals_and_honours_no_color(
    stream: StringIO | Screen, environ: dict[str, str], has_colour: bool
) -> None:
    """no-color.org: set and not empty."""
    assert (Terminal.of(stream, environ).styled("x", Style.BOLD) != "x") is has_colour


def excerpt(line: str, column: int) -> list[str]:
    """What is shown of a line."""
    screen = io.StringIO()
    problem = Problem(place=Place("f", 1, column), rule="r", message="m", severity=Severity.ERROR)
    print_problems((problem,), {"f": line}, Terminal.of(screen, {}))
    return screen.getvalue().splitlines()[1:]


def test_the_caret_stands_under_its_column_however_wide_the_characters_before_it() -> None:
    assert excerpt("a: 東京 x", 7) == ["    1 | a: 東京 x", "      |         ^"]
    assert excerpt("a: e\u0301 x", 7) == ["    1 | a: e\u0301 x", "      |      ^"]


def test_of_a_long_line_the_part_around_the_column_is_shown() -> None:
    source, caret = excerpt("x" * 1000 + "HERE" + "y" * 1000, 1001)
    assert len(source) < 180
    assert source[caret.index("^") :].startswith("HERE")
    assert source[8] == "…"
    assert source[-1] == "…"


def test_control_characters_of_a_file_never_reach_the_terminal() -> None:
    assert printable("a\x1b[31mb\tc\u202ed\n") == "a\\x1b[31mb\\tc\\u202ed\\n"
    assert excerpt("a\tb: \x9bx", 4) == ["    1 | a\\tb: \\x9bx", "      |     ^"]


def test_what_the_stream_cannot_show_is_escaped() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Terminal.of(stream, {}).line("café …")
    stream.flush()
    assert stream.buffer.getvalue() == b"caf\\xe9 \\u2026\n"


def test_a_line_with_very_many_problems_is_searched_for_secrets_once() -> None:
    """Each search takes as long as the line is."""
    line = "x" * 10_000
    problems = [
        Problem(place=Place("f", 1, column), rule="r", message="m", severity=Severity.ERROR)
        for column in range(1, 100)
    ]
    searches = 0

    def count(_: FrameType, event: str, called: Any) -> None:
        nonlocal searches
        searches += event == "c_call" and getattr(called, "__name__", "") == "search"

    sys.setprofile(count)
    try:
        print_problems(problems, {"f": line}, Terminal.of(io.StringIO(), {}))
    finally:
        sys.setprofile(None)
    assert searches == 1
