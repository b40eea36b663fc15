"""Warns of requests to private addresses that the runner would refuse: `egress` does not allow their hosts.

Sees only what is written: a name may resolve to a private address all the same, and is refused then.
"""

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from runner.call.tools.egress import refuse_address, refuse_host
from runner.config.node import Node
from runner.config.problem import Problems
from runner.model.settings import Egress

_PRIVATE_NAMES = ("localhost", ".localhost", ".local", ".internal")
"""Names, and ends of names, that no public address has (RFC 6761, RFC 6762, and ICANN's reserved TLD)."""
_LOOPBACK = "127.0.0.1"


def check_hosts(
    agents: Iterable[Node], shared_tools: Node | None, egress: Egress, problems: Problems
) -> None:
    """Note each address that the runner itself would refuse, or that a server of the API cannot reach.

    `agents` are the agents' documents, with the defaults under them.
    """
    tools = [tool for _, tool in shared_tools.items()] if shared_tools is not None else []
    requests = [tool.get("http") for tool in tools]
    servers = [tool.find("mcp", "server_url") for tool in tools]
    for agent in agents:
        entries = _entries(agent.get("tools"))
        requests += [agent.find("lookup", "http"), *(entry.get("http") for entry in entries)]
        requests += [delivery.get("http") for delivery in _entries(agent.get("on_end"))]
        servers += [entry.find("mcp", "server_url") for entry in entries]
    for url in filter(None, (url for request in requests for url in _urls(request))):
        if (host := _host(url)) and _is_refused(host, egress):
            message = (
                f'"{host}" is in a private network, which requests may reach only when runner.yaml says '
                f'egress: {{allow: ["{host}"]}}'
            )
            problems.warning(url.place, "egress", message)
    for url in filter(None, servers):
        if (host := _host(url)) and _is_refused(host, Egress()):
            message = (
                f'the voice API itself asks this server, and cannot reach "{host}"; write a public address'
            )
            problems.warning(url.place, "egress", message)


def _urls(http: Node | None) -> Iterator[Node | None]:
    if http is not None:
        yield from (http.get("url"), http.find("auth", "oauth2", "token_url"))


def _host(url: Node) -> str | None:
    """The host, where it is written out."""
    try:
        return urlsplit(url.text.partition("{{")[0]).hostname
    except ValueError:
        return None


def _is_refused(host: str, egress: Egress) -> bool:
    if host.endswith(_PRIVATE_NAMES):
        return refuse_address(host, _LOOPBACK, egress) is not None
    return refuse_host(host, egress) is not None


def _entries(node: Node | None) -> tuple[Node, ...]:
    return node.entries() if node is not None else ()
