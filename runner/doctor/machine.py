"""Checks this machine: the port for webhooks, and how many calls its limit of open files allows."""

import errno
import socket
from contextlib import closing

import aiohttp

from runner.doctor.finding import Finding, Topic
from runner.model.settings import Server
from runner.serve.descriptors import DescriptorShares

PORT = Topic("port")
OPEN_FILES = Topic("open files")

ANSWER_S = 2.0
FEW_CALLS = 100


async def examine_port(server: Server) -> Finding:
    """Whether a runner could listen, or one does already."""
    host, port = server.host, server.port
    where = f"{host} port {port}"
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        return PORT.error(f'"{host}" is not an address of this machine ({error.strerror})', "set server.host")
    with closing(socket.socket(family, kind, proto)) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(address)
            # Where another process listens for all addresses, binding one of them succeeds and listening
            # fails.
            listening.listen(1)
        except OSError as error:
            return await _port_in_use(error, where, host, port)
    if port == 0:
        return PORT.ok(f"a free one of {host}")
    return PORT.ok(f"{where} is free")


async def _port_in_use(error: OSError, where: str, host: str, port: int) -> Finding:
    match error.errno:
        case errno.EADDRINUSE if await _is_runner(host, port):
            return PORT.ok(f"a runner listens at {where} already")
        case errno.EADDRINUSE:
            return PORT.error(
                f"another program listens at {where}", "stop it, or set server.port (or run --port)"
            )
        case errno.EACCES:
            return PORT.error(
                f"this user may not listen at {where}",
                "set server.port to one above 1023, and have a proxy forward to it",
            )
        case errno.EADDRNOTAVAIL:
            return PORT.error(
                f'"{host}" is not an address of this machine', "set server.host to one that is, or 0.0.0.0"
            )
        case _:
            return PORT.error(f"nothing can listen at {where}: {error.strerror}", "set server.host and port")


async def _is_runner(host: str, port: int) -> bool:
    shown = f"[{host}]" if ":" in host else host.replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - it is compared
    timeout = aiohttp.ClientTimeout(total=ANSWER_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"http://{shown}:{port}/healthz") as response,
        ):
            return response.status == 200 and (await response.content.read(16)).strip() == b"alive"
    except (aiohttp.ClientError, OSError):
        return False


def files_finding(limit: int) -> Finding:
    """How many calls the limit of open files allows."""
    calls = DescriptorShares.of(limit).calls
    text = f"{limit:,} of them allow {calls:,} calls at a time"
    if calls < FEW_CALLS:
        return OPEN_FILES.warning(text, "raise the hard limit (ulimit -Hn, LimitNOFILE)")
    return OPEN_FILES.ok(text)
