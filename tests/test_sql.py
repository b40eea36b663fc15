"""Nobody but the store speaks SQL."""

import ast
import re
from pathlib import Path

RUNNER = Path(__file__).parents[1] / "runner"
STATEMENT = re.compile(r"\s*(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE|PRAGMA|WITH)\s")


def statements(path: Path) -> list[str]:
    source = path.read_text("utf-8")
    if not STATEMENT.search(source):
        return []
    nodes = ast.walk(ast.parse(source))
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [text for text in texts if STATEMENT.match(text)]


def test_nobody_but_the_store_speaks_sql() -> None:
    found = {path.relative_to(RUNNER).parts[0] for path in RUNNER.rglob("*.py") if statements(path)}
    assert found == {"store"}


def test_no_statement_numbers_its_parameters() -> None:
    # Python 3.14 takes `?1` for a name, and refuses a sequence of values for it.
    numbered = [
        (path.name, node.lineno)
        for path in RUNNER.glob("store/**/*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and re.search(r" \(?\?\d", str(node.value))
    ]
    assert numbered == []
