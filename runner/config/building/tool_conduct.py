"""Builds the conduct of a tool's calls: result, sentences for the wait, and conditions."""

import re
from collections.abc import Iterator
from dataclasses import replace

from runner.config.building.duration import duration_s
from runner.config.building.result import build_result
from runner.config.building.templates import expression, spoken, template
from runner.config.checking.scope import Scope
from runner.config.node import Node
from runner.config.problem import Problems
from runner.model.tool import Tool, WaitingStep

LONG_DESCRIPTION = 1000
"""Characters. The API accepts 1024; a model needs far fewer."""

_EXPRESSION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_MAYBE_DONE = {"timeout", "connection"}


def with_conduct(tool: Tool, node: Node, scope: Scope, problems: Problems) -> Tool:
    """The tool with the conduct that its mapping declares. `scope` has the arguments, and no secrets."""
    check_description(node.get("description"), problems)
    for description in _descriptions(node):
        _check_expressions(description, problems)
    tool = replace(
        tool,
        while_waiting=tuple(_waiting_steps(node, scope, problems)),
        background=_flag(node, "background"),
        idempotent=_flag(node, "idempotent"),
        when=expression(node.get("when"), scope, problems),
        otherwise=template(node.get("otherwise"), scope, problems),
    )
    if (result := node.get("result")) is None:
        return tool
    built = build_result(result, scope, problems)
    if not built.has_example:
        built = replace(built, example=tool.result.example, has_example=tool.result.has_example)
    return replace(tool, result=built)


def check_description(description: Node | None, problems: Problems) -> None:
    """Warn of a description that costs more than it helps."""
    if description is not None and len(description.text) > LONG_DESCRIPTION:
        message = (
            f'"description" has {len(description.text)} characters, which the model reads in every turn; '
            f"keep it under {LONG_DESCRIPTION}, and put what is not about this tool into the instructions"
        )
        problems.warning(description.place, "long-description", message)


def _descriptions(tool: Node) -> Iterator[Node]:
    """The descriptions of a tool and of its arguments."""
    level = [tool.get("description"), tool.get("parameters")]
    while level:
        node = level.pop()
        if node is not None and isinstance(node.value, str):
            yield node
        elif node is not None:
            inner = (value for key, value in node.items() if key == "description" or not _is_text(value))
            level += [*inner, *(entry for entry in node.entries() if not _is_text(entry))]


def _is_text(node: Node) -> bool:
    return isinstance(node.value, str)


def _check_expressions(description: Node, problems: Problems) -> None:
    match = _EXPRESSION.search(description.text)
    if match is not None:
        message = f'"{match.group()}" stays as it is, since a description is not a template'
        is_secret = "secrets." in match.group()
        message += "; the model reads it" if is_secret else '; write it into "instructions"'
        problems.warning(description.place, "template-syntax", message)


def check_retries(retries: Node | None, tool: Tool, problems: Problems) -> None:
    """Warn of retries for a request that may have been carried out, unless repeating it is harmless."""
    if retries is None or tool.is_repeatable:
        return
    on = retries.get("on")
    lost = [entry for entry in on.entries() if entry.text in _MAYBE_DONE] if on is not None else [retries]
    for entry in lost:
        what = entry.text or "timeout"
        message = (
            f'after "{what}" the request may have been carried out already; say "idempotent: true" '
            "if asking twice does no harm"
        )
        problems.warning(entry.place, "not-idempotent", message)


def _flag(node: Node, key: str) -> bool:
    value = node.get(key)
    return value is not None and value.value is True


def _waiting_steps(tool: Node, scope: Scope, problems: Problems) -> Iterator[WaitingStep]:
    for step in tool.entries_at("while_waiting"):
        after, say, tell = (step.get(key) for key in ("after", "say", "tell"))
        after_s = duration_s(after, problems)
        texts = (say.entries() or (say,)) if say is not None else ()
        sentences = [spoken(text, scope, problems) for text in texts]
        if after_s is not None:
            yield WaitingStep(
                after_s=after_s,
                say=tuple(text for text in sentences if text is not None),
                tell=template(tell, scope, problems),
            )
