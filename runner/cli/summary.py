"""Shows what a person wants to see when a runner starts: agents, routes in order, webhook address, store."""

from collections.abc import Sequence
from typing import TypeAlias

from runner import __version__
from runner.api.realtime.facts import BASE_URL
from runner.call.routes.explain import holds
from runner.call.routes.precedence import in_order
from runner.cli.terminal import Style, Terminal, printable
from runner.model.agent import Agent
from runner.model.route import Conditions, Otherwise, RejectRule, Route, ToAgent
from runner.model.settings import Configuration
from runner.store.url import shown_store

MOST_ROUTES = 20
"""Of more, the first are shown and the rest are counted."""
CONSOLE_NOTE = "sign in with a token of server.admin.tokens"
DEV_CONSOLE_NOTE = "open to everybody at this machine, without a token"
WEBHOOK_NOTE = "enter its public https:// address at the API"

RoutingRow: TypeAlias = tuple[str, str, str]
"""Who answers, the rule's place, and what it asks for."""


def show_summary(
    configuration: Configuration,
    webhook_url: str,
    terminal: Terminal,
    console_url: str | None = None,
    *,
    is_dev: bool = False,
) -> None:
    """Print the summary. It holds no secret and no instructions. `is_dev`: nobody is asked for a token."""
    settings = configuration.settings
    rejects, routes, otherwise = routing_rows(configuration)
    hidden = len(routes) - MOST_ROUTES
    more = [("…", f"and {hidden} more")] if hidden > 0 else []
    shown = [(answer, words) for answer, _, words in (*rejects, *routes[:MOST_ROUTES])]
    terminal.line(f"phone-agents {__version__} serves {printable(configuration.directory)}")
    _section("agents", [(agent.id, _agent(agent)) for agent in configuration.agents.values()], terminal)
    _section("routes, the first that matches wins", [*shown, *more, otherwise[:2]], terminal)
    _section("webhook", [(webhook_url, WEBHOOK_NOTE)], terminal)
    if console_url is not None:
        _section("console", [(console_url, DEV_CONSOLE_NOTE if is_dev else CONSOLE_NOTE)], terminal)
    _section("voice API", [(settings.provider.base_url or BASE_URL, "")], terminal)
    _section("store", [(shown_store(settings.store), "")], terminal)


def show_talk(configuration: Configuration, url: str, terminal: Terminal, *, stands_in: bool) -> None:
    """Print where a developer speaks with each agent."""
    who = "a stand-in speaks: there is no key of the voice API" if stands_in else "opens your microphone"
    _section("talk", [(f"{url}/talk/{agent}", who) for agent in configuration.agents], terminal)


def _section(title: str, rows: Sequence[tuple[str, str]], terminal: Terminal) -> None:
    width = max((len(name) for name, _ in rows), default=0)
    terminal.line()
    terminal.line(terminal.styled(title, Style.BOLD))
    for name, text in rows:
        terminal.line(printable(f"  {name:{width}}  {text}".rstrip()))


def _agent(agent: Agent) -> str:
    parts = [agent.model]
    if agent.voice is not None:
        parts.append(agent.voice)
    if agent.tools:
        parts.append(f"{len(agent.tools)} tool{'s' if len(agent.tools) > 1 else ''}")
    description = " ".join(agent.description.split())
    return ", ".join(parts) + (f": {description}" if description else "")


def routing_rows(configuration: Configuration) -> tuple[list[RoutingRow], list[RoutingRow], RoutingRow]:
    """The reject rules and the routes, each in the order in which they are tried, and the last resort."""
    routing = configuration.settings.routing
    rejects = [(answer_of(rule), str(rule.place), asks(rule.conditions)) for rule in in_order(routing.reject)]
    routes = [
        (
            route.agent,
            str(route.place),
            asks(route.conditions) + (f", priority {route.priority}" if route.priority else ""),
        )
        for route in in_order(route for agent in configuration.agents.values() for route in agent.routes)
    ]
    return rejects, routes, (answer_of(routing.otherwise), "otherwise", "every other call")


def answer_of(rule: Route | RejectRule | Otherwise) -> str:
    """The agent that answers by a rule, or `reject 404`."""
    return rule.agent if isinstance(rule, Route | ToAgent) else f"reject {rule.status}"


def asks(conditions: Conditions) -> str:
    """All conditions in words, e.g. `to begins with +1800, while office-hours is open`."""
    parts = []
    if conditions.called is not None:
        parts.append(f"to {holds(conditions.called)}")
    if conditions.caller is not None:
        parts.append(f"from {holds(conditions.caller)}")
    parts += [f"header {name} {holds(matcher)}" for name, matcher in conditions.headers]
    if conditions.during is not None:
        parts.append(f"while {conditions.during} is open")
    if conditions.transport is not None:
        parts.append(f"over {conditions.transport.value}")
    if conditions.share is not None:
        parts.append(f"{conditions.share:.4%} of callers".replace(".0000%", "%"))
    return ", ".join(parts) or "every call"
