"""Builds `server.browser` of runner.yaml: which pages may call, and how their tokens are signed."""

from urllib.parse import urlsplit

from runner.config.building.secrets import secret_ref
from runner.config.checking.checked import Checked
from runner.config.problem import Problems
from runner.model.settings import Browser


def browser(runner: Checked, problems: Problems) -> Browser | None:
    """Calls from browsers, where they are declared."""
    node = runner.part("server", "browser")
    if node is None:
        return None
    secret, origins, channel = node.get("secret"), node.get("origins"), node.get("data_channel")
    named = origins.entries() if origins is not None else ()
    for origin in named:
        if not is_origin(origin.text):
            message = (
                f'"{origin.text}" is not the origin of a page; write scheme and host, and the port unless it '
                "is the scheme's default, such as https://www.maple.example"
            )
            problems.error(origin.place, "value", message)
    return Browser(
        secret=secret_ref(secret) if secret is not None else None,
        origins=tuple(origin.text for origin in named),
        has_data_channel=channel is not None and channel.text == "open",
    )


def is_origin(text: str) -> bool:
    """Whether browsers write an origin like this (RFC 6454, 6.2): they leave out the scheme's default
    port."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    own_port = {"https": 443, "http": 80}.get(parts.scheme)
    written = f"{parts.scheme}://{parts.hostname or ''}" + (f":{port}" if port is not None else "")
    return own_port is not None and bool(parts.hostname) and port != own_port and text == written
