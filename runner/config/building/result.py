"""Builds a tool's `result`: what the model is told of a reply, and what is kept of it."""

from collections.abc import Iterator

from runner.config.building.templates import template
from runner.config.checking.scope import Scope
from runner.config.checking.suggest import did_you_mean, one_of
from runner.config.node import Node
from runner.config.problem import Problems
from runner.model.tool import ResultSpec
from runner.model.values import Json


def build_result(node: Node | None, scope: Scope, problems: Problems) -> ResultSpec:
    """What a `result` declares; the default where there is none. Expects that the schema has found it sound.

    `scope` is what the model may read.
    """
    if node is None:
        return ResultSpec()
    select, example, longest = node.get("select"), node.get("example"), node.get("max_chars")
    if select is not None:
        check_select(select, example, problems)
    return ResultSpec(
        select=select.text if select is not None else None,
        on_error=template(node.get("on_error"), scope, problems),
        example=example.data() if example is not None else None,
        has_example=example is not None,
        max_chars=int(longest.text) if longest is not None else ResultSpec().max_chars,
        sets=dict(_sets(node.get("set"), example, problems)),
    )


def _sets(node: Node | None, example: Node | None, problems: Problems) -> Iterator[tuple[str, str]]:
    for name, expression in node.items() if node is not None else ():
        check_select(expression, example, problems)
        yield name, expression.text


def check_select(select: Node, example: Node | None, problems: Problems) -> None:
    """Note a JMESPath expression that cannot be read, or that finds nothing in the example."""
    from runner.call.tools.query import FUNCTIONS, QuerySyntaxError, compiled_query  # noqa: PLC0415 - only for tools with `select`

    try:
        query = compiled_query(select.text)
    except QuerySyntaxError as error:
        message = f'"{select.text}" is not a JMESPath expression: {error}'
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
        found: Json = compiled_query(select.text).find(example.data())
    except QueryFailure as failure:
        problems.error(select.place, "select-example", f'"select" fails on "example": {failure}')
        return
    if found is None:
        keys = [key for key, _ in example.items()]
        there = f", which has {one_of(keys).replace(' or ', ' and ')}" if keys else ""
        message = f'"{select.text}" finds nothing in "example"{there}'
        problems.warning(select.place, "select-example", message)
