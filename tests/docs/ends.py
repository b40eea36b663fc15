"""Why calls end and what webhooks come to, read from the code."""

import ast
from collections.abc import Iterable
from pathlib import Path

import runner
from runner.model.reception import RingResult

PACKAGE = Path(runner.__file__).parent


def reasons() -> set[str]:
    """Every value that `ended` of a record can have."""
    found: set[str] = set()
    for path in [*(PACKAGE / "call").rglob("*.py"), *(PACKAGE / "serve").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id="End"), keywords=keywords):
                    found |= _texts(keyword.value for keyword in keywords if keyword.arg == "reason")
                case ast.Call(func=ast.Attribute(attr="end"), args=[text, *_]):
                    found |= _texts([text])
                case ast.Call(func=ast.Name(id="replace"), keywords=keywords):
                    found |= _texts(keyword.value for keyword in keywords if keyword.arg == "ended")
    return found


def webhook_results() -> set[str]:
    """Every value of the label `result` of the counter of webhooks."""
    found = {result.value for result in RingResult}
    for name in ("webhooks", "app"):
        for node in ast.walk(ast.parse((PACKAGE / "serve" / f"{name}.py").read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(attr="_reply"), args=[_, result, _]):
                    found |= _texts([result])
                case ast.Call(func=ast.Attribute(attr="labels"), keywords=[ast.keyword(value=result)]):
                    found |= _texts([result])
    return found


def _texts(nodes: Iterable[ast.expr]) -> set[str]:
    found: set[str] = set()
    for node in nodes:
        match node:
            case ast.Constant(value=str(text)):
                found.add(text)
            case ast.IfExp(body=body, orelse=orelse):
                found |= _texts([body, orelse])
    return found
