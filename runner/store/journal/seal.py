"""Encrypts journals, so that a stolen database reveals nothing of a live call.

AES-256-GCM. Each call has a key of its own, derived (HKDF, RFC 5869) from the webhook's secret, which every
runner of a fleet has and the database has not. A sealed text is bound to its call and its place in the
journal, and names its key, so that a secret can rotate while calls are live.
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
_NONCE_BYTES = 12
_PURPOSE = b"phone-agents journal"


class Seal:
    """Seals with the first of the secrets, and opens with any of them."""

    def __init__(self, secrets: Callable[[], Sequence[str]]) -> None:
        """`secrets` is called each time: a secret may rotate while the process lives."""
        self._secrets = secrets

    def seal(self, text: bytes, call_id: str, first_seq: int) -> bytes:
        """The encrypted text of these entries."""
        secret = self._secrets()[0]
        nonce = os.urandom(_NONCE_BYTES)
        return _key_id(secret) + nonce + _cipher(secret, call_id).encrypt(nonce, text, _place(first_seq))

    def open(self, sealed: bytes, call_id: str, first_seq: int) -> bytes:
        """The decrypted text. Raises JournalError when no secret fits, or the text was changed."""
        key_id, nonce = sealed[:_ID_BYTES], sealed[_ID_BYTES : _ID_BYTES + _NONCE_BYTES]
        secret = next((secret for secret in self._secrets() if _key_id(secret) == key_id), None)
        if secret is None:
            raise JournalError("the journal was sealed with a webhook secret that is not configured any more")
        try:
            return _cipher(secret, call_id).decrypt(
                nonce, sealed[_ID_BYTES + _NONCE_BYTES :], _place(first_seq)
            )
        except (InvalidTag, ValueError):
            raise JournalError("the journal was changed after it was written") from None


def _place(first_seq: int) -> bytes:
    return first_seq.to_bytes(8, "big")


@lru_cache(maxsize=16)
def _key_id(secret: str) -> bytes:
    return _derived(secret, _PURPOSE + b" key id", _ID_BYTES)


def _cipher(secret: str, call_id: str) -> AESGCM:
    """Of each call, made anew: to make one takes a microsecond, to keep one 2.4 KiB."""
    return AESGCM(_key(secret, call_id))


@lru_cache(maxsize=4096)
def _key(secret: str, call_id: str) -> bytes:
    """With a key for each call, random nonces do not repeat within its life (NIST SP 800-38D, 8.3)."""
    call = call_id.encode("utf-8", "surrogatepass")
    return _derived(secret, _PURPOSE + b" of call " + call, _KEY_BYTES)


def _derived(secret: str, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(secret.encode())
