"""What the command line and the environment say instead of runner.yaml."""

from collections.abc import Mapping
from dataclasses import replace

from yarl import URL

from runner.api.realtime.facts import BASE_URL, BASE_URL_VARIABLE
from runner.config.building.settings import is_base_url
from runner.errors import CannotRunError
from runner.model.settings import Admin, Configuration


def overridden(
    configuration: Configuration,
    host: str | None,
    port: int | None,
    environ: Mapping[str, str],
    number: int = 0,
) -> Configuration:
    """The configuration with the options of the command line, and the environment for what it leaves open.

    Of several runners on one port each has an admin listener of its own, at the next port.
    """
    provider, server = configuration.settings.provider, configuration.settings.server
    if provider.base_url is None:
        provider = replace(provider, base_url=base_url_of(environ))
    server = replace(
        server,
        host=server.host if host is None else host,
        port=server.port if port is None else port,
        admin=None if server.admin is None else _admin_of(server.admin, number),
    )
    settings = replace(configuration.settings, provider=provider, server=server)
    return replace(configuration, settings=settings)


def base_url_of(environ: Mapping[str, str]) -> str | None:
    """The voice API's URL from the environment. Raises CannotRunError."""
    url = environ.get(BASE_URL_VARIABLE, "").strip()
    if url and not is_base_url(url):
        raise CannotRunError(
            f'environment variable "{BASE_URL_VARIABLE}" is "{url}", which is not the address of an API;'
            f" write one such as {BASE_URL}"
        )
    return url or None


def _admin_of(admin: Admin, number: int) -> Admin:
    port = admin.port + number if admin.port else 0
    address = None if admin.address is None else URL(admin.address)
    if address is not None and address.port is not None:
        address = address.with_port(address.port + number)
    return replace(admin, port=port, address=None if address is None else str(address).rstrip("/"))
