"""Builds a tool's `result`: how a reply becomes the model's output, and what is kept of it."""

import re
from collections.abc import Mapping

from runner.config.building.templates import template
from runner.config.checking.scope import Scope
from runner.config.checking.suggest import did_you_mean, one_of
from runner.config.node import Node
from runner.config.problem import Problems
from runner.config.reading.yaml_slips import CONTROL
from runner.model.tool import ResultSpec
from runner.model.values import Json, JsonObject

_COMPARED = re.compile(r'[=<>]\s*"([^"]*)"')
_PLAIN_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*|\[(\d*|\*)\])*")
_BRACED = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}")
_COUNTED = re.compile(r"\.(\d+)(?=\.|\[|$)")
"""A list's index as other languages write it: `slots.0`."""


def build_result(node: Node, scope: Scope, problems: Problems) -> ResultSpec:
    """The declared `result`. `scope` is what the model may read."""
    select, example, longest = node.get("select"), node.get("example"), node.get("max_chars")
    if select is not None:
        check_select(select, example, problems)
    for _, value in node.items_at("set"):
        check_select(value, example, problems)
    return ResultSpec(
        select=select.text if select is not None else None,
        on_error=template(node.get("on_error"), scope, problems),
        example=example.data() if example is not None else None,
        has_example=example is not None,
        max_chars=int(longest.text) if longest is not None else ResultSpec().max_chars,
        sets={name: value.text for name, value in node.items_at("set")},
    )


def check_select(select: Node, example: Node | None, problems: Problems) -> None:
    """Note a JMESPath expression that cannot be read, or that finds nothing in the example."""
    from runner.call.tools.query import FUNCTIONS, QuerySyntaxError, compiled_query  # noqa: PLC0415 - only for tools with `select`

    if CONTROL.search(select.text):
        return  # An escape in double quotes, which is reported where it was read.
    try:
        query = compiled_query(select.text)
    except QuerySyntaxError as error:
        message = (
            f'"{select.text}" is not a JMESPath expression: {error}{_in_jmespath(select.text, error.column)}'
        )
        problems.error(select.place_in(1, error.column), "jmespath", message)
        return
    unknown = next(iter(sorted(query.functions - FUNCTIONS)), None)
    if unknown is not None:
        message = f'JMESPath has no function "{unknown}"{did_you_mean(unknown, FUNCTIONS)}'
        problems.error(select.place, "jmespath", message)
    elif example is not None:
        _check_example(select, example, problems)


def _check_example(select: Node, example: Node, problems: Problems) -> None:
    from runner.call.tools.query import QueryFailure, compiled_query  # noqa: PLC0415 - as above

    try:
        selected: Json = compiled_query(select.text).find(example.data())
    except QueryFailure as failure:
        problems.error(select.place, "select-example", f'"select" fails on "example": {failure}')
        return
    what = _missing(selected, example)
    if what is not None:
        keys = [key for key, _ in example.items()]
        there = f", which has {one_of(keys).replace(' or ', ' and ')}" if keys else ""
        message = f'"{select.text}" finds {what} in "example"{_quoted(select.text) or there}'
        problems.warning(select.place, "select-example", message)


def _missing(selected: Json, example: Node) -> str | None:
    """What an expression fails to find although it is probably meant to; None where it finds everything."""
    if selected is None or (selected == [] and not _has_gaps(example)):
        return "nothing"
    entries = selected if isinstance(selected, list) else [selected]
    rows: list[JsonObject] = [entry for entry in entries if isinstance(entry, Mapping)]
    if not rows or len(rows) < len(entries) or _has_gaps(example):
        return None
    empty = [key for key in rows[0] if all(row.get(key) is None for row in rows)]
    return f'nothing for "{empty[0]}"' if empty else None


def _has_gaps(node: Node) -> bool:
    """Whether an example holds a null or an empty list, which an expression may well find."""
    parts = (*node.entries(), *node.values())
    return node.value is None or node.value == () or any(map(_has_gaps, parts))


def _quoted(source: str) -> str:
    """A habit from other languages: a text in double quotes, which names a key here."""
    comparison = _COMPARED.search(source)
    return f"; a text is written in single quotes, '{comparison.group(1)}'" if comparison else ""


def _in_jmespath(source: str, column: int) -> str:
    """Syntax of other languages (JSONPath, jq, a JSON pointer, a template), as JMESPath writes it."""
    braced = _BRACED.fullmatch(source.strip())
    if braced is not None:
        return f'; it is written without braces, as in "{braced.group(1)}"'
    inner = source.strip().removeprefix("$").lstrip("./")
    inner = _COUNTED.sub(r"[\1]", inner.replace("/", "."))
    is_path = _PLAIN_PATH.fullmatch(inner) is not None
    if source.startswith(("$", ".", "/")):
        right = f'"{inner}"' if is_path else '"slots[].start"'
        return f"; an expression begins at the reply itself, as in {right}"
    if is_path and inner != source:
        return f'; write "{inner}"'
    before, after = source[: column - 1], source[column - 1 :]
    return next((hint for at, behind, hint in _HABITS if at.search(before) and behind.match(after)), "")


_ANYTHING = re.compile("")
_HABITS = (
    (_ANYTHING, re.compile(r"=(?!=)"), '; write "=="'),
    (
        re.compile(r"[=<>]\s*$"),
        re.compile(r"-?\d"),
        "; a number in a comparison is written in backticks, as in `1`",
    ),
    (_ANYTHING, re.compile(r"and\b"), '; write "&&"'),
    (_ANYTHING, re.compile(r"or\b"), '; write "||"'),
    (re.compile(r"\[$"), re.compile(r"""(['"]).*?\1\]"""), '; a key follows a dot, as in "slots.start"'),
    (re.compile(r"\w$"), re.compile(r"-\w"), "; a name with a hyphen is written in double quotes"),
)
"""The text before a mistake and at it, and what to write instead."""
