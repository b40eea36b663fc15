"""Encrypts journals, so that a stolen database reveals nothing of a live call, nor of one that is over.

AES-256-GCM. Each journal has a random key of its own, which is in its first piece: with that piece the whole
journal is deleted, wherever the others are. The first piece is sealed with a key of this process, derived
(HKDF, RFC 5869) from a random salt and from the webhook's secret, which every runner of a fleet has and the
database has not. It names its secret and salt, so that a secret can rotate while calls are live. Each piece
is bound to its call and its place in the journal.
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
from runner.store.journal.sealed import SealedEntries

_KEY_BYTES = 32
_ID_BYTES = 8
_SALT_BYTES = 16
_COUNT_BYTES = 8
_NONCE_BYTES = 12
_SHARE_BYTES = 6
"""Of a process's salt in the nonces under the keys of journals."""
_NONCE_HEAD = bytes(_NONCE_BYTES - _COUNT_BYTES)
_HEAD_BYTES = _ID_BYTES + _SALT_BYTES + _COUNT_BYTES
_PURPOSE = b"phone-agents journal"

_CHANGED = "it was changed or damaged after it was written"
_SEALED_OTHERWISE = (
    "it was sealed with a webhook secret that is not configured any more; keep an old secret in"
    " provider.webhook_secrets until the calls that began under it are over"
)


class JournalKey:
    """The key of one call's journal."""

    __slots__ = ("raw",)

    def __init__(self, key: bytes | None = None) -> None:
        """A new key, or one that was read from the journal's first piece."""
        self.raw = os.urandom(_KEY_BYTES) if key is None else key

    def open_all(self, pieces: Sequence[SealedEntries]) -> list[bytes]:
        """Decrypt pieces of one journal. Raises JournalError when one was changed, or is of another."""
        decrypt = AESGCM(self.raw).decrypt
        try:
            return [
                decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _place(call_id, first_seq))
                for call_id, first_seq, sealed in pieces
            ]
        except (InvalidTag, ValueError):
            raise JournalError(_CHANGED) from None


class Seal:
    """Seals the first pieces of journals with the first of the secrets, and opens them with any."""

    def __init__(self, secrets: Callable[[], Sequence[str]]) -> None:
        """`secrets` is called each time: a secret may rotate, and may be a file to look at."""
        self._secrets = secrets
        self._salt = os.urandom(_SALT_BYTES)
        """Of this process alone: counted nonces never repeat under its key (NIST SP 800-38D, 8.2.1)."""
        self._share = self._salt[:_SHARE_BYTES]
        self._next_count = count(1).__next__

    def seal(self, key: JournalKey, text: bytes, call_id: str) -> bytes:
        """Encrypt the key of a journal, and its first entries."""
        secret = self._secrets()[0]
        number = self._next_count().to_bytes(_COUNT_BYTES, "big")
        sealed = _cipher(secret, self._salt).encrypt(_nonce(number), key.raw + text, _place(call_id, 0))
        return _key_id(secret) + self._salt + number + sealed

    def seal_more(self, key: JournalKey, text: bytes, call_id: str, first_seq: int) -> bytes:
        """Encrypt entries behind the first piece."""
        # Several processes may write under one key, one after the other: their nonces differ by their salts.
        nonce = self._share + self._next_count().to_bytes(_NONCE_BYTES - _SHARE_BYTES, "big")
        # A cipher that is kept takes each call 2.6 KiB, and saves a microsecond.
        return nonce + AESGCM(key.raw).encrypt(nonce, text, _place(call_id, first_seq))

    def open(self, sealed: bytes, call_id: str) -> tuple[JournalKey, bytes]:
        """Decrypt a first piece: the key of the journal, and its first entries.

        Raises JournalError when no secret fits, or the piece was changed.
        """
        key_id, salt = sealed[:_ID_BYTES], sealed[_ID_BYTES : _ID_BYTES + _SALT_BYTES]
        nonce = _nonce(sealed[_ID_BYTES + _SALT_BYTES : _HEAD_BYTES])
        secret = next((secret for secret in self._secrets() if _key_id(secret) == key_id), None)
        if secret is None:
            raise JournalError(_SEALED_OTHERWISE)
        try:
            text = _cipher(secret, salt).decrypt(nonce, sealed[_HEAD_BYTES:], _place(call_id, 0))
        except (InvalidTag, ValueError):
            raise JournalError(_CHANGED) from None
        return JournalKey(text[:_KEY_BYTES]), text[_KEY_BYTES:]


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
