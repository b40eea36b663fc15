"""Tells which templates render with any data; the others are tried out before a call comes."""

from jinja2 import nodes

from runner.call.templates.filters import date_format
from runner.errors import TemplateFailure

_PLAIN = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Const, nodes.Name, nodes.Getattr),
    *(nodes.If, nodes.CondExpr, nodes.And, nodes.Or, nodes.Not, nodes.Assign, nodes.Operand),
)
_SURE_FILTERS = frozenset(
    {"d", "default", "lower", "string", "title", "tojson", "trim", "upper", "capitalize"}
)
_SURE_TESTS = frozenset(
    {
        *("boolean", "defined", "eq", "equalto", "false", "float", "integer", "mapping", "ne"),
        *("none", "number", "sameas", "string", "true", "undefined"),
    }
)
_TIMES = (("now", None), ("call", "started_at"))
"""Names that always hold a time."""
_SOME_TIME = "2026-01-05T12:00:00Z"


def is_sure(tree: nodes.Node) -> bool:
    """Whether rendering cannot fail, except at its bounds. False when in doubt."""
    if isinstance(tree, nodes.Filter) and tree.name == "date_format":
        return _is_sure_date(tree)
    return _is_plain(tree) and all(map(is_sure, tree.iter_child_nodes()))


def _is_plain(node: nodes.Node) -> bool:
    match node:
        case nodes.Filter():
            return node.name in _SURE_FILTERS and not node.kwargs
        case nodes.Test():
            return node.name in _SURE_TESTS
        case nodes.Compare():
            return all(operand.op in ("eq", "ne") for operand in node.ops)
        case nodes.Getitem():
            return isinstance(node.arg, nodes.Const)
        case _:
            return isinstance(node, _PLAIN)


def _is_sure_date(node: nodes.Filter) -> bool:
    """A time that every call has, in a format that works once."""
    arguments = [argument.value for argument in node.args if isinstance(argument, nodes.Const)]
    if len(arguments) < len(node.args) or node.kwargs or not _is_time(node.node):
        return False
    try:
        date_format(_SOME_TIME, *arguments)
    except (TemplateFailure, TypeError, ValueError):
        return False
    return True


def _is_time(node: nodes.Node | None) -> bool:
    for root, key in _TIMES:
        name = node.node if key is not None and isinstance(node, nodes.Getattr) and node.attr == key else node
        if isinstance(name, nodes.Name) and name.name == root and (name is not node or key is None):
            return True
    return False
