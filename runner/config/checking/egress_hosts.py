"""Warns of requests to private addresses that the runner would refuse, because `egress` does not allow them.

Sees only the literal host: a name may resolve to a private address all the same, and is refused then.
"""

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from runner.call.tools.egress import refuse_address, refuse_host
from runner.config.node import Node
from runner.config.problem import Problems
from runner.model.settings import Egress

_PRIVATE_NAMES = ("localhost", ".localhost", ".local", ".internal")
"""Names, and ends of names, without a public address (RFC 6761, RFC 6762, and ICANN's reserved TLD)."""
_LOOPBACK = "127.0.0.1"


def check_hosts(
    agents: Iterable[Node],
    shared_tools: Node | None,
    replaced: Node | None,
    egress: Egress,
    problems: Problems,
) -> None:
    """Note each address that the runner would refuse, or that the API's servers cannot reach.

    `agents` are the agents' documents, merged with the defaults; `replaced` are the hosts that the
    environment replaces.
    """
    agents, shared = list(agents), shared_tools.values() if shared_tools is not None else ()
    addresses = (
        {same_form(name): address for name, address in replaced.items()} if replaced is not None else {}
    )
    urls = [url for url in request_urls(agents, shared_tools) if host_of(url.text) not in addresses]
    for url in (*urls, *addresses.values()):
        if (host := host_of(url.text)) and _is_refused(host, egress):
            message = (
                f'"{host}" is in a private network, which requests may reach only when runner.yaml says '
                f'egress: {{allow: ["{host}"]}}'
            )
            problems.warning(url.place, "egress", message)
    tools = [*shared, *(entry for agent in agents for entry in agent.entries_at("tools"))]
    for url in filter(None, (tool.find("mcp", "server_url") for tool in tools)):
        if (host := host_of(url.text)) and _is_refused(host, Egress()):
            message = (
                f'the voice API itself asks this server, and cannot reach "{host}"; write a public address'
            )
            problems.warning(url.place, "egress", message)


def request_urls(agents: Iterable[Node], shared_tools: Node | None) -> Iterator[Node]:
    """The literal URLs of requests. Those of OpenAPI documents are not among them."""
    requests = [tool.get("http") for tool in (shared_tools.values() if shared_tools is not None else ())]
    for agent in agents:
        requests += [agent.find("lookup", "http")]
        requests += [entry.get("http") for entry in agent.entries_at("tools")]
        requests += [delivery.get("http") for delivery in agent.entries_at("on_end")]
    yield from (url for request in requests for url in _urls(request) if url is not None)


def _urls(http: Node | None) -> Iterator[Node | None]:
    if http is not None:
        yield from (http.get("url"), http.find("auth", "oauth2", "token_url"))


def host_of(url: str) -> str:
    """The host of a URL as `same_form` writes it; empty where it is not literal."""
    try:
        return same_form(urlsplit(url.partition("{{")[0]).hostname or "")
    except ValueError:
        return ""


def same_form(host: str) -> str:
    """A host in the form in which hosts are compared."""
    return host.lower().rstrip(".").removeprefix("[").removesuffix("]")


def _is_refused(host: str, egress: Egress) -> bool:
    if host.endswith(_PRIVATE_NAMES):
        return refuse_address(host, _LOOPBACK, egress) is not None
    return refuse_host(host, egress) is not None
