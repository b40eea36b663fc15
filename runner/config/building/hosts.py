"""Redirects an environment's requests to other hosts: tools, lookups, deliveries and tokens alike."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TypeAlias
from urllib.parse import urlsplit

from runner.call.templates.template import compile_template
from runner.config.checking.egress_hosts import host_of, same_form
from runner.config.checking.suggest import or_there_is
from runner.config.node import Node
from runner.config.problem import Problems
from runner.model.agent import Agent
from runner.model.tool import Auth, ClientCredentials, HttpBinding

Hosts: TypeAlias = Mapping[str, str]
"""The replacement of each host, without a path: `https://staging.maple.example:8443`."""


def environment_hosts(environment: Node | None, problems: Problems) -> Hosts:
    """The `hosts` of an environment, without those that have a problem."""
    node = environment.get("hosts") if environment is not None else None
    urls_by_host = {}
    for name, address in node.items() if node is not None else ():
        if _is_origin(address.text):
            urls_by_host[same_form(name)] = address.text.rstrip("/")
        elif isinstance(address.value, str | int | float):  # the schema refuses anything else
            message = (
                f'"{address.text}" cannot replace a host; write scheme, host and port, '
                "such as https://staging.maple.example:8443"
            )
            problems.error(address.place, "url", message)
    return urls_by_host


def redirected(url: str, hosts: Hosts) -> str:
    """The URL, or its template, with the replacement of its host."""
    scheme, _, rest = url.partition("://")
    end = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
    address = hosts.get(host_of(f"{scheme}://{rest[:end]}")) if hosts else None
    return url if address is None else address + rest[end:]


def redirected_agent(agent: Agent, hosts: Hosts) -> Agent:
    """The agent, with the hosts of all requests that the runner sends for it replaced."""
    if not hosts:
        return agent
    tools = tuple(
        replace(tool, binding=_redirected_binding(tool.binding, hosts))
        if isinstance(tool.binding, HttpBinding)
        else tool
        for tool in agent.tools
    )
    lookup = agent.lookup and replace(agent.lookup, http=_redirected_binding(agent.lookup.http, hosts))
    on_end = tuple(_redirected_binding(binding, hosts) for binding in agent.on_end)
    return replace(agent, tools=tools, lookup=lookup, on_end=on_end)


def check_hosts_are_asked(
    environment: Node | None, agents: Iterable[Agent], urls: Iterable[Node], problems: Problems
) -> None:
    """Note each host without requests: none of `agents`, not redirected, and none to one of `urls`."""
    node = environment.get("hosts") if environment is not None else None
    if node is None:
        return
    hosts = {host_of(url) for agent in agents for url in _urls(agent)} | {host_of(url.text) for url in urls}
    for name in dict(node.items()):
        is_host = "/" not in name  # anything else is reported where it is written
        if is_host and same_form(name) not in hosts:
            message = f'no request goes to the host "{name}"{or_there_is(name, hosts)}'
            problems.error(node.key_place(name), "unknown-host", message)


def _redirected_binding(binding: HttpBinding, hosts: Hosts) -> HttpBinding:
    url = compile_template(redirected(binding.url.source, hosts))
    return replace(binding, url=url, auth=_redirected_auth(binding.auth, hosts))


def _redirected_auth(auth: Auth | None, hosts: Hosts) -> Auth | None:
    if isinstance(auth, ClientCredentials):
        return replace(auth, token_url=redirected(auth.token_url, hosts))
    return auth


def _urls(agent: Agent) -> Iterator[str]:
    bindings = [tool.binding for tool in agent.tools if isinstance(tool.binding, HttpBinding)]
    bindings += [agent.lookup.http] if agent.lookup is not None else []
    for binding in (*bindings, *agent.on_end):
        yield binding.url.source
        if isinstance(binding.auth, ClientCredentials):
            yield binding.auth.token_url


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
        is_whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return is_whole and text.rstrip("/") == f"{parts.scheme}://{parts.netloc}" and "@" not in parts.netloc
