"""Encrypts journals, so that a stolen database reveals nothing of a live call.

AES-256-GCM. Each process seals with a key of its own, derived (HKDF, RFC 5869) from a random salt and from
the webhook's secret, which every runner of a fleet has and the database has not. A sealed text is bound to
its call and its place in the journal, and names its secret and salt, so that a secret can rotate while calls
are live.
"""

import os
from collections.abc import Callable, Sequence
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from runner.errors import JournalError

_KEY_BYTES = 32
_ID_BYTES = 8
_SALT_BYTES = 16
_COUNT_BYTES = 8
_NONCE_BYTES = 12
_HEAD_BYTES = _ID_BYTES + _SALT_BYTES + _COUNT_BYTES
_PURPOSE = b"phone-agents journal"


class Seal:
    """Seals with the first of the secrets, and opens with any of them."""

    def __init__(self, secrets: Callable[[], Sequence[str]]) -> None:
        """`secrets` is called each time: a secret may rotate while the process lives."""
        self._secrets = secrets
        self._salt = os.urandom(_SALT_BYTES)
        """Of this process alone: counted nonces never repeat under its key (NIST SP 800-38D, 8.2.1)."""
        self._count = 0

    def seal(self, text: bytes, call_id: str, first_seq: int) -> bytes:
        """The encrypted text of these entries."""
        secret, salt = self._secrets()[0], self._salt
        self._count += 1
        count = self._count.to_bytes(_COUNT_BYTES, "big")
        sealed = _cipher(secret, salt).encrypt(_nonce(count), text, _place(call_id, first_seq))
        return _key_id(secret) + salt + count + sealed

    def open(self, sealed: bytes, call_id: str, first_seq: int) -> bytes:
        """The decrypted text. Raises JournalError when no secret fits, or the text was changed."""
        key_id, salt = sealed[:_ID_BYTES], sealed[_ID_BYTES : _ID_BYTES + _SALT_BYTES]
        nonce = _nonce(sealed[_ID_BYTES + _SALT_BYTES : _HEAD_BYTES])
        secret = next((secret for secret in self._secrets() if _key_id(secret) == key_id), None)
        if secret is None:
            raise JournalError("the journal was sealed with a webhook secret that is not configured any more")
        try:
            return _cipher(secret, salt).decrypt(nonce, sealed[_HEAD_BYTES:], _place(call_id, first_seq))
        except (InvalidTag, ValueError):
            raise JournalError("the journal was changed after it was written") from None


def _nonce(count: bytes) -> bytes:
    return count.rjust(_NONCE_BYTES, b"\0")


def _place(call_id: str, first_seq: int) -> bytes:
    return first_seq.to_bytes(8, "big") + call_id.encode("utf-8", "surrogatepass")


@lru_cache(maxsize=16)
def _key_id(secret: str) -> bytes:
    return _derived(secret, _PURPOSE + b" key id", _ID_BYTES)


@lru_cache(maxsize=64)
def _cipher(secret: str, salt: bytes) -> AESGCM:
    return AESGCM(_derived(secret, _PURPOSE + b" of process " + salt, _KEY_BYTES))


def _derived(secret: str, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(secret.encode())
