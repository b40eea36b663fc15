"""Builds the destination of a transfer. A caller must not be able to choose it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from runner.call.addresses.target import e164_target, is_target
from runner.call.templates.template import CompiledTemplate, templates_in
from runner.config.building.templates import template
from runner.config.checking.scope import Scope
from runner.config.node import Node
from runner.config.problem import Problems
from runner.model.template import Template, Templated

if TYPE_CHECKING:
    from runner.call.templates.references import Reference

_OF_CALLER = frozenset({"from", "headers", "to"})
"""Data of a call that its caller chooses; a header may hold anything."""


def build_destination(node: Node | None, scope: Scope, problems: Problems) -> Template | None:
    """The address, or None where there is none or after noting a problem."""
    compiled = template(node, scope, problems)
    if node is None or compiled is None:
        return None
    if compiled.program is None:
        if not is_target(compiled.source):
            message = f'"{compiled.source}" is not an address to transfer to; {right_target(compiled.source)}'
            problems.error(node.place, "destination", message)
        return compiled
    for reference in _caller_data(compiled, scope.caller_vars):
        message = (
            f'"{reference}" lets the caller choose where the call goes; write addresses out and choose one, '
            'as in {{ "tel:+14155550123" if call.headers["X-Plan"] == "gold" else "tel:+14155550199" }}, or '
            'take the address from "lookup"'
        )
        problems.error(node.place_in(reference.line, reference.column), "destination", message)
    return compiled


def caller_variables(variables: Mapping[str, Templated]) -> frozenset[str]:
    """The variables that hold data of the caller. Each may be rendered from those before it."""
    names: frozenset[str] = frozenset()
    for name, tree in variables.items():
        if any(_caller_data(each, names) for each in templates_in(tree)):
            names |= {name}
    return names


def _caller_data(compiled: CompiledTemplate, variables: frozenset[str]) -> "list[Reference]":
    """The caller's data that can become part of the result."""
    if not any(reference.path[0] in ("call", "vars") for reference in compiled.references):
        return []
    return [
        reference
        for reference in compiled.outputs
        if reference.path[0] in ("call", "vars")
        and (
            len(reference.path) == 1
            or reference.path[1] in (_OF_CALLER if reference.path[0] == "call" else variables)
        )
    ]


def right_target(address: str) -> str:
    """What would be right instead of an address that cannot be transferred to."""
    suggestion = e164_target(address)
    if suggestion is not None:
        return f'write "{suggestion}"'
    return 'write an E.164 number as "tel:+14155550123", or a SIP address as "sip:nurse@maple.example"'
