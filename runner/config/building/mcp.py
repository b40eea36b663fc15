"""Builds an agent's MCP servers: the API's own objects, with defaults for a phone call."""

from collections.abc import Iterator

from runner.call.templates.template import constant
from runner.config.building.secrets import written_secret
from runner.config.building.templates import templated
from runner.config.checking.scope import Scope
from runner.config.node import Node
from runner.config.problem import Problems
from runner.model.tool import McpServer

PLACES = ("server_url", "connector_id", "tunnel_id")
"""The keys of which one says where the server is."""


def build_servers(entries: Iterator[Node], scope: Scope, problems: Problems) -> Iterator[McpServer]:
    """A server for each well-formed `mcp` entry.

    The object goes to the API and never to the model, so its texts may name secrets.
    """
    labels: dict[str, Node] = {}
    for node in entries:
        label = node.get("server_label")
        if label is None:
            continue
        first = labels.setdefault(label.text, label)
        if first is not label:
            message = f'the agent has another MCP server "{label.text}", at {first.place}'
            problems.error(label.place, "duplicate-tool", message)
        places = [key for key in PLACES if node.get(key) is not None]
        if len(places) != 1:
            problems.error(node.place, "one-of", f"an MCP server needs one of {', '.join(PLACES)}")
        settings = templated(node, scope, problems)
        _warn_of_written_secrets(node, problems)
        approval = node.get("require_approval")
        free = node.entries_at("require_approval", "never", "tool_names")
        _warn_of_approvals(approval, problems)
        yield McpServer(
            label=label.text,
            # The API asks for approval of each call unless it is told not to, and that stalls the call.
            settings={
                "require_approval": constant("never"),
                **(settings if isinstance(settings, dict) else {}),
            },
            approved=frozenset(name.text for name in free),
        )


def _warn_of_written_secrets(server: Node, problems: Problems) -> None:
    """The values that can only be credentials; a header may be anything else."""
    from runner.call.templates.template import has_expressions  # noqa: PLC0415 - only for agents with MCP servers

    authorization = [server.get("authorization"), server.find("headers", "Authorization")]
    for node in authorization:
        if node is not None and isinstance(node.value, str) and not has_expressions(node.value):
            problems.extend([written_secret(node)])


def _warn_of_approvals(approval: Node | None, problems: Problems) -> None:
    if approval is not None and (approval.text == "always" or approval.get("always") is not None):
        message = "nobody is there to approve a call on the telephone: it is refused"
        place = approval.place if approval.text else approval.key_place("always")
        problems.warning(place, "mcp-approval", message)
