"""Builds a tool from its checked document: parameters, binding, result, and the templates of all of them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from runner.call.templates.names import NOTHING
from runner.config.building.destination import build_destination
from runner.config.building.duration import duration_s
from runner.config.building.parameters import NO_ARGUMENTS, argument_shapes, check_parameters
from runner.config.building.result import build_result
from runner.config.building.templates import expression, spoken, template, templated
from runner.config.building.tool_http import build_http
from runner.config.checking.scope import Scope
from runner.config.checking.suggest import did_you_mean
from runner.config.checking.unused_arguments import check_arguments_used
from runner.config.node import Node
from runner.config.problem import Problems
from runner.model.tool import (
    Binding,
    HandoffBinding,
    HangupBinding,
    StaticBinding,
    Tool,
    TransferBinding,
    WaitingStep,
)
from runner.model.values import JsonObject

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
        scope = self._scope(parameters)
        binding = self._binding(scope)
        told = scope.without_secrets()
        result = build_result(self.node.get("result"), told, self.problems)
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
            said = [spoken(text, scope, self.problems) for text in texts]
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

    def _scope(self, schema: JsonObject) -> Scope:
        """The agent's scope with this tool's arguments."""
        scope = replace(self.agent_scope, parameters=schema)
        if self.node.get("transfer") is not None:
            return replace(scope, args={"destination": NOTHING}, args_open=False)
        parameters = self.node.get("parameters")
        if parameters is None:
            return replace(scope, args={})
        shapes, is_open = argument_shapes(parameters)
        return replace(scope, args=shapes, args_open=is_open)

    # Bindings

    def _binding(self, scope: Scope) -> Binding | None:
        if (http := self.node.get("http")) is not None:
            return build_http(http, scope, self.problems)
        told = scope.without_secrets()
        if (transfer := self.node.get("transfer")) is not None:
            return self._transfer(transfer, told)
        if (hangup := self.node.get("hangup")) is not None:
            return HangupBinding(say=spoken(hangup.get("say"), told, self.problems))
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
        addresses = {
            name: build_destination(entry, apart, self.problems) for name, entry in destinations.items()
        }
        fallback = node.get("fallback")
        if fallback is not None and fallback.text not in addresses:
            message = f'there is no destination "{fallback.text}"{did_you_mean(fallback.text, addresses)}'
            self.problems.error(fallback.place, "destination", message)
        return TransferBinding(
            destinations={name: address for name, address in addresses.items() if address is not None},
            fallback=fallback.text if fallback is not None else None,
            say=spoken(node.get("say"), scope, self.problems),
            if_not_completed=template(node.get("if_not_completed"), scope, self.problems),
        )


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
