"""Evaluates JMESPath expressions over JSON, in a bounded number of steps.

The expression comes from the configuration, its data from an endpoint. Together they can explode: `[@, @] |
[@, @] | …` doubles the data with each step.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, cast

from jmespath.exceptions import (
    EmptyExpressionError,
    IncompleteExpressionError,
    JMESPathError,
    LexerError,
    ParseError,
)
from jmespath.functions import Functions
from jmespath.parser import Parser
from jmespath.visitor import TreeInterpreter

from runner.call.templates.reasons import reason_of
from runner.model.json_text import MAX_DEPTH, MAX_DIGITS, is_too_deep
from runner.model.values import Json, JsonObject

LONGEST = 4000
"""Characters of an expression."""
MAX_STEPS = 60_000
"""Parts of an expression applied to a value, and values built from it: some 30 ms."""
_A_COMPARISON = 8
_A_CALL = 14
"""What takes longer than other parts, in steps."""
_CHARACTERS_A_STEP = 50

_TOO_LARGE = 10**MAX_DIGITS
"""A whole number from here on is refused where it is read, too; an infinite one is larger, and NaN is neither
smaller nor larger."""

FUNCTIONS = frozenset(Functions.FUNCTION_TABLE)
"""The functions of the language."""


_CALLS = Functions()


class QuerySyntaxError(Exception):
    """A text is not a usable JMESPath expression. `column` counts from 1."""

    def __init__(self, message: str, column: int = 1) -> None:
        super().__init__(message)
        self.column = column


class QueryFailure(Exception):  # noqa: N818 - it is the data that fails, nobody made an error
    """An expression and the data do not go together."""


class Query:
    """A parsed expression. Raises QuerySyntaxError."""

    def __init__(self, source: str) -> None:
        if len(source) > LONGEST:
            raise QuerySyntaxError(f"it is longer than {LONGEST} characters")
        try:
            self._tree: JsonObject = Parser().parse(source).parsed
        except JMESPathError as error:
            column = error.lex_position + 1 if isinstance(error, ParseError) else 1
            raise QuerySyntaxError(_syntax(error), column) from None
        except RecursionError:
            raise QuerySyntaxError("it is nested too deeply") from None
        self.functions = frozenset(_functions(self._tree))
        """The names of the functions that it calls."""

    def find(self, value: Json) -> Json:
        """The result of the expression; None where there is nothing. Raises QueryFailure."""
        try:
            result = _Interpreter().visit(self._tree, value)
        except QueryFailure:
            raise
        except Exception as error:
            # Functions meet types that they do not expect, and Python's own errors come through.
            raise QueryFailure(_reason(error)) from None
        if isinstance(result, dict | list) and is_too_deep(result):
            raise QueryFailure(f"what it finds is nested deeper than {MAX_DEPTH} levels")
        return result


@lru_cache(maxsize=4096)
def compiled_query(source: str) -> Query:
    """The query of this source, parsed once. Raises QuerySyntaxError."""
    return Query(source)


class _Interpreter(TreeInterpreter):
    """JMESPath's own interpreter, with every step counted. For one search."""

    def __init__(self) -> None:
        super().__init__()
        self._steps_left = MAX_STEPS
        self._methods: dict[str, Callable[[Any, Any], Any]] = {}

    def _spend(self, steps: int) -> None:
        self._steps_left -= steps
        if self._steps_left < 0:
            raise _too_many()

    def _weigh(self, value: dict[str, Any] | list[Any]) -> None:
        """Count every value in a result: a part that appears twice counts twice."""
        self._spend(len(value))
        for inner in value.values() if type(value) is dict else value:
            if type(inner) is dict or type(inner) is list:
                self._weigh(inner)

    def _weigh_top(self, value: Any) -> None:
        if isinstance(value, list | dict):
            self._spend(len(value))
        elif isinstance(value, str):
            self._spend(len(value) // _CHARACTERS_A_STEP)

    def visit(self, node: Any, value: Any) -> Any:
        self._steps_left -= 1
        if self._steps_left < 0:
            raise _too_many()
        name = node["type"]
        method = self._methods.get(name)
        if method is None:
            method = self._methods[name] = getattr(self, f"visit_{name}")
        return method(node, value)

    def visit_multi_select_list(self, node: Any, value: Any) -> Any:
        result = super().visit_multi_select_list(node, value)
        if result is not None:
            self._weigh(result)
        return result

    def visit_multi_select_dict(self, node: Any, value: Any) -> Any:
        result = super().visit_multi_select_dict(node, value)
        if result is not None:
            self._weigh(result)
        return result

    def visit_flatten(self, node: Any, value: Any) -> Any:
        result = super().visit_flatten(node, value)
        self._weigh_top(result)
        return result

    def visit_comparator(self, node: Any, value: Any) -> Any:
        self._spend(_A_COMPARISON)
        sides = [self.visit(side, value) for side in node["children"]]
        for side in sides:
            self._weigh_top(side)
        known = [{"type": "literal", "value": side, "children": []} for side in sides]
        return super().visit_comparator(cast(Any, {**node, "children": known}), value)

    def visit_function_expression(self, node: Any, value: Any) -> Any:
        self._spend(_A_CALL)
        arguments = [self.visit(child, value) for child in node["children"]]
        for argument in arguments:
            self._weigh_top(argument)
        if node["value"] == "to_number" and isinstance(arguments[0], str) and len(arguments[0]) > MAX_DIGITS:
            return None  # It is not a number to anybody else either, and takes long to read.
        result = _CALLS.call_function(node["value"], arguments)
        if isinstance(result, int | float) and not -_TOO_LARGE < result < _TOO_LARGE:
            raise QueryFailure("it finds a number that JSON cannot hold")
        self._weigh_top(result)
        return result


def _too_many() -> QueryFailure:
    return QueryFailure("it takes too many steps")


def _functions(tree: JsonObject) -> Iterator[str]:
    """The functions in an expression. Raises QuerySyntaxError where it is nested too deep."""
    level = [tree]
    for _ in range(MAX_DEPTH):
        yield from (node["value"] for node in level if node["type"] == "function_expression")
        level = [child for node in level for child in node["children"] if isinstance(child, Mapping)]
        if not level:
            return
    raise QuerySyntaxError("it is nested too deeply")


_TOKENS = {
    **dict.fromkeys(("quoted_identifier", "unquoted_identifier"), "a name"),
    **dict.fromkeys(("lbracket", "flatten", "filter"), '"["'),
    "number": "a number",
    "literal": "a value",
    "rbracket": '"]"',
    "lbrace": '"{"',
    "rbrace": '"}"',
    "lparen": '"("',
    "rparen": '")"',
    "star": '"*"',
    "dot": '"."',
    "colon": '":"',
    "comma": '","',
    "pipe": '"|"',
    "or": '"||"',
    "and": '"&&"',
    "current": '"@"',
    "expref": '"&"',
    "not": '"!"',
    "eof": "the end",
    "eq": '"=="',
    "ne": '"!="',
    "lt": '"<"',
    "gt": '">"',
    "lte": '"<="',
    "gte": '">="',
}
"""What the parser calls what it reads."""


_UNKNOWN_TOKEN = re.compile(r"^Unknown token '?(.)")


def _syntax(error: JMESPathError) -> str:
    """Why an expression cannot be read, in the characters that stand in it."""
    if isinstance(error, IncompleteExpressionError):
        return "it is not complete"
    if isinstance(error, EmptyExpressionError):
        return "it is empty"
    if isinstance(error, LexerError):
        unknown = _UNKNOWN_TOKEN.search(error.message)
        return f'"{unknown.group(1)}" cannot stand there' if unknown else "a quote in it is not closed"
    name = _TOKENS.get(error.token_type.lower()) if isinstance(error, ParseError) else None
    return f"{name} cannot stand there" if name is not None else _reason(error)


def _reason(error: Exception) -> str:
    """JMESPath's message in our style."""
    if isinstance(error, TypeError):
        return reason_of(error)
    text = re.sub(
        r"^(Invalid|Bad) jmespath expression: |: Parse error at .*|[.:]$", "", str(error).partition("\n")[0]
    ).replace("'", '"')[:200]
    return (text[:1].lower() + text[1:]) or type(error).__name__
