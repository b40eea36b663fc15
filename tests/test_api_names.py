"""Event names, paths, addresses, error codes and close codes of the voice API stand behind its port or in the
stand-in.
"""

import ast
import re
from functools import lru_cache
from itertools import chain
from pathlib import Path

import pytest

from runner.api.realtime.responses import ERROR_KINDS

RUNNER = Path(__file__).parents[1] / "runner"
PORT = RUNNER / "api/realtime"
NAMES = re.compile(
    r"response\.(?:create|created|done|cancel)\b|session\.update\b|conversation\.item\b"
    r"|(?:in|out)put_audio_buffer\b|realtime\.call\.incoming|[\"/]realtime[?/]|\"/responses"
    r"|proj_|api\.openai\.com|decision_already_made|call_id_not_found"
    r"|(?=.*(?:clos|code))(?<![\w.])(?:3000|4000)(?![\w.])|(?:clos|code).*(?<![\w.])(?:3000|4000)(?![\w.])"
)
NAME_OR_PATH = re.compile(r"[a-z_]+(?:\.[a-z_]+)+|/[a-z].*")
WORD = re.compile(r"[\w./]+")
PLACEHOLDER = re.compile(r"%s|\{\w*\}")
OURS_TOO = {"session_expired"}
"""It is the reason of an end as well."""
READS_THE_STAND_IN = "demo/timeline.py"
"""It watches what the stand-in sends and is sent."""

FILES = [
    path
    for path in sorted(RUNNER.rglob("*.py"))
    if not path.relative_to(RUNNER).as_posix().startswith(("api/realtime", "standin", READS_THE_STAND_IN))
]


@lru_cache(maxsize=1)
def nodes(source: str) -> list[ast.AST]:
    """All that a module is made of. Several questions are asked about one module after the other."""
    return list(ast.walk(ast.parse(source)))


def texts(source: str) -> set[str]:
    """Every constant text of a module, as text or as bytes."""
    constants = [node.value for node in nodes(source) if isinstance(node, ast.Constant)]
    return {
        value if isinstance(value, str) else value.decode(errors="replace")
        for value in constants
        if isinstance(value, str | bytes)
    }


def words(source: str) -> set[str]:
    """Every constant text of a module, and the words in it."""
    return {word for text in texts(source) for word in (text, *WORD.findall(text))}


NAMES_OF_THE_PORT = {
    text
    for path in PORT.glob("*.py")
    for text in texts(path.read_text("utf-8"))
    if NAME_OR_PATH.fullmatch(text)
} | (set(ERROR_KINDS) - OURS_TOO)
PIECES = {
    piece
    for name in NAMES_OF_THE_PORT
    if not name.startswith("/")
    for left, dot, right in (name.partition("."), name.rpartition("."))
    for piece in (left + dot, dot + right)
    if dot
}
"""The beginnings and ends of names, from which a name can be put together."""
OPEN_MODULES = {"account", "api", "facts", "models", "prices", "shutdowns", "text_model"}
"""The port itself, and what doctor and configuration must know of the API before there is a call."""


def found(source: str) -> list[str]:
    lines = [line.strip() for line in source.splitlines() if NAMES.search(line)]
    return (
        lines
        or sorted(words(source) & NAMES_OF_THE_PORT)
        or sorted(PIECES.intersection(chain.from_iterable(map(PLACEHOLDER.split, texts(source)))))
        or closed(source)
    )


def closed(source: str) -> list[str]:
    """The modules behind the port that a module imports."""
    imports = [node for node in nodes(source) if isinstance(node, ast.ImportFrom)]
    modules = [f"{node.module}.{alias.name}" for node in imports for alias in node.names]
    modules += [alias.name for node in nodes(source) if isinstance(node, ast.Import) for alias in node.names]
    behind = [module.split(".") for module in modules if module.startswith("runner.api.realtime.")]
    return [".".join(steps[:4]) for steps in behind if steps[3] not in OPEN_MODULES]


def test_nothing_else_knows_a_name_of_the_api() -> None:
    assert len(FILES) > 100
    assert len(NAMES_OF_THE_PORT) > 50
    assert {path.name: names for path in FILES if (names := found(path.read_text("utf-8")))} == {}


@pytest.mark.parametrize(
    "line",
    [
        'url = f"{base}/realtime?call_id={call_id}"',
        'user.startswith("proj_")',
        "if code in {3000, 4000}: pass",
        "if 4000 == sideband.closed_with: pass",
    ],
)
def test_a_line_that_speaks_of_the_api_is_found(line: str) -> None:
    assert found(line) == [line]


@pytest.mark.parametrize(
    "name", ["mcp_list_tools.failed", "session.created", "/models", "insufficient_quota"]
)
@pytest.mark.parametrize("constant", ['"{}"', 'b"{}"', 'f"{{base}}{} {{x}}"', '"no {} came"'])
def test_a_name_of_the_api_is_found(name: str, constant: str) -> None:
    assert name in found(f"name = {constant.format(name)}")


@pytest.mark.parametrize(
    ("source", "piece"),
    [
        ('kind = f"response.{step}"', "response."),
        ('kind = "session" + ".updated"', ".updated"),
        ('kind = "%s.updated" % what', ".updated"),
        ('kind = "response.{}".format(step)', "response."),
        ("from runner.api.realtime.session import session_body", "runner.api.realtime.session"),
        ("from runner.api.realtime import reading", "runner.api.realtime.reading"),
        ("import runner.api.realtime.orders", "runner.api.realtime.orders"),
    ],
)
def test_a_name_in_pieces_and_a_module_behind_the_port_are_found(source: str, piece: str) -> None:
    assert piece in found(source)
