"""What a call's machine knows besides its call: agents, routes, prices, secrets. Immutable."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from runner.call.routes.routing import RouteTable
from runner.model.agent import Agent
from runner.model.price import PriceList
from runner.model.route import RoutingSettings
from runner.model.settings import Configuration

MAX_CALL_AGE_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class World:
    """One version of the configuration, as calls meet it. A call keeps the version that it began with."""

    agents: Mapping[str, Agent]
    table: RouteTable
    routing: RoutingSettings = field(default_factory=RoutingSettings)
    prices: PriceList = field(default_factory=PriceList)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    transfer_to: tuple[str, ...] = ()
    """Addresses that a person may transfer a call to, besides the destinations of agents."""
    max_call_age_s: float = MAX_CALL_AGE_S
    """When an older call is announced, its caller is long gone."""

    @classmethod
    def of(cls, configuration: Configuration, secrets: Mapping[str, str]) -> "World":
        """The world of a loaded configuration."""
        settings = configuration.settings
        return cls(
            agents=configuration.agents,
            table=RouteTable.of(configuration),
            routing=settings.routing,
            prices=settings.provider.prices,
            secrets=secrets,
            transfer_to=settings.server.admin.transfer_to if settings.server.admin is not None else (),
            max_call_age_s=settings.server.max_call_age_s,
        )
