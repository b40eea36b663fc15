"""Finds the names in a template, and checks that it keeps to the allowed syntax, from its syntax tree."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jinja2 import nodes

from runner.call.templates.filters import filters, tests
from runner.errors import TemplateError

_STATEMENTS = (nodes.Template, nodes.Output, nodes.If, nodes.For, nodes.Assign)
_TAGS = {"CallBlock": "call", "FilterBlock": "filter", "FromImport": "from", "AssignBlock": "set … endset"}
_NAMES_A_TEST = {"select": 0, "reject": 0, "selectattr": 1, "rejectattr": 1}
"""Filters with the name of a test as an argument, and which argument that is."""

_ELSEWHERE = {
    "date": "date_format",
    "json": "tojson",
    "len": "length",
    "strftime": "date_format",
    "strip": "trim",
    "to_json": "tojson",
}
"""Names of filters in other languages, and the filter to use here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A name from outside the template, with the keys behind it: `call.from.number`, `args["day"]`.

    `path` ends where the keys are not constant any more (`args[key]`, `args.days[0]`): then `open_end` holds.
    """

    path: tuple[str, ...]
    line: int
    column: int
    open_end: bool = False

    def __str__(self) -> str:
        return ".".join(self.path)


def column_of(node: nodes.Node) -> int:
    """The column at which a node begins; the sandbox's lexer attaches it to the line number."""
    return int(getattr(node.lineno, "column", 1))


def check_syntax(tree: nodes.Node) -> int:
    """Raise TemplateError for the first construct of Jinja that this language does not have.

    The result is the height of the tree.
    """
    message = _fault(tree)
    if message is not None:
        raise TemplateError(message, int(tree.lineno), column_of(tree))
    return 1 + max(map(check_syntax, tree.iter_child_nodes()), default=0)


def _fault(node: nodes.Node) -> str | None:
    if isinstance(node, nodes.Stmt) and not isinstance(node, _STATEMENTS):
        name = type(node).__name__
        tag = _TAGS.get(name, name.lower())
        return f'"{tag}" is not supported in templates; use "if", "for", "set" or "raw"'
    if isinstance(node, nodes.For) and node.recursive:
        return '"recursive" is not supported in templates'
    if isinstance(node, nodes.Name) and node.ctx == "store" and node.name == "loop":
        return '"loop" is reserved for the loop itself; choose another name'
    if isinstance(node, nodes.NSRef):
        return f'"{node.name}.{node.attr}" cannot be set; only a plain name can'
    if isinstance(node, nodes.Call) and not (isinstance(node.node, nodes.Name) and node.node.name == "range"):
        return _no_call(node.node)
    if isinstance(node, nodes.Filter):
        return _unknown("filter", node.name, filters) or _named_in(node)
    if isinstance(node, nodes.Test):
        return _unknown("test", node.name, tests)
    return None


def _named_in(node: nodes.Filter) -> str | None:
    """A filter or test named by an argument: `map("upper")`, `selectattr("open", "true")`."""
    position = 0 if node.name == "map" else _NAMES_A_TEST.get(node.name)
    if position is None or position >= len(node.args) or not isinstance(node.args[position], nodes.Const):
        return None
    kind, known = ("filter", filters) if node.name == "map" else ("test", tests)
    return _unknown(kind, str(node.args[position].as_const()), known)


def _unknown(kind: str, name: str, known: Mapping[str, object]) -> str | None:
    if name in known:
        return None
    from difflib import get_close_matches  # noqa: PLC0415 - only a template with a mistake pays for it

    suggestions = (
        [_ELSEWHERE[name]] if name in _ELSEWHERE else get_close_matches(name, known, n=1, cutoff=0.7)
    )
    return f'unknown {kind} "{name}"' + (f'; did you mean "{suggestions[0]}"?' if suggestions else "")


def _no_call(called: nodes.Expr) -> str:
    if isinstance(called, nodes.Getattr):
        name = _ELSEWHERE.get(called.attr, called.attr)
        if name in filters:
            return f'".{called.attr}()" cannot be called: data has no methods; write "| {name}"'
        return f'".{called.attr}()" cannot be called: data has no methods'
    name = f'"{called.name}()"' if isinstance(called, nodes.Name) else "this"
    return f"{name} cannot be called; templates have no functions but range()"


def references(tree: nodes.Template) -> tuple[Reference, ...]:
    """Every name from outside the template, in the order of the tree."""
    return tuple(_Finder().found_in(tree, set()))


class _Finder:
    """Walks statements in order, so that a name that was set, or a loop's own, counts as local."""

    def found_in(self, node: nodes.Node, local: set[str]) -> Iterator[Reference]:
        if isinstance(node, nodes.For):
            yield from self._in_loop(node, local)
        elif isinstance(node, nodes.Assign):
            yield from self.found_in(node.node, local)
            local |= _targets(node.target)
        elif isinstance(node, (nodes.Name, nodes.Getattr, nodes.Getitem)):
            yield from self._in_chain(node, local)
        else:
            for child in node.iter_child_nodes():
                yield from self.found_in(child, local)

    def _in_loop(self, node: nodes.For, local: set[str]) -> Iterator[Reference]:
        yield from self.found_in(node.iter, local)
        inner = local | _targets(node.target) | {"loop"}
        for child in ([node.test] if node.test is not None else []) + node.body:
            yield from self.found_in(child, inner)
        for child in node.else_:
            yield from self.found_in(child, local)

    def _in_chain(self, node: nodes.Node, local: set[str]) -> Iterator[Reference]:
        keys: list[str | None] = []
        while isinstance(node, (nodes.Getattr, nodes.Getitem)):
            if isinstance(node, nodes.Getattr):
                keys.append(node.attr)
            else:
                key = node.arg.value if isinstance(node.arg, nodes.Const) else None
                keys.append(key if isinstance(key, str) else None)
                yield from self.found_in(node.arg, local)
            node = node.node
        if not isinstance(node, nodes.Name):
            yield from self.found_in(node, local)
        elif node.ctx == "load" and node.name not in local and node.name != "range":
            keys.reverse()
            known = keys[: keys.index(None)] if None in keys else keys
            yield Reference(
                path=(node.name, *[key for key in known if key is not None]),
                line=int(node.lineno),
                column=column_of(node),
                open_end=len(known) < len(keys),
            )


def output_references(tree: nodes.Template) -> tuple[Reference, ...]:
    """Every name from outside whose value can become part of the result, and not only choose between
    others."""
    return tuple(_OutputFinder().found_in(tree, set()))


class _OutputFinder(_Finder):
    """Skips conditions, comparisons and keys of look-ups."""

    def found_in(self, node: nodes.Node, local: set[str]) -> Iterator[Reference]:
        if isinstance(node, nodes.Compare | nodes.Test | nodes.Not):
            return
        if isinstance(node, nodes.If):
            for child in (*node.body, *node.elif_, *node.else_):
                yield from self.found_in(child, local)
        elif isinstance(node, nodes.CondExpr):
            for branch in (node.expr1, node.expr2):
                yield from self.found_in(branch, local) if branch is not None else ()
        elif isinstance(node, nodes.Getitem) and isinstance(node.node, nodes.Dict | nodes.List | nodes.Tuple):
            yield from self.found_in(node.node, local)
        else:
            yield from super().found_in(node, local)


def _targets(target: nodes.Node) -> set[str]:
    names = {target.name} if isinstance(target, nodes.Name) else set()
    return names | {name.name for name in target.find_all(nodes.Name)}
