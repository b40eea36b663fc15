"""Builds the settings of runner.yaml: the voice API, the server, the store, secrets, egress."""

from urllib.parse import urlsplit

from runner.api.realtime.facts import BASE_URL
from runner.call.addresses.target import is_target
from runner.config.building.browser import browser
from runner.config.building.destination import right_target
from runner.config.building.duration import duration_s
from runner.config.building.prices import prices
from runner.config.building.secrets import secret_ref
from runner.config.checking.checked import Checked
from runner.config.node import Node
from runner.config.problem import Problems
from runner.model.settings import (
    Admin,
    AdminToken,
    Egress,
    May,
    Provider,
    Records,
    SecretRef,
    Server,
    Settings,
)
from runner.model.values import DAY_S


def provider(runner: Checked, problems: Problems) -> Provider:
    """The voice API of this process."""
    default = Provider()
    api_key, webhook_secrets, base_url, key_header = (
        runner.part("provider", key) for key in ("api_key", "webhook_secrets", "base_url", "key_header")
    )
    return Provider(
        api_key=secret_ref(api_key) if api_key else default.api_key,
        webhook_secrets=tuple(secret_ref(node) for node in webhook_secrets.entries())
        if webhook_secrets
        else default.webhook_secrets,
        base_url=_base_url(base_url, problems) if base_url else default.base_url,
        key_header=key_header.text if key_header else default.key_header,
        prices=prices(runner, problems),
    )


def server(runner: Checked, problems: Problems) -> Server:
    """Where webhooks arrive."""
    default = Server()
    host, port = runner.part("server", "host"), runner.part("server", "port")
    drain, age = runner.part("server", "drain_timeout"), runner.part("server", "max_call_age")
    drain_s = duration_s(drain, problems, at_least_s=0.0)
    age_s = duration_s(age, problems)
    return Server(
        host=host.text if host else default.host,
        port=_whole(port) if port else default.port,
        drain_timeout_s=default.drain_timeout_s if drain_s is None else drain_s,
        max_call_age_s=default.max_call_age_s if age_s is None else age_s,
        admin=admin(runner, _whole(port) if port else default.port, problems),
        browser=browser(runner, problems),
    )


def admin(runner: Checked, public_port: int, problems: Problems) -> Admin | None:
    """The admin API and the console; None where they are not declared."""
    if runner.root.find("server", "admin") is None:
        return None
    default = Admin()
    host, port, address, hosts, transfer_to = (
        runner.part("server", "admin", key) for key in ("host", "port", "address", "hosts", "transfer_to")
    )
    tokens = runner.sound_part("server", "admin", "tokens")
    here = _whole(port) if port else default.port
    if here == public_port and here != 0:
        place = port or runner.root.find("server", "port") or runner.root.find("server", "admin")
        assert place is not None  # noqa: S101 - server.admin is there
        message = (
            f"webhooks arrive at port {here} too, which is public; give the admin API another port,"
            " which only those who may see calls can reach"
        )
        problems.warning(place.place, "same-port", message)
    return Admin(
        host=host.text if host else default.host,
        port=here,
        tokens={name: _token(node) for name, node in tokens.items()} if tokens else {},
        address=_admin_address(address, problems) if address else None,
        hosts=tuple(node.text.lower() for node in hosts.entries()) if hosts else (),
        transfer_to=tuple(_target(node, problems) for node in transfer_to.entries()) if transfer_to else (),
    )


def _token(node: Node) -> AdminToken:
    may = node.get("may")
    return AdminToken(ref=secret_ref(node), may=May(may.text) if may else May.STEER)


def _admin_address(node: Node, problems: Problems) -> str:
    if not is_base_url(node.text) or urlsplit(node.text).path not in {"", "/"}:
        message = f'"{node.text}" is not the address of a runner; write one such as http://10.0.0.7:8081'
        problems.error(node.place, "value", message)
    return node.text.rstrip("/")


def _target(node: Node, problems: Problems) -> str:
    if not is_target(node.text):
        message = f'"{node.text}" is not an address to transfer to; {right_target(node.text)}'
        problems.error(node.place, "destination", message)
    return node.text


def store(runner: Checked) -> str | SecretRef:
    """The URL of the store, or where that is. Relative file names stay relative."""
    node = runner.part("store")
    if node is None:
        return Settings().store
    return node.text if isinstance(node.value, str) else secret_ref(node)


def records(runner: Checked) -> Records:
    """How records are kept."""
    keep = runner.part("records", "keep")
    return Records(keep_s=int(keep.text.removesuffix("d")) * DAY_S if keep else None)


def secrets(runner: Checked) -> dict[str, SecretRef]:
    """Secrets by their names in templates."""
    node = runner.part("secrets")
    return {name: secret_ref(ref) for name, ref in node.items()} if node else {}


def egress(runner: Checked) -> Egress:
    """Where tools may connect to."""
    allow, private_networks = runner.part("egress", "allow"), runner.part("egress", "private_networks")
    return Egress(
        allow=tuple(node.text for node in allow.entries()) if allow else (),
        private_networks=private_networks is not None and private_networks.text == "allow",
    )


def _whole(node: Node) -> int:
    assert isinstance(node.value, int)  # noqa: S101 - the schema has made it so
    return node.value


def is_base_url(text: str) -> bool:
    """Whether paths of an API can be appended to this URL."""
    try:
        parts = urlsplit(text)
        return (
            parts.scheme in {"http", "https"}
            and bool(parts.hostname)
            and parts.port != 0
            and not (parts.query or parts.fragment or parts.username)
        )
    except ValueError:
        return False


def _base_url(node: Node, problems: Problems) -> str:
    if not is_base_url(node.text):
        message = f'"{node.text}" is not the address of an API; write one such as {BASE_URL}'
        problems.error(node.place, "value", message)
    return node.text.rstrip("/")
