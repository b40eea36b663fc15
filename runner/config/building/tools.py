"""Builds a tool from its checked document: parameters, binding, result, and the templates of all of them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runner.call.addresses.target import e164_target, is_target
from runner.call.templates.names import NOTHING
from runner.config.building.duration import duration_s
from runner.config.building.parameters import NO_ARGUMENTS, argument_shapes, check_parameters
from runner.config.building.templates import expression, template, templated
from runner.config.building.tool_http import build_http
from runner.config.checking.scope import Scope
from runner.config.checking.suggest import did_you_mean, one_of
from runner.config.checking.unused_arguments import check_arguments_used
from runner.config.node import Node
from runner.config.problem import Problems
from runner.model.template import Template
from runner.model.tool import (
    Binding,
    HandoffBinding,
    HangupBinding,
    ResultSpec,
    StaticBinding,
    Tool,
    TransferBinding,
    WaitingStep,
)
from runner.model.values import Json, JsonObject

if TYPE_CHECKING:
    from jmespath.parser import ParsedResult

LONG_DESCRIPTION = 1000
"""Characters. The API takes 1024; what the model should know of a tool is far less."""

_HARMLESS = {"GET", "HEAD"}
_MAYBE_DONE = {"timeout", "connection"}


def build_tool(node: Node, *, scope: Scope, problems: Problems) -> Tool | None:
    """The tool that a mapping with `name` and one binding declares, or None after noting what is wrong.

    `node` is a tool that the schema has found sound; a shared tool has its name put in. `scope` is what
    exists for any template of the agent, with the secrets that runner.yaml declares: what the tool shows to
    the model or says to the caller is checked without them. A binding that is not built yet gives None.
    """
    return _Builder(node, scope, problems).build()


@dataclass(frozen=True, slots=True)
class _Builder:
    node: Node
    agent_scope: Scope
    problems: Problems

    def build(self) -> Tool | None:
        name, description = self.node.get("name"), self.node.get("description")
        parameters = self._parameters()
        scope = self._scope()
        binding = self._binding(scope)
        told = scope.without_secrets()
        result = self._result(told)
        self._check_retries()
        self._check_description(description)
        if name is None or binding is None:
            return None
        background = self.node.get("background")
        tool = Tool(
            name=name.text,
            description=description.text if description is not None else "",
            parameters=parameters,
            binding=binding,
            result=result,
            while_waiting=tuple(self._waiting_steps(told)),
            background=background is not None and background.value is True,
            idempotent=self._is_idempotent,
            when=expression(self.node.get("when"), told, self.problems),
            otherwise=template(self.node.get("otherwise"), told, self.problems),
        )
        declared = self.node.get("parameters")
        if declared is not None:
            check_arguments_used(tool, declared, self.problems)
        return tool

    def _check_description(self, description: Node | None) -> None:
        if description is not None and len(description.text) > LONG_DESCRIPTION:
            message = (
                f'"description" has {len(description.text)} characters, which the model reads in every turn; '
                f"keep it under {LONG_DESCRIPTION}, and put what is not about this tool into the instructions"
            )
            self.problems.warning(description.place, "long-description", message)

    # What may happen around a call

    def _waiting_steps(self, scope: Scope) -> Iterator[WaitingStep]:
        node = self.node.get("while_waiting")
        for step in node.entries() if node is not None else ():
            after, say, tell = (step.get(key) for key in ("after", "say", "tell"))
            after_s = duration_s(after, self.problems) if after is not None else None
            texts = (say.entries() or (say,)) if say is not None else ()
            said = [template(text, scope, self.problems) for text in texts]
            if after_s is not None:
                yield WaitingStep(
                    after_s=after_s,
                    say=tuple(text for text in said if text is not None),
                    tell=template(tell, scope, self.problems),
                )

    @property
    def _is_idempotent(self) -> bool:
        harmless = self.node.get("idempotent")
        return harmless is not None and harmless.value is True

    def _check_retries(self) -> None:
        """A request that was lost may have been carried out: doing it twice must be said to be harmless."""
        retries, method = self.node.find("http", "retries"), self.node.find("http", "method")
        if retries is None or (method is not None and method.text in _HARMLESS) or self._is_idempotent:
            return
        on = retries.get("on")
        lost = [entry for entry in on.entries() if entry.text in _MAYBE_DONE] if on is not None else [retries]
        for entry in lost:
            what = entry.text or "timeout"
            message = (
                f'after "{what}" the request may have been carried out already; say "idempotent: true" '
                "if asking twice does no harm"
            )
            self.problems.warning(entry.place, "not-idempotent", message)

    # Parameters

    def _parameters(self) -> JsonObject:
        transfer = self.node.get("transfer")
        if transfer is not None:
            return _one_of_destinations(transfer)
        parameters = self.node.get("parameters")
        if parameters is None:
            return NO_ARGUMENTS
        check_parameters(parameters, self.problems)
        data: JsonObject = parameters.data()
        return data

    def _scope(self) -> Scope:
        """The agent's scope with this tool's arguments."""
        if self.node.get("transfer") is not None:
            return replace(self.agent_scope, args={"destination": NOTHING}, args_open=False)
        parameters = self.node.get("parameters")
        if parameters is None:
            return replace(self.agent_scope, args={})
        shapes, is_open = argument_shapes(parameters)
        return replace(self.agent_scope, args=shapes, args_open=is_open)

    # Bindings

    def _binding(self, scope: Scope) -> Binding | None:
        if (http := self.node.get("http")) is not None:
            return build_http(http, scope, self.problems)
        told = scope.without_secrets()
        if (transfer := self.node.get("transfer")) is not None:
            return self._transfer(transfer, told)
        if (hangup := self.node.get("hangup")) is not None:
            return HangupBinding(say=template(hangup.get("say"), told, self.problems))
        if (agent := self.node.find("handoff", "agent")) is not None:
            return HandoffBinding(agent=agent.text)
        if (static := self.node.get("static")) is not None:
            return StaticBinding(answer=templated(static, told, self.problems))
        return None

    def _transfer(self, node: Node, scope: Scope) -> TransferBinding | None:
        destinations = node.get("destinations")
        if destinations is None:
            return None
        apart = replace(scope, args=None, why_no_args="the model chooses a name and never makes an address")
        addresses = {name: self._address(entry, apart) for name, entry in destinations.items()}
        fallback = node.get("fallback")
        if fallback is not None and fallback.text not in addresses:
            message = f'there is no destination "{fallback.text}"{did_you_mean(fallback.text, addresses)}'
            self.problems.error(fallback.place, "destination", message)
        return TransferBinding(
            destinations={name: address for name, address in addresses.items() if address is not None},
            fallback=fallback.text if fallback is not None else None,
            say=template(node.get("say"), scope, self.problems),
            if_not_completed=template(node.get("if_not_completed"), scope, self.problems),
        )

    def _address(self, node: Node, scope: Scope) -> Template | None:
        compiled = template(node, scope, self.problems)
        if compiled is not None and compiled.program is None and not is_target(compiled.source):
            message = f'"{compiled.source}" is no address to transfer to; {_right_target(compiled.source)}'
            self.problems.error(node.place, "destination", message)
        return compiled

    # ResultSpec

    def _result(self, scope: Scope) -> ResultSpec:
        node = self.node.get("result")
        if node is None:
            return ResultSpec()
        select, example, longest = node.get("select"), node.get("example"), node.get("max_chars")
        if select is not None:
            check_select(select, example, self.problems)
        return ResultSpec(
            select=select.text if select is not None else None,
            on_error=template(node.get("on_error"), scope, self.problems),
            example=example.data() if example is not None else None,
            has_example=example is not None,
            max_chars=int(longest.text) if longest is not None else ResultSpec().max_chars,
            sets=dict(self._sets(node.get("set"), example)),
        )

    def _sets(self, node: Node | None, example: Node | None) -> Iterator[tuple[str, str]]:
        for name, taken in node.items() if node is not None else ():
            check_select(taken, example, self.problems)
            yield name, taken.text


def _one_of_destinations(transfer: Node) -> JsonObject:
    """What the model is asked for by a transfer: one of the declared names."""
    destinations = transfer.get("destinations")
    names = [name for name, _ in destinations.items()] if destinations is not None else []
    return {
        "type": "object",
        "properties": {"destination": {"type": "string", "enum": names}},
        "required": ["destination"],
        "additionalProperties": False,
    }


def _right_target(address: str) -> str:
    meant = e164_target(address)
    if meant is not None:
        return f'write "{meant}"'
    return 'write an E.164 number as "tel:+14155550123", or a SIP address as "sip:nurse@maple.example"'


def check_select(select: Node, example: Node | None, problems: Problems) -> None:
    """Note a JMESPath expression that cannot be read, or that finds nothing in the example."""
    from jmespath.exceptions import JMESPathError, ParseError  # noqa: PLC0415 - only for tools with `select`
    from jmespath.functions import Functions  # noqa: PLC0415 - as above

    from runner.call.tools.tool_result import compiled_select  # noqa: PLC0415 - as above

    try:
        expression = compiled_select(select.text)
    except JMESPathError as error:
        column = error.lex_position + 1 if isinstance(error, ParseError) else 1
        problems.error(
            select.place_in(1, column), "jmespath", f'"{select.text}" is no JMESPath: {_reason(error)}'
        )
        return
    unknown = next(
        (name for name in _functions(expression.parsed) if name not in Functions.FUNCTION_TABLE), None
    )
    if unknown is not None:
        near = did_you_mean(unknown, Functions.FUNCTION_TABLE)
        problems.error(select.place, "jmespath", f'JMESPath has no function "{unknown}"{near}')
    elif example is not None:
        _check_example(select, expression, example, problems)


def _functions(parsed: JsonObject) -> Iterator[str]:
    """The functions that a parsed expression calls."""
    if parsed["type"] == "function_expression":
        yield parsed["value"]
    for child in parsed["children"]:
        if isinstance(child, Mapping):
            yield from _functions(child)


def _check_example(select: Node, expression: "ParsedResult", example: Node, problems: Problems) -> None:
    from jmespath.exceptions import JMESPathError  # noqa: PLC0415 - only for tools with `select`

    try:
        found: Json = expression.search(example.data())
    except JMESPathError as error:
        problems.error(select.place, "select-example", f'"select" fails on "example": {_reason(error)}')
        return
    if found is None:
        keys = [key for key, _ in example.items()]
        there = f", which has {one_of(keys).replace(' or ', ' and ')}" if keys else ""
        message = f'"{select.text}" finds nothing in "example"{there}'
        problems.warning(select.place, "select-example", message)


def _reason(error: Exception) -> str:
    text = re.sub(
        r"^(Invalid|Bad) jmespath expression: |: Parse error at .*|[.:]$", "", str(error).partition("\n")[0]
    ).replace("'", '"')
    return text[:1].lower() + text[1:]
