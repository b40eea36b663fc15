"""Checks the names in a template against those that exist at its place, without any data."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from runner.call.templates.names import CALL, NOTHING, Shape
from runner.call.templates.template import CompiledTemplate
from runner.config.checking.suggest import did_you_mean, or_there_is
from runner.config.node import Node
from runner.model.values import JsonObject, Place

if TYPE_CHECKING:
    from runner.call.templates.references import Reference

_PROCESS = frozenset({"env", "environ", "ENV"})
"""How other languages name the environment of the process."""
_EXPOSED = 'the model could read "{}" here; secrets are only for "http", with its "auth" and "sign"'


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedTemplate:
    """One template of an agent, with its source and the names that exist for it."""

    template: CompiledTemplate
    node: Node
    scope: "Scope"

    def place_of_line(self, line: int) -> Place:
        """Where a line of the template begins, from its first non-blank character."""
        text = self.template.source.split("\n")[line - 1]
        return self.node.place_in(line, len(text) - len(text.lstrip()) + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The names that exist for a template at one place.

    Each of `args` and `secrets` is None where the name does not exist at all; otherwise it holds the keys
    below, as does `vars`. A shape that is None inside them is not checked. Below `lookup` nothing is checked:
    an endpoint may answer anything.
    """

    args: Mapping[str, Shape] | None = None
    args_open: bool = False
    """Whether `parameters` allows further arguments."""
    parameters: JsonObject = field(default_factory=dict)
    """The JSON Schema of the arguments."""
    templates: list[PlacedTemplate] = field(default_factory=list)
    """Every template that was read in this scope, or in one derived from it."""
    why_no_args: str = '"args" exists only inside a tool; leave it out here'
    secrets: frozenset[str] | None = None
    vars: Shape = field(default_factory=dict)
    caller_vars: frozenset[str] = frozenset()
    """Variables that hold data of the caller."""
    late_vars: Mapping[str, str] = field(default_factory=dict)
    """Variables without a value yet, and why: they are rendered from the lookup's answer, or stand below."""
    has_lookup: bool = False
    lookup_keys: frozenset[str] = frozenset()
    """The keys of the lookup's default: all that is known of its answer, and enough for a hint."""
    why_no_lookup: str = '"lookup" is always null here, since the agent has no "lookup"'

    def without_secrets(self) -> "Scope":
        """The same place, as the model can read it."""
        return replace(self, secrets=None)

    def path_of(self, key: str) -> str | None:
        """The whole name of a key below one of the names, e.g. `vars.clinic`."""
        below = {"vars": self.vars, "args": self.args, "lookup": self.lookup_keys if self.has_lookup else ()}
        return next((f"{root}.{key}" for root, keys in below.items() if keys and key in keys), None)

    @property
    def roots(self) -> tuple[str, ...]:
        """The names that exist."""
        optional = {
            "args": self.args is not None,
            "lookup": self.has_lookup,
            "secrets": self.secrets is not None,
        }
        there = [name for name, is_there in optional.items() if is_there]
        return ("agent", "call", "now", "vars", *there)


@dataclass(frozen=True, slots=True, kw_only=True)
class BadReference:
    """A name that does not exist where it is used. `line` and `column` count from 1 in the source."""

    rule: str
    message: str
    line: int
    column: int


def check(template: CompiledTemplate, scope: Scope) -> Iterator[BadReference]:
    """Every name in the template that cannot exist, or must not be used, at this place."""
    for reference in template.references:
        fault = _fault(reference, scope)
        if fault is not None:
            rule, message = fault
            name = reference.path[0]
            if rule == "unknown-name" and re.search(rf"[=!]= *{re.escape(name)}\b(?!\.)", template.source):
                message = f"unknown name \"{name}\"; a text is written in quotes: '{name}'"
            yield BadReference(rule=rule, message=message, line=reference.line, column=reference.column)


def _fault(reference: "Reference", scope: Scope) -> tuple[str, str] | None:
    root, *keys = reference.path
    if root == "null":
        # Null in YAML and JSON; what does not exist is null already.
        return None
    if root == "secrets":
        return _secret_fault(reference, keys, scope)
    if root == "args":
        return _argument_fault(keys, scope)
    if root == "lookup" and not scope.has_lookup:
        return "unknown-name", scope.why_no_lookup
    if root == "vars" and keys and keys[0] in scope.late_vars:
        return "unknown-name", scope.late_vars[keys[0]]
    shapes: Mapping[str, Shape] = {
        "agent": NOTHING,
        "call": CALL,
        "now": NOTHING,
        "vars": scope.vars,
        "lookup": None,
    }
    if root not in shapes:
        if root in _PROCESS and keys and scope.secrets is not None:
            name = keys[0]
            declared = f'{name}: {{env: {name}}} under "secrets" of runner.yaml'
            right = f'write "{{{{ secrets.{name} }}}}", and declare {declared}'
            return "unknown-name", f'unknown name "{root}"; {right}'
        inside = scope.path_of(root)
        hint = f'; did you mean "{inside}"?' if inside else or_there_is(root, scope.roots)
        return "unknown-name", f'unknown name "{root}"{hint}'
    return _key_fault(root, keys, shapes[root])


def _key_fault(name: str, keys: list[str], shape: Shape) -> tuple[str, str] | None:
    for key in keys:
        if shape is None:
            return None
        if not shape and name == "vars":
            return "unknown-name", f'"vars.{key}" is always null; declare "{key}" under "vars"'
        if not shape:
            hint = '; a part of it is {{ now | date_format("%A") }}' if name == "now" else ""
            return "unknown-name", f'"{name}" has no keys, so "{name}.{key}" is always null{hint}'
        if key not in shape:
            return "unknown-name", f'"{name}" has no "{key}"{or_there_is(key, shape)}'
        name, shape = f"{name}.{key}", shape[key]
    return None


def _argument_fault(keys: list[str], scope: Scope) -> tuple[str, str] | None:
    if scope.args is None:
        return "unknown-name", scope.why_no_args
    if not keys or (keys[0] not in scope.args and scope.args_open):
        return None
    if not scope.args:
        message = f'"args.{keys[0]}" is always null, since the tool has no arguments'
        return "unknown-argument", f'{message}; declare "{keys[0]}" under "parameters"'
    if keys[0] not in scope.args:
        return (
            "unknown-argument",
            f'"parameters" declares no argument "{keys[0]}"{or_there_is(keys[0], scope.args)}',
        )
    return _key_fault(f"args.{keys[0]}", keys[1:], scope.args[keys[0]])


def _secret_fault(reference: "Reference", keys: list[str], scope: Scope) -> tuple[str, str] | None:
    if scope.secrets is None:
        return "secret-exposed", _EXPOSED.format(reference)
    if len(keys) != 1 or reference.open_end:
        return (
            "unknown-secret",
            f'name one secret, as "secrets.{next(iter(sorted(scope.secrets)), "NAME")}" does',
        )
    if keys[0] not in scope.secrets:
        right = did_you_mean(keys[0], scope.secrets) or f"; write {keys[0]}: {{env: {keys[0]}}} there"
        return "unknown-secret", f'"secrets" in runner.yaml declares no "{keys[0]}"{right}'
    return None
