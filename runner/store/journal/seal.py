"""Encrypts journals, so that a stolen database reveals nothing of a live call.

AES-256-GCM. Each process seals with a key of its own, derived (HKDF, RFC 5869) from a random salt and from
the webhook's secret, which every runner of a fleet has and the database has not. A sealed text is bound to
its call and its place in the journal, and names its secret and salt, so that a secret can rotate while calls
are live.
"""

import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import count

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from runner.errors import JournalError

_KEY_BYTES = 32
_ID_BYTES = 8
_SALT_BYTES = 16
_COUNT_BYTES = 8
_NONCE_HEAD = bytes(12 - _COUNT_BYTES)
_HEAD_BYTES = _ID_BYTES + _SALT_BYTES + _COUNT_BYTES
_PURPOSE = b"phone-agents journal"


class Seal:
    """Seals with the first of the secrets, and opens with any of them."""

    def __init__(self, secrets: Callable[[], Sequence[str]]) -> None:
        """`secrets` is called each time: a secret may rotate while the process lives."""
        self._secrets = secrets
        self._salt = os.urandom(_SALT_BYTES)
        """Of this process alone: counted nonces never repeat under its key (NIST SP 800-38D, 8.2.1)."""
        self._next_count = count(1).__next__
        self._sealer: Sealer | None = None

    def current(self) -> "Sealer":
        """Seals with the secret in force now. Get one for each batch: a secret may be a file to look at."""
        secret = self._secrets()[0]
        if self._sealer is None or self._sealer.secret != secret:
            self._sealer = Sealer(secret, self._salt, self._next_count)
        return self._sealer

    def seal(self, text: bytes, call_id: str, first_seq: int) -> bytes:
        """The encrypted text of these entries."""
        return self.current().seal(text, call_id, first_seq)

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


class Sealer:
    """Seals with one secret."""

    def __init__(self, secret: str, salt: bytes, next_count: Callable[[], int]) -> None:
        """`next_count` never returns the same number twice for one `salt`."""
        self.secret = secret
        self._head = _key_id(secret) + salt
        self._encrypt = _cipher(secret, salt).encrypt
        self._next_count = next_count

    def seal(self, text: bytes, call_id: str, first_seq: int) -> bytes:
        """The encrypted text of these entries."""
        count = self._next_count().to_bytes(_COUNT_BYTES, "big")
        return self._head + count + self._encrypt(_nonce(count), text, _place(call_id, first_seq))


def _nonce(count: bytes) -> bytes:
    return _NONCE_HEAD + count


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
