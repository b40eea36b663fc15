"""Reads what runner.yaml shares with every agent: tools, secrets, prices, and the names of models."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from runner.api.realtime.facts import BASE_URL
from runner.config.building.parts import without_mistakes
from runner.config.checking.checked import Checked
from runner.config.node import Node
from runner.model.price import PriceList
from runner.model.values import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedTool:
    """A tool of runner.yaml, with its name in it. `sound` is False when it has a mistake."""

    node: Node
    sound: bool
    mended: Node | None
    """The tool without its mistakes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What all agents share from runner.yaml."""

    tools: Mapping[str, SharedTool]
    secrets: frozenset[str]
    default_country: str | None
    has_api_names: bool
    """Whether models have the API's own names: elsewhere they are deployments with any names."""
    takes_browser_calls: bool
    opens_data_channel: bool
    """Whether pages read and change the sessions of their calls."""
    prices: PriceList


def shared_by_agents(runner: Checked, prices: PriceList) -> Shared:
    """What the document of runner.yaml shares. Names are known even where their values have mistakes."""
    tools, secrets = runner.root.get("tools"), runner.root.get("secrets")
    country, base_url = runner.part("routing", "default_country"), runner.part("provider", "base_url")
    channel = runner.part("server", "browser", "data_channel")
    return Shared(
        tools={name: _shared_tool(name, node, tools.key_place(name), runner) for name, node in tools.items()}
        if tools
        else {},
        secrets=frozenset(name for name, _ in secrets.items()) if secrets else frozenset(),
        default_country=country.text if country else None,
        takes_browser_calls=runner.root.find("server", "browser") is not None,
        opens_data_channel=channel is not None and channel.text == "open",
        has_api_names=(base_url is None or urlsplit(base_url.text).hostname == urlsplit(BASE_URL).hostname)
        # Prices are declared for names that are not the API's own.
        and runner.part("provider", "prices") is None,
        prices=prices,
    )


def _shared_tool(name: str, node: Node, place: Place, runner: Checked) -> SharedTool:
    mended = without_mistakes(node, runner)
    return SharedTool(
        node=_named(name, place, node),
        sound=runner.sound(node),
        mended=_named(name, place, mended) if mended is not None else None,
    )


def _named(name: str, place: Place, tool: Node) -> Node:
    values = {"name": Node(value=name, text=name, place=place), **dict(tool.items())}
    return tool._replace(value=values, key_places={**tool.key_places, "name": place})
