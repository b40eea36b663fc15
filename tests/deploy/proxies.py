"""The examples for the public address as real proxies, on ports that they are told."""

import asyncio
import os
import shutil
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.docs.pages import ROOT
from tests.patience import PATIENCE_S

HEADERS_S = 1
"""The time that a head may take, which is five seconds in the examples."""


def program(name: str, package: str) -> str:
    """Where a program is; the test is skipped where it is not, but for CI, which installs it."""
    found = shutil.which(name) or shutil.which(name, path=f"/usr/sbin:{Path(sys.executable).parent}")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is missing: .ci/run installs Debian's package {package}")
        pytest.skip(f"there is no {name} here: install Debian's package {package}")
    return found


def changed(text: str, *changes: tuple[str, str]) -> str:
    """An example with what belongs to one place put in. Every change has to be one."""
    for old, new in changes:
        assert old in text, f"the example does not say {old!r}"
        text = text.replace(old, new)
    return text


class Proxy:
    """A proxy that listens on this machine."""

    def __init__(self, port: int, trusted: ssl.SSLContext) -> None:
        self.port = port
        self.trusted = trusted
        self.url = f"https://localhost:{port}"


@asynccontextmanager
async def nginx(runner_url: str, folder: Path, port: int) -> AsyncIterator[Proxy]:
    """deploy/nginx, in front of this runner."""
    command = program("nginx", "nginx-light")
    authority = Authority(folder)
    certificate = authority.issue()
    example = changed(
        (ROOT / "deploy/nginx/phone-agents.conf").read_text(),
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("/etc/nginx/tls/calls.pem", str(certificate)),
        ("calls.example.com", "localhost"),
        ("127.0.0.1:8080", runner_url.removeprefix("http://")),
        ("client_header_timeout 5s", f"client_header_timeout {HEADERS_S}s"),
    )
    (folder / "phone-agents.conf").write_text(example)
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole = folder / "nginx.conf"
    whole.write_text(
        f"daemon off;\npid {folder}/nginx.pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}include {folder}/phone-agents.conf;\n}}\n"
    )
    async with _served([command, "-c", str(whole), "-p", str(folder), "-e", "stderr"], {}, port):
        yield Proxy(port, ssl.create_default_context(cafile=authority.file))


@asynccontextmanager
async def caddy(runner_url: str, folder: Path, port: int) -> AsyncIterator[Proxy]:
    """deploy/caddy, in front of this runner."""
    command = program("caddy", "caddy")
    authority = Authority(folder)
    certificate = authority.issue()
    own = f"\tadmin off\n\tauto_https disable_redirects\n\thttps_port {port}\n"
    example = changed(
        (ROOT / "deploy/caddy/Caddyfile").read_text(),
        ("{\n\tservers {", f"{{\n{own}\tservers {{"),
        ("\trequest_body {", f"\ttls {certificate} {certificate}\n\n\trequest_body {{"),
        ("read_header 5s", f"read_header {HEADERS_S}s"),
    )
    (folder / "Caddyfile").write_text(example)
    environment = {
        "HOME": str(folder),
        "PUBLIC_HOST": f"https://localhost:{port}",
        "RUNNERS": runner_url.removeprefix("http://"),
    }
    arguments = [command, "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    async with _served(arguments, environment, port):
        yield Proxy(port, ssl.create_default_context(cafile=authority.file))


@asynccontextmanager
async def _served(command: list[str], environment: dict[str, str], port: int) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        *command,
        env={"PATH": os.environ["PATH"], **environment},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not await _listens(port):
                if process.returncode is not None:
                    _, told = await process.communicate()
                    pytest.fail(told.decode())
                await asyncio.sleep(0.05)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
