"""TLS as a client: one context for all connections, and buffers that fit thousands of quiet ones."""

import ssl
from asyncio import sslproto

RECORD_BYTES = 16 * 1024
"""The largest TLS record (RFC 8446, 5.1): a connection never decrypts more than that at once."""


def client_context() -> ssl.SSLContext:
    """A context that verifies servers against the system's authorities. Share it: one costs 30 ms and 1 MB.

    `SSL_CERT_FILE` and `SSL_CERT_DIR` name other authorities, as everywhere.
    """
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def shrink_read_buffers() -> None:
    """Have asyncio keep a buffer of one record for each TLS connection, instead of 256 KiB.

    `max_size` is a class attribute of asyncio's protocol, and neither a parameter of the loop nor of the
    connection. Frames of the voice API are a few hundred bytes; larger ones are read in several turns.
    """
    sslproto.SSLProtocol.max_size = RECORD_BYTES
