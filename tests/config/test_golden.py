"""What `validate` says, whole, for every mistake that it knows.

Each NAME.yaml (one agent) or directory NAME in golden/ is validated as "agents", and the output compared with
NAME.out. After a change of messages, GOLDEN=write writes them anew, and fails: read the diff, then run again.
"""

import ast
import os
import re
import shutil
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import pytest

import runner.cli.validate
import runner.config
from runner.cli.main import main
from runner.config.checking.rules import RULES

if TYPE_CHECKING:
    from _typeshed import TraceFunction

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted({path.name.removesuffix(".yaml") for path in GOLDEN.iterdir() if path.suffix != ".out"})
REPORTS = {
    *("error", "warning", "Problem", "Finding", "Mistake"),
    *("_error", "_wrong", "_mistake", "_here", "_at_begin", "SyntaxMistake", "template_needs_quotes"),
}
CONFIG = Path(runner.config.__file__).parent


def told(case: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """Everything that `validate` prints about a case, and its exit code."""
    source = GOLDEN / case
    if source.is_dir():
        shutil.copytree(source, folder / "agents")
        make_links(folder / "agents")
    else:
        (folder / "agents").mkdir()
        shutil.copy(source.with_name(f"{case}.yaml"), folder / "agents")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SET", "1")
    code = main(["validate", "agents"])
    printed = capsys.readouterr()
    return f"{printed.out}{printed.err}exit {code}\n"


def make_links(folder: Path) -> None:
    """Links are written down in `.links`, since not every way to copy a repository keeps them."""
    links = folder / ".links"
    if links.exists():
        for line in links.read_text().splitlines():
            name, target = line.split()
            (folder / name).symlink_to(target)


@pytest.mark.parametrize("case", CASES)
def test_each_mistake_is_told_as_written_down(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = told(case, tmp_path, monkeypatch, capsys)
    out = GOLDEN / f"{case}.out"
    if os.environ.get("GOLDEN") == "write" and (not out.exists() or out.read_text() != found):
        out.write_text(found)
        pytest.fail(f"{out.name} was written anew; read it, and run again without GOLDEN")
    assert found == out.read_text()


def test_what_newcomers_do_is_told_once() -> None:
    """Each newcomer-… is a way in which a person who sees the project for the first time breaks an agent."""
    outs = sorted(GOLDEN.glob("newcomer-*.out"))
    assert len(outs) >= 60
    for out in outs:
        told_of = re.findall(r"^agents/\S*:\d+:\d+: (.*) \[[a-z-]+\]$", out.read_text(), re.MULTILINE)
        assert len(told_of) == 1, out.name


def test_no_out_file_is_without_its_case() -> None:
    assert {path.stem for path in GOLDEN.glob("*.out")} == set(CASES)


def reports(path: Path) -> dict[int, str]:
    """The statements of a module that report a problem: the line where each begins, and its code."""
    found = {}
    for statement in ast.walk(ast.parse(path.read_text())):
        if isinstance(statement, ast.Expr | ast.Return | ast.Raise) and any(
            _name(call) in REPORTS for call in ast.walk(statement) if isinstance(call, ast.Call)
        ):
            found[statement.lineno] = ast.unparse(statement)
    return found


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


NOT_IN_GOLDEN = {
    # A folder that root could not list either does not exist on every machine that tests run on.
    ("files.py", "cannot read this folder"),
    # A file of 32 MiB has no place in a repository; test_load makes one.
    ("files.py", "is larger than"),
    # libyaml finds this by itself; the pure parser's tests reach it.
    ("yaml_text.py", "an escape in this text is not a valid character"),
    # Only the parser knows what else it may say; these are for a newer one.
    ("yaml_text.py", "this is not YAML"),
    ("yaml_syntax.py", "this is not YAML"),
}


def test_every_statement_that_reports_a_problem_is_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """So that a new message cannot come without being written down here."""
    wanted = {
        str(path): reports(path)
        for path in (*sorted(CONFIG.rglob("*.py")), Path(runner.cli.validate.__file__))
    }
    reached: set[tuple[str, int]] = set()
    watched: dict[tuple[str, int], bool] = {}

    def trace(frame: FrameType, event: str, _: object) -> "TraceFunction | None":
        code = frame.f_code
        place = code.co_filename, code.co_firstlineno
        if place not in watched:
            lines = {line for *_, line in code.co_lines()}
            watched[place] = not lines.isdisjoint(wanted.get(code.co_filename, ()))
        if event == "line":
            reached.add((code.co_filename, frame.f_lineno))
        return trace if watched[place] else None

    for case in CASES:
        (tmp_path / case).mkdir()
        sys.settrace(trace)
        try:
            told(case, tmp_path / case, monkeypatch, capsys)
        finally:
            sys.settrace(None)
    missing = [
        f"{Path(file).name}:{line}: {code}"
        for file, statements in wanted.items()
        for line, code in statements.items()
        if (file, line) not in reached
        and not any(Path(file).name == name and text in code for name, text in NOT_IN_GOLDEN)
    ]
    assert not missing, "\n".join(missing)


def rules(path: Path) -> set[str]:
    """The names of rules in a module: what is said second to a report, and first of a finding's pair."""
    tree = ast.parse(path.read_text())
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found: list[ast.expr] = []
    pairs: list[ast.expr] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node) in REPORTS:
            found += [*node.args[1:2], *(word.value for word in node.keywords if word.arg == "rule")]
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            pairs += node.value.elts[:1]
    reported = {getattr(node, "value", constants.get(getattr(node, "id", ""))) for node in found}
    returned = {name for node in pairs if "-" in str(name := getattr(node, "value", ""))}
    names = {name for name in reported | returned if isinstance(name, str)}
    return {name for name in names if re.fullmatch(r"[a-z]+(-[a-z]+)*", name)}


def test_every_rule_has_a_golden_message() -> None:
    told_of = {
        rule
        for out in GOLDEN.glob("*.out")
        for rule in re.findall(r"^\S+:\d+:\d+: .* \[([a-z-]+)\]$", out.read_text(), re.MULTILINE)
    }
    named = {
        rule for path in (*CONFIG.rglob("*.py"), Path(runner.cli.validate.__file__)) for rule in rules(path)
    }
    assert named - told_of == set()
    assert told_of == set(RULES)
    assert {"yaml-syntax", "unknown-key", "type", "duplicate-agent", "secret-missing"} <= named
