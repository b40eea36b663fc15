"""Builds a tool from its checked document: parameters, binding, result, and all of their templates."""

from dataclasses import dataclass, replace

from runner.call.templates.names import NOTHING
from runner.config.building.destination import build_destination
from runner.config.building.parameters import NO_ARGUMENTS, check_parameters
from runner.config.building.schema_walk import argument_shapes
from runner.config.building.templates import spoken, template, templated
from runner.config.building.tool_conduct import check_retries, with_conduct
from runner.config.building.tool_http import build_http
from runner.config.checking.scope import Scope
from runner.config.checking.suggest import did_you_mean
from runner.config.checking.unused_arguments import check_arguments_used
from runner.config.node import Node
from runner.config.problem import Problems
from runner.model.tool import Binding, HandoffBinding, HangupBinding, StaticBinding, Tool, TransferBinding
from runner.model.values import JsonObject

_NO_BINDING = StaticBinding(answer=None)
"""Replaces a binding with a mistake, so that everything else of the tool is checked too."""


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
        tool = Tool(
            name=name.text if name is not None else "",
            description=description.text if description is not None else "",
            parameters=parameters,
            binding=binding or _NO_BINDING,
        )
        tool = with_conduct(tool, self.node, scope.without_secrets(), self.problems)
        if name is None or binding is None:
            return None
        check_retries(self.node.find("http", "retries"), tool, self.problems)
        declared = self.node.get("parameters")
        if declared is not None:
            check_arguments_used(tool, declared, self.problems)
        return tool

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
        parameters = self.node.get("parameters")
        if self.node.get("transfer") is not None:
            return replace(
                self.agent_scope, parameters=schema, args={"destination": NOTHING}, args_open=False
            )
        if parameters is None:
            return replace(self.agent_scope, parameters=schema, args={})
        shapes, is_open = argument_shapes(parameters)
        return replace(self.agent_scope, parameters=schema, args=shapes, args_open=is_open)

    # Bindings

    def _binding(self, scope: Scope) -> Binding | None:
        if (http := self.node.get("http")) is not None:
            return build_http(http, scope, self.problems)
        public_scope = scope.without_secrets()
        if (transfer := self.node.get("transfer")) is not None:
            return self._transfer(transfer, public_scope)
        if (hangup := self.node.get("hangup")) is not None:
            return HangupBinding(say=spoken(hangup.get("say"), public_scope, self.problems))
        if (agent := self.node.find("handoff", "agent")) is not None:
            return HandoffBinding(agent=agent.text)
        if (static := self.node.get("static")) is not None:
            return StaticBinding(answer=templated(static, public_scope, self.problems))
        return None

    def _transfer(self, node: Node, scope: Scope) -> TransferBinding | None:
        destinations = node.get("destinations")
        say = spoken(node.get("say"), scope, self.problems)
        if_not_completed = template(node.get("if_not_completed"), scope, self.problems)
        if destinations is None:
            return None
        apart = replace(scope, args=None, why_no_args="the model chooses a name and never makes an address")
        addresses = {
            name: build_destination(entry, apart, self.problems) for name, entry in destinations.items()
        }
        fallback, named = node.get("fallback"), {*addresses, *destinations.key_places}
        if fallback is not None and fallback.text not in named:
            message = f'there is no destination "{fallback.text}"{did_you_mean(fallback.text, named)}'
            self.problems.error(fallback.place, "destination", message)
        return TransferBinding(
            destinations={name: address for name, address in addresses.items() if address is not None},
            fallback=fallback.text if fallback is not None else None,
            say=say,
            if_not_completed=if_not_completed,
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
