"""Renders the templates of an agent for made-up callers: one that fails is found before a call comes."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from runner.call.addresses.address import read_address
from runner.call.schemas.example_arguments import example_arguments
from runner.call.templates.names import call_names, names
from runner.call.templates.template import CompiledTemplate, TemplateFailure, compile_template, render
from runner.config.checking.scope import PlacedTemplate
from runner.config.problem import Problems
from runner.errors import TemplateError
from runner.model.call import Address, IncomingCall
from runner.model.template import Templated
from runner.model.values import Json, JsonObject, Place

_TODAY = date(2026, 1, 5)
_NOW = datetime(2026, 1, 5, 12, tzinfo=UTC).timestamp()
_CALLED = "sip:+18005551212@carrier.example"
_CALLER = "sip:+14155550100@carrier.example"
_WITHHELD = "sip:anonymous@anonymous.invalid"
_SECRET = "a-secret"  # noqa: S105 - stands for one while templates are tried
_EXPRESSION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}")
_DEFAULTS = ("0", "''", "[]")
_NULL = re.compile(r'"(\w+)" is null')


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The data with which the templates of one agent are tried."""

    agent: str
    vars: Mapping[str, Templated]
    """The agent's own, in their order, with those that a call may bring before them."""
    lookup: Json
    """Stands for a lookup's answer that did not come."""
    set_later: frozenset[str]
    """Variables without a value before some reply sets them."""


def check_rendering(trial: Trial, templates: Iterable[PlacedTemplate], problems: Problems) -> None:
    """Note each template that fails: an error where it always does, else a warning."""
    unsure = [placed for placed in templates if not placed.template.is_sure]
    if not unsure:
        return
    usual, withheld = (_names(trial, read_address(caller)) for caller in (_CALLER, _WITHHELD))
    for placed in unsure:
        if not _uses(placed.template, trial.set_later) or placed.scope.args is None:
            _check(placed, usual, withheld, problems)


def _check(placed: PlacedTemplate, usual: JsonObject, withheld: JsonObject, problems: Problems) -> None:
    everything, least = _arguments(placed)
    failure = _failure(placed, known := {**usual, **everything})
    if failure is not None:
        part = _failing_part(placed.template, failure, known)
        looked_up = any(path[0] == "lookup" for path in _paths(part))
        asks_header = any(path[:2] == ("call", "headers") for path in _paths(part))
        when = " when the lookup is not answered" if looked_up else ""
        when = when or (" for a call without that header" if asks_header else "")
        _note(placed, failure, known, when, problems, always=not when and not everything)
    elif (failure := _failure(placed, known := {**withheld, **everything})) is not None:
        _note(placed, failure, known, " for a caller who withholds the number", problems)
    elif least != everything and (failure := _failure(placed, known := {**usual, **least})) is not None:
        _note(placed, failure, known, " when the model leaves optional arguments out", problems)


def _note(
    placed: PlacedTemplate,
    failure: TemplateFailure,
    known: JsonObject,
    when: str,
    problems: Problems,
    *,
    always: bool = False,
) -> None:
    message = f"this template fails{when}: {failure.reason}{_hint(placed.template, failure, known)}"
    place = _place(placed, failure, known)
    if always:
        problems.error(place, "template-fails", message)
    else:
        problems.warning(place, "template-fails", message)


def _place(placed: PlacedTemplate, failure: TemplateFailure, known: JsonObject) -> Place:
    """Where the expression that fails begins. Jinja says only its line: each of that line is tried alone."""
    line = failure.line or 1
    text = placed.template.source.split("\n")[line - 1]
    expressions = list(_EXPRESSION.finditer(text))
    for expression in expressions if len(expressions) > 1 else ():
        if _reason(expression.group(), known) == failure.reason:
            return placed.node.place_in(line, expression.start() + 1)
    if expressions:
        return placed.node.place_in(line, expressions[0].start() + 1)
    return placed.place_of_line(line)


def _failing_part(
    template: CompiledTemplate, failure: TemplateFailure, known: JsonObject
) -> CompiledTemplate:
    """The expression that fails, where that depends on nothing else; else the template."""
    if "{%" in template.source:
        return template
    expressions = (match.group() for match in _EXPRESSION.finditer(template.source))
    failing = next((part for part in expressions if _reason(part, known) == failure.reason), None)
    return template if failing is None else compile_template(failing)


def _reason(expression: str, known: JsonObject) -> str:
    """Why an expression fails by itself; empty where it does not, or needs what stands before it."""
    try:
        compile_template(expression).value(known)
    except TemplateFailure as failure:
        return failure.reason
    except TemplateError:
        pass
    return ""


def _hint(template: CompiledTemplate, failure: TemplateFailure, known: JsonObject) -> str:
    """What to write where a null is not expected."""
    null = _NULL.fullmatch(failure.reason)
    path = next((path for path in _paths(template) if null and path[-1] == null.group(1)), None)
    if path is None:
        return ""
    name = ".".join(path)
    default = next((value for value in _DEFAULTS if _works(template.source, name, value, known)), "0")
    return f'; give it a default, "{{{{ {name} | default({default}) }}}}"'


def _works(source: str, name: str, default: str, known: JsonObject) -> bool:
    """Whether a template renders once a name in it has a default."""
    try:
        compile_template(source.replace(name, f"({name} | default({default}))")).value(known)
    except (TemplateError, TemplateFailure):
        return False
    return True


def _failure(placed: PlacedTemplate, known: JsonObject) -> TemplateFailure | None:
    try:
        placed.template.value(known)
    except TemplateFailure as failure:
        return failure
    return None


def _arguments(placed: PlacedTemplate) -> tuple[JsonObject, JsonObject]:
    """The names that a tool adds: with every argument, and with the mandatory ones only."""
    scope = placed.scope
    secrets = {"secrets": dict.fromkeys(scope.secrets, _SECRET)} if scope.secrets is not None else {}
    if scope.args is None:
        return secrets, secrets
    schema = scope.parameters
    arguments = example_arguments(schema, _TODAY)
    required = schema.get("required") or ()
    least = {key: value for key, value in arguments.items() if key in required}
    return {**secrets, "args": arguments}, {**secrets, "args": least}


def _names(trial: Trial, caller: Address) -> JsonObject:
    """The names at the beginning of this caller's call. A variable that fails is null: it is reported by
    itself.
    """
    call = IncomingCall(
        id="rtc_example", caller=caller, called=read_address(_CALLED), called_found_in="To", created_at=_NOW
    )
    variables: dict[str, Json] = {}
    known = names(call=call_names(call), agent_id=trial.agent, vars=variables, lookup=trial.lookup, now=_NOW)
    for name, value in trial.vars.items():
        try:
            variables[name] = render(value, known)
        except TemplateFailure:
            variables[name] = None
    return known


def _uses(template: CompiledTemplate, variables: frozenset[str]) -> bool:
    return any(path[0] == "vars" and set(path[1:2]) & variables for path in _paths(template))


def _paths(template: CompiledTemplate) -> Iterator[tuple[str, ...]]:
    return (reference.path for reference in template.references)
