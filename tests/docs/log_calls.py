"""Every event that the log can hold, read from the code: its levels and the names of its fields."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import runner
from runner.model.action import LogEvent

PACKAGE = Path(runner.__file__).parent
LEVELS = ("debug", "info", "warning", "error")
_LOGS = re.compile(r"\b(?:log\s*\.|Log\(|_record\()")
"""Seven of eight modules write no line of the log; reading them takes most of the time."""


@dataclass(slots=True)
class Event:
    """What is known of one event. An empty set of levels: the code chooses one that is not written out."""

    levels: set[str] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)
    modules: set[str] = field(default_factory=set)


@cache
def events() -> dict[str, Event]:
    """Every event by its name, `%s` in it as `…`."""
    found: dict[str, Event] = defaultdict(Event)
    for path in sorted(PACKAGE.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        if not _LOGS.search(source):
            continue
        module = str(path.relative_to(PACKAGE.parent))
        for name, levels, fields in _Module(ast.parse(source)).events():
            event = found[re.sub(r"%\w", "…", name)]
            event.levels |= levels
            event.fields |= fields
            event.modules.add(module)
    return found


class _Module:
    def __init__(self, tree: ast.Module) -> None:
        self._scope: dict[ast.AST, ast.AST] = {}
        for scope in ast.walk(tree):
            if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
                # Inner functions come later in the walk, so that the innermost scope is kept.
                self._scope.update(dict.fromkeys(ast.walk(scope), scope))
        self._calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]

    def events(self) -> Iterator[tuple[str, set[str], set[str]]]:
        for call in self._calls:
            match call:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="log"), attr="log"), args=[level, text, *_]
                ):
                    yield from self._told(call, text, self._levels(level), "extra")
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="log"), attr="exception"), args=[text, *_]
                ):
                    yield from self._told(call, text, {"error"}, "extra")
                case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=level), args=[text, *_]):
                    yield from self._told(call, text, {level}, "extra")
                # The log's own lines, which pass it by.
                case ast.Call(func=ast.Name(id="_record"), args=[_, level, text]):
                    named = {keyword.arg for keyword in call.keywords if keyword.arg}
                    for name in self._texts(text):
                        yield name, self._levels(level), named
                # What the machine tells.
                case ast.Call(func=ast.Name(id="Log")):
                    given = {keyword.arg: keyword.value for keyword in call.keywords}
                    levels = self._levels(given["level"]) if "level" in given else {"info"}
                    yield from self._told(call, given["event"], levels, "fields")

    def _told(
        self, call: ast.Call, text: ast.AST, levels: set[str], named: str
    ) -> Iterator[tuple[str, set[str], set[str]]]:
        given = [keyword.value for keyword in call.keywords if keyword.arg == named]
        fields = {name for value in given for name in self._keys(value)}
        for name in self._texts(text):
            yield name, levels, fields

    def _texts(self, node: ast.AST) -> Iterator[str]:
        match node:
            case ast.Constant(value=str(text)):
                yield text
            case ast.IfExp(body=body, orelse=orelse):
                yield from self._texts(body)
                yield from self._texts(orelse)
            case ast.Attribute(value=ast.Name(id="LogEvent"), attr=name):
                yield LogEvent[name].value
            case ast.Name():
                for value in self._assigned(node):
                    yield from self._texts(value)

    def _levels(self, node: ast.AST) -> set[str]:
        match node:
            case ast.Attribute(value=ast.Name(id="logging" | "LogLevel"), attr=name):
                return {name.lower()}
            case ast.IfExp(body=body, orelse=orelse):
                return self._levels(body) | self._levels(orelse)
            case ast.Name():
                return {level for value in self._assigned(node) for level in self._levels(value)}
        return set()

    def _keys(self, node: ast.AST) -> Iterator[str]:
        match node:
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant):
                        yield str(key.value)
                    elif key is None:
                        yield from self._keys(value)
            case ast.Name():
                for assigned in self._assigned(node):
                    yield from self._keys(assigned)
                yield from self._set_one_by_one(node)

    def _assigned(self, name: ast.Name) -> Iterator[ast.AST]:
        for node in ast.walk(self._scope[name]):
            match node:
                case ast.Assign(targets=[ast.Name(id=name.id)], value=value):
                    yield value
                case ast.AnnAssign(target=ast.Name(id=name.id), value=ast.expr() as value):
                    yield value
                case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                    for target, value in zip(names, values, strict=True):
                        if isinstance(target, ast.Name) and target.id == name.id:
                            yield value

    def _set_one_by_one(self, name: ast.Name) -> Iterator[str]:
        for node in ast.walk(self._scope[name]):
            match node:
                case ast.Assign(
                    targets=[ast.Subscript(value=ast.Name(id=name.id), slice=ast.Constant(value=key))]
                ):
                    yield str(key)
