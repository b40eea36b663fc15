"""Where a listener listens: opens its port, with errors that say what would help, and knows its URL."""

import errno
import socket

from runner.errors import CannotRunError
from runner.serve.addresses import is_loopback, parsed
from runner.serve.listener import Listener


async def open_port(listener: Listener, host: str, port: int, backlog: int, option: str) -> tuple[str, int]:
    """Open the port; returns the host and port in use. `option` names the setting for another port.

    Raises CannotRunError.
    """
    try:
        return await listener.listen(host, port, backlog)
    except socket.gaierror as error:
        raise CannotRunError(f'host "{host}" cannot be resolved; write an address of this machine') from error
    except OSError as error:
        raise CannotRunError(_cannot_listen(host, port, option, error)) from error


def url_of(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def peer_url(declared: str | None, host: str, port: int) -> str:
    """The URL at which other runners reach a listener with this host and port. Blocks."""
    if declared is not None:
        return declared
    address = parsed(host)
    is_any = address is not None and address.is_unspecified
    return url_of(_own_name() if is_any else host, port)


def _own_name() -> str:
    """The address of this machine; its name where the address is only a loopback's, as on Debian.

    A pod's name means nothing outside the pod, but its address does.
    """
    name = socket.gethostname()
    try:
        address = socket.gethostbyname(name)
    except OSError:
        return name
    return name if is_loopback(address) else address


def _cannot_listen(host: str, port: int, option: str, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f'port {port} of "{host}" is in use; choose another with {option}'
        case errno.EACCES | errno.EPERM:
            return f"port {port} may not be opened by this user; choose one above 1023"
        # From Python 3.13 on, asyncio skips addresses of other machines and finally names no errno.
        case errno.EADDRNOTAVAIL | None:
            return (
                f'"{host}" is not an address of this machine; write one in {option.replace("port", "host")}'
            )
        case _:
            return f'"{host}" port {port} cannot be opened: {error.strerror or error}'
