"""Jinja2, narrowed to expressions, `if`, `for` and `set` over plain data, in bounded time and space.

No text of a caller, a model or an endpoint is ever compiled here: only the configuration's. How the bounds
are kept:

- Names and attributes find keys of mappings and entries of sequences, never anything of a Python object; so
  there are no methods, and nothing to call but `range`.
- Whatever grows or repeats is counted (`runner.call.templates.work`): the rounds of loops, lists that are
  written out, `+`, `~`, comparisons, filters and tests; all of one rendering share one bound.
- `*` and `**` are for numbers of a bounded size; filters that make text know its length before they make it;
  the output is counted as it grows.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import TemplateSyntaxError, nodes, pass_context
from jinja2.lexer import Lexer
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing
from jinja2.visitor import NodeTransformer

from runner.call.templates.filters import NULL, Function, Null, bounded, concat, filters, tests
from runner.call.templates.work import Work
from runner.errors import TemplateFailure
from runner.model.values import JsonObject

MAX_STEPS = 10_000
"""Rounds of all loops in one rendering together; also the longest `range`."""
MAX_BITS = 4_096
"""The largest product or power."""
_LOOP = frozenset({"first", "index", "index0", "last", "length", "nextitem", "previtem"})

WriteValue = Callable[[Any], str]
"""How the value of an expression is written into text."""


class Names(Context):
    """The names of a template: given ones, null where they are null, and `range`."""

    def __init__(self, environment: "_Environment", names: JsonObject) -> None:
        super().__init__(environment, names, None, {})  # type: ignore[arg-type]  # only ever read
        self.steps_left = MAX_STEPS
        self.work = Work()

    def resolve_or_missing(self, key: str) -> Any:
        value = self.parent.get(key)
        if value is None:
            return _range if key == "range" else missing
        return value


def _range(*bounds: int) -> range:
    steps = range(*bounds)
    if len(steps) > MAX_STEPS:
        raise TemplateFailure(f"the range has more than {MAX_STEPS} entries")
    return steps


@pass_context
def _each(context: Context, value: Any, weight: int) -> list[Any]:
    """The values of a loop: none for a null, the keys of a mapping, the entries of a list.

    `weight` is the work of each round.
    """
    if value is None or isinstance(value, Null):
        return []
    if not isinstance(value, (list, tuple, Mapping, str, range)):
        raise TemplateFailure("a loop goes through a list or a mapping")
    assert isinstance(context, Names)  # noqa: S101 - for the type checker
    context.steps_left -= len(value)
    if context.steps_left < 0:
        raise TemplateFailure(f"the loops run more than {MAX_STEPS} times")
    context.work.spend(len(value) * weight)
    return [NULL if entry is None else entry for entry in value]


@pass_context
def _weighed(context: Context, value: Any) -> Any:
    """A value that is compared, or has just been written out."""
    assert isinstance(context, Names)  # noqa: S101 - for the type checker
    context.work.weigh(value)
    return value


@pass_context
def _concat(context: Context, values: list[Any]) -> str:
    """The operator `~`."""
    result = concat(values)
    assert isinstance(context, Names)  # noqa: S101 - for the type checker
    context.work.weigh(result)
    return result


def _counted(name: str, function: Function) -> Function:
    """A filter or test whose work is counted first."""
    passed = getattr(getattr(function, "jinja_pass_arg", None), "name", "")

    @pass_context
    def counted(context: Context, value: Any, *arguments: Any, **keywords: Any) -> Any:
        assert isinstance(context, Names)  # noqa: S101 - for the type checker
        context.work.filter(name, value, (*arguments, *keywords.values()))
        first = {"context": (context,), "environment": (context.environment,)}.get(passed, ())
        first = (context.eval_ctx,) if passed == "eval_context" else first
        return function(*first, value, *arguments, **keywords)

    return counted


class Bounding(NodeTransformer):
    """Puts our own functions where Jinja would loop, join and compare without bounds."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802 - Jinja's visitors are named so
        weight = sum(map(_weight, node.body))
        self.generic_visit(node)
        node.iter = _filtered(node.iter, "_each", nodes.Const(weight, lineno=node.lineno))
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), "_concat")

    def visit_List(self, node: nodes.List | nodes.Tuple | nodes.Dict) -> nodes.Expr:  # noqa: N802
        self.generic_visit(node)
        return _filtered(node, "_weighed")

    visit_Dict = visit_List  # noqa: N815

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Expr:  # noqa: N802
        return self.visit_List(node) if node.ctx == "load" else node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Compare:  # noqa: N802
        self.generic_visit(node)
        node.expr = _filtered(node.expr, "_weighed")
        for operand in node.ops:
            operand.expr = _filtered(operand.expr, "_weighed")
        return node


def _weight(node: nodes.Node) -> int:
    """The work of a node each time, without what inner loops count themselves."""
    inner = [node.iter] if isinstance(node, nodes.For) else node.iter_child_nodes()
    return 1 + sum(map(_weight, inner))


def _filtered(node: nodes.Node, name: str, *arguments: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, [*arguments], [], None, None, lineno=node.lineno)


class _At(int):
    """A line number that also knows the column. Jinja's nodes and errors carry it along."""

    column: int


class _Places:
    """Lines and columns of a source, for offsets that only grow."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._line = 1
        self._begin = 0
        self._offset = 0

    def at(self, offset: int) -> _At:
        """The line and column of the character at this offset."""
        self._line += self._source.count("\n", self._offset, offset)
        self._begin = max(self._begin, self._source.rfind("\n", self._offset, offset) + 1)
        self._offset = offset
        at = _At(self._line)
        at.column = offset - self._begin + 1
        return at


class _Lexer(Lexer):
    """Jinja's lexer, with exact places."""

    def tokeniter(
        self, source: str, name: str | None, filename: str | None = None, state: str | None = None
    ) -> Iterator[tuple[int, str, str]]:
        source = re.sub(r"\r\n?", "\n", source)
        places = _Places(source)
        end = 0
        try:
            for _, token, value in super().tokeniter(source, name, filename, state):
                # Only white space is ever skipped (`{%-`), so the next such text is the token.
                start = source.find(value, end)
                end = start + len(value)
                yield places.at(start), token, value
        except TemplateSyntaxError as error:
            error.lineno = places.at(end)
            raise


class _Environment(ImmutableSandboxedEnvironment):
    """Data only: keys and entries are found, Python attributes never."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, write: WriteValue) -> None:
        super().__init__(undefined=Null, finalize=write, keep_trailing_newline=True, optimized=False)
        self.globals = {}
        self.filters = {name: _counted(name, function) for name, function in filters.items()}
        self.filters |= {"_each": _each, "_concat": _concat, "_weighed": _weighed}
        self.tests = {name: _counted(name, function) for name, function in tests.items()}
        self._lexer = _Lexer(self)

    @property
    def lexer(self) -> Lexer:
        return self._lexer

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, LoopContext) and attribute in _LOOP:
            return getattr(obj, attribute)
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        value = None
        if isinstance(obj, Mapping):
            value = obj.get(argument)
        elif isinstance(obj, (list, tuple, str, range)) and type(argument) is int:
            value = obj[argument] if -len(obj) <= argument < len(obj) else None
        return Null(name=argument) if value is None else value

    def is_safe_callable(self, obj: Any) -> bool:
        return obj is _range

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "+":
            return _sum(context, left, right)
        if not isinstance(left, (int, float, Null)) or not isinstance(right, (int, float, Null)):
            raise TemplateFailure(f'"{operator}" works on numbers only')
        if isinstance(left, int) and isinstance(right, int):
            bits = left.bit_length()
            made = {"*": bits + right.bit_length(), "**": bits * abs(right), "%": bits}[operator]
            if made > MAX_BITS:
                raise TemplateFailure("the number is too large")
        return super().call_binop(context, operator, left, right)


def _sum(context: Context, left: Any, right: Any) -> Any:
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left + right
    assert isinstance(context, Names)  # noqa: S101 - for the type checker
    if isinstance(left, str) and isinstance(right, str):
        bounded(len(left) + len(right))
    result = left + right
    context.work.weigh(result)
    return result


@lru_cache(maxsize=8)
def environment(write: WriteValue) -> _Environment:
    """The environment in which values are written so."""
    return _Environment(write)
