"""Builds what is declared for the time after a call: recording, outcome, and deliveries."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from runner.call.templates.template import CompiledTemplate
from runner.config.building.parameters import check_parameters
from runner.config.building.templates import template
from runner.config.building.tool_http import build_http
from runner.config.checking.scope import Scope
from runner.config.checking.suggest import did_you_mean
from runner.config.node import Node
from runner.config.problem import Problems
from runner.model.agent import OutcomeQuestion, Recording, Sensitive
from runner.model.tool import HttpBinding, Tool

_KINDS = {kind.value: kind for kind in Sensitive}
_NO_ARGS = '"args" exists only inside a tool; a delivery carries the record by itself'


def build_recording(
    node: Node | None, *, tools: Sequence[Tool] | None, own_file: str, country: str | None, problems: Problems
) -> Recording:
    """`record`. `tools` is None where the agent has tools that are unknown before the call.

    `own_file` is the agent's: `defaults` are for other agents too.
    """
    if node is None:
        return Recording()
    transcript, redact = node.get("transcript"), node.get("redact")
    entries = redact.entries() if redact is not None else ()
    for entry in entries:
        if tools is not None and entry.place.file == own_file:
            _check_argument(entry, tools, problems)
    paths = [entry.text.split(".") for entry in entries if entry.text not in _KINDS]
    return Recording(
        transcript=transcript is None or transcript.value is True,
        kinds=frozenset(_KINDS[entry.text] for entry in entries if entry.text in _KINDS),
        arguments=tuple(tuple(path) for root, *path in paths if root == "args"),
        results=tuple(tuple(path) for root, *path in paths if root == "result"),
        country=country,
    )


def _check_argument(entry: Node, tools: Sequence[Tool], problems: Problems) -> None:
    """A path that leads nowhere masks nothing, and somebody probably relies on it."""
    root, *path = entry.text.split(".")
    # The next agent may have the argument.
    if root != "args" or any(tool.binding.hands_to is not None for tool in tools):
        return
    known = {name for tool in tools for name in tool.parameters.get("properties") or ()}
    if path[0] not in known:
        message = f'no tool of this agent has an argument "{path[0]}"{did_you_mean(path[0], known)}'
        problems.warning(entry.place, "unknown-argument", message)


def build_outcome(node: Node | None, record: Node | None, problems: Problems) -> OutcomeQuestion | None:
    """`outcome`, or None where there is none."""
    model, schema = (node.get("model"), node.get("schema")) if node is not None else (None, None)
    if schema is not None:
        check_parameters(schema, problems, named="schema")
    if model is None or schema is None:
        return None
    transcript = record.get("transcript") if record is not None else None
    if transcript is not None and transcript.value is False:
        message = '"outcome" never has a result: it needs the transcript, and "transcript" is false'
        problems.warning(transcript.place, "never-reached", message)
    return OutcomeQuestion(model=model.text, schema=schema.data())


def build_on_end(entries: Iterable[Node], scope: Scope, problems: Problems) -> Iterator[HttpBinding]:
    """Each delivery of `on_end`, as its request."""
    for entry in entries:
        http = entry.get("http")
        if http is None:
            template(entry.get("sign"), scope, problems)
        elif (binding := _delivery(entry, http, scope, problems)) is not None:
            yield binding


def _delivery(entry: Node, http: Node, scope: Scope, problems: Problems) -> HttpBinding | None:
    sign, inner_sign = entry.get("sign"), http.get("sign")
    if sign is not None and inner_sign is not None:
        problems.error(http.key_place("sign"), "one-of", 'the delivery is signed twice; keep one "sign"')
    if http.get("retries") is not None:
        message = 'a delivery is retried for up to 72 hours in any case; leave "retries" out'
        problems.error(http.key_place("retries"), "refused-key", message)
    if sign is not None:
        values = {**dict(http.items()), "sign": sign}
        http = http._replace(value=values, key_places={**http.key_places, "sign": entry.key_place("sign")})
    binding = build_http(http, replace(scope, args=None, why_no_args=_NO_ARGS), problems)
    if binding is None:
        return None
    if binding.body is None:
        method = http.get("method")
        message = f"a {binding.method} request carries no record; use POST, PUT or PATCH"
        problems.error(method.place if method is not None else http.place, "body", message)
    _check_signed_by_secrets(sign or inner_sign, binding, problems)
    return binding


def _check_signed_by_secrets(node: Node | None, binding: HttpBinding, problems: Problems) -> None:
    """Somebody who knows the call must not be able to sign."""
    if node is None or not isinstance(binding.sign, CompiledTemplate):
        return
    for reference in binding.sign.references:
        if reference.path[0] != "secrets":
            place = node.place_in(reference.line, reference.column)
            problems.error(
                place, "sign", f'"{reference}" is not a secret; sign with "{{{{ secrets.NAME }}}}"'
            )
