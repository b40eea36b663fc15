"""Opens the clients of a runner: for the voice API, its sidebands, and the endpoints of tools."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Self

import aiohttp

from runner.api.port import Authentication
from runner.api.realtime import api as realtime
from runner.api.realtime import text_model
from runner.model.settings import Settings
from runner.serve.api_client import ApiClient
from runner.serve.api_connections import ApiConnections
from runner.serve.egress import GuardedConnector
from runner.serve.names import NameResolver
from runner.serve.oauth import TokenSender
from runner.serve.process import Process
from runner.serve.secrets import FoundSecrets
from runner.serve.sideband import Sidebands
from runner.serve.tls import client_context
from runner.serve.tool_client import Sender, ToolClient
from runner.serve.tracing.tracing import Tracing

API_LOOKUPS = 4
"""Threads that look up the names of the API's hosts, and no others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """The clients of one runner."""

    api: ApiClient
    sidebands: Sidebands
    endpoints: Sender

    @classmethod
    async def open(
        cls,
        process: Process,
        settings: Settings,
        secrets: FoundSecrets,
        *,
        new_connector: Callable[[], aiohttp.BaseConnector] | None,
        tracing: Tracing | None,
    ) -> Self:
        """Tools connect through `new_connector`'s connector, by default one that keeps to `egress`."""
        owner, timeouts = process.owner, process.timeouts
        process.metrics.served.expect_error(realtime.out_of_quota)
        provider, tls = settings.provider, client_context()
        names = NameResolver(threads=API_LOOKUPS)
        connections = ApiConnections(provider.base_url or realtime.base_url, names=names, tls=tls)
        owner.push_async_callback(names.close)
        owner.callback(connections.close)
        new_connector = new_connector or partial(GuardedConnector, settings.egress, tls=tls)
        tools = await owner.enter_async_context(
            ToolClient(new_connector(), places=process.shares.tool_requests, metrics=process.metrics)
        )
        with_tokens = TokenSender(tools, timeouts=timeouts, clock=process.clock)
        owner.push_async_callback(with_tokens.close)
        api = ApiClient(
            connections,
            api=realtime,
            text_model=text_model,
            api_key=secrets.api_key,
            authentication=Authentication.by(provider.key_header),
            timeouts=timeouts,
            metrics=process.metrics,
        )
        return cls(
            api=api,
            sidebands=Sidebands(api, timeouts, tls=tls, names=names, kept=connections.give_away),
            endpoints=with_tokens if tracing is None else tracing.sender(with_tokens),
        )
