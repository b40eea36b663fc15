"""Checks this machine: the ports, and how many calls its limit of open files allows."""

import errno
import socket
from contextlib import closing

import aiohttp

from runner.doctor.finding import Finding, Topic
from runner.serve.descriptors import DescriptorShares
from runner.serve.listen_address import url_of
from runner.serve.listener import SERVER

PORT = Topic("port")
ADMIN_PORT = Topic("admin port")
OPEN_FILES = Topic("open files")

ANSWER_S = 2.0
FEW_CALLS = 100


async def examine_port(topic: Topic, host: str, port: int, setting: str) -> Finding:
    """Whether a runner could listen, or one does already. `setting` has the `host` and the `port`."""
    where = f"{host} port {port}"
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        return topic.error(
            f'"{host}" is not an address of this machine ({error.strerror})', f"set {setting}.host"
        )
    with closing(socket.socket(family, kind, proto)) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(address)
            # Where another process listens for all addresses, binding one of them succeeds and listening
            # fails.
            listening.listen(1)
        except OSError as error:
            return await _port_in_use(topic, error, host, port, setting)
    if port == 0:
        return topic.ok(f"a free one of {host}")
    return topic.ok(f"{where} is free")


async def _port_in_use(topic: Topic, error: OSError, host: str, port: int, setting: str) -> Finding:
    where = f"{host} port {port}"
    match error.errno:
        case errno.EADDRINUSE if await _is_runner(host, port):
            return topic.ok(f"a runner listens at {where} already")
        case errno.EADDRINUSE:
            otherwise = " (or run --port)" if topic is PORT else ""
            return topic.error(
                f"another program listens at {where}", f"stop it, or set {setting}.port{otherwise}"
            )
        case errno.EACCES:
            return topic.error(
                f"this user may not listen at {where}",
                f"set {setting}.port to one above 1023, and have a proxy forward to it",
            )
        case errno.EADDRNOTAVAIL:
            return topic.error(
                f'"{host}" is not an address of this machine',
                f"set {setting}.host to one that is, or 0.0.0.0",
            )
        case _:
            return topic.error(
                f"nothing can listen at {where}: {error.strerror}", f"set {setting}.host and port"
            )


async def _is_runner(host: str, port: int) -> bool:
    name = host.replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - it is compared
    timeout = aiohttp.ClientTimeout(total=ANSWER_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url_of(name, port), allow_redirects=False) as response,
        ):
            return response.headers.get("Server") == SERVER
    except (aiohttp.ClientError, OSError):
        return False


def files_finding(limit: int) -> Finding:
    """How many calls the limit of open files allows."""
    calls = DescriptorShares.of(limit).calls
    text = f"{limit:,} of them allow {calls:,} calls at a time"
    if calls < FEW_CALLS:
        return OPEN_FILES.warning(text, "raise the hard limit (ulimit -Hn, LimitNOFILE)")
    return OPEN_FILES.ok(text)
