"""Finds the secrets that the configuration refers to, and rereads their files. Never shows one.

A secret is read whenever it is used. The environment's stay as they were; a changed file is read again, so
that a key or a webhook's secret can be rotated without a restart.
"""

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from runner.errors import CannotRunError
from runner.model.settings import SecretRef, Settings

log = logging.getLogger("runner.serve.secrets")

MAX_FILE_BYTES = 64 * 1024

_FileState: TypeAlias = tuple[int, int, int]


Secret: TypeAlias = Callable[[], str]
"""Returns the current value of one secret, wherever it is kept."""


def fixed_secret(value: str) -> Secret:
    """A secret that never changes while the process lives."""
    return lambda: value


class FileSecret:
    """A secret in a file, relative to the working directory, read again when the file has changed.

    Checking the file costs a system call. When the file is gone or empty, the last value stays in force, with
    one line in the log: a rotation replaces files, and no call may be lost in the middle of it.
    """

    def __init__(self, name: str) -> None:
        """Raises CannotRunError when there is no secret in it at the start."""
        self._name = name
        self._version = _version(name)
        self._value = _read_file(name)

    def __call__(self) -> str:
        """The secret as the file has it now, or had it last."""
        version = _version(self._name)
        if version != self._version:
            self._version = version
            try:
                self._value = _read_file(self._name)
            except CannotRunError as error:
                log.warning("secret keeps its last value", extra={"reason": str(error)})
            else:
                log.info("secret was reloaded", extra={"file": self._name})
        return self._value


class Secrets(Mapping[str, str]):
    """The users' secrets by the names that templates use. Its `repr` shows only the names."""

    def __init__(self, secrets: Mapping[str, Secret]) -> None:
        self._secrets = dict(secrets)

    @classmethod
    def fixed(cls, values: Mapping[str, str]) -> "Secrets":
        return cls({name: fixed_secret(value) for name, value in values.items()})

    def __getitem__(self, name: str) -> str:
        return self._secrets[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._secrets)

    def __len__(self) -> int:
        return len(self._secrets)

    def __repr__(self) -> str:
        return f"Secrets({', '.join(sorted(self._secrets))})"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSecrets:
    """Every secret that a running process needs. Each is called at each use, for its current value."""

    api_key: Secret = field(repr=False)
    webhook_secrets: Callable[[], tuple[str, ...]] = field(repr=False)
    tools: Secrets
    store: Callable[[], str | None] = field(repr=False, default=lambda: None)
    """The URL of the store, where it is a secret."""
    admin_tokens: Callable[[], Mapping[str, str]] = field(repr=False, default=dict)
    """By name."""
    browser: Secret = field(repr=False, default=str)
    """Signs the tokens of browsers' callers; empty where there is none."""

    @classmethod
    def fixed(
        cls,
        *,
        api_key: str,
        webhook_secrets: Sequence[str],
        tools: Mapping[str, str],
        admin_tokens: Mapping[str, str] | None = None,
        browser: str = "",
    ) -> "FoundSecrets":
        return cls(
            api_key=fixed_secret(api_key),
            webhook_secrets=lambda: tuple(webhook_secrets),
            tools=Secrets.fixed(tools),
            admin_tokens=lambda: admin_tokens or {},
            browser=fixed_secret(browser),
        )


def find_secrets(settings: Settings, environ: Mapping[str, str]) -> FoundSecrets:
    """Find every secret; files are relative to the working directory.

    Raises CannotRunError, which names all that are missing, with their purpose.
    """
    provider = settings.provider
    missing: list[str] = []

    def find(purpose: str, ref: SecretRef) -> Secret:
        try:
            return find_secret(ref, environ)
        except CannotRunError as error:
            missing.append(f"{error} ({purpose})")
            return fixed_secret("")

    api_key = find("provider.api_key", provider.api_key)
    webhook_secrets = [find("provider.webhook_secrets", ref) for ref in provider.webhook_secrets]
    tools = Secrets({name: find(f"secrets.{name}", ref) for name, ref in settings.secrets.items()})
    store = find("store", settings.store) if isinstance(settings.store, SecretRef) else lambda: None
    tokens = settings.server.admin.tokens if settings.server.admin is not None else {}
    admin_tokens = {name: find(f"server.admin.tokens.{name}", token.ref) for name, token in tokens.items()}
    browser = settings.server.browser.secret if settings.server.browser is not None else None
    secrets = FoundSecrets(
        api_key=api_key,
        webhook_secrets=lambda: tuple(secret() for secret in webhook_secrets),
        tools=tools,
        store=store,
        admin_tokens=lambda: {name: token() for name, token in admin_tokens.items()},
        browser=fixed_secret("") if browser is None else find("server.browser.secret", browser),
    )
    if missing:
        raise CannotRunError("; ".join(missing))
    return secrets


def find_store(settings: Settings, environ: Mapping[str, str]) -> str:
    """The URL of the store, wherever it is kept. Raises CannotRunError."""
    if not isinstance(settings.store, SecretRef):
        return settings.store
    try:
        return find_secret(settings.store, environ)()
    except CannotRunError as error:
        raise CannotRunError(f"{error} (store)") from None


def find_secret(ref: SecretRef, environ: Mapping[str, str]) -> Secret:
    """One secret. Raises CannotRunError, which says what is missing."""
    if ref.file is not None:
        return FileSecret(ref.file)
    value = environ.get(ref.env or "")
    if value is None:
        raise CannotRunError(f'environment variable "{ref.env}" is not set')
    if not _trimmed(value):
        raise CannotRunError(f'environment variable "{ref.env}" is empty')
    return fixed_secret(_trimmed(value))


def _version(name: str) -> _FileState | None:
    """Changes whenever the file does; None when it cannot be read. Includes the inode: Kubernetes changes a
    secret by putting another file in its place.
    """
    try:
        status = os.stat(name)  # noqa: PTH116 - asked at every use, and a Path would be made first
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read_file(name: str) -> str:
    """The text of a file, trimmed. Raises CannotRunError."""
    try:
        with Path(name).open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise CannotRunError(f'file "{name}" cannot be read: {reason}') from None
    if len(content) > MAX_FILE_BYTES:
        raise CannotRunError(f'file "{name}" is longer than {MAX_FILE_BYTES} bytes')
    try:
        value = _trimmed(content.decode("utf-8"))
    except UnicodeDecodeError:
        raise CannotRunError(f'file "{name}" is not UTF-8 text') from None
    if not value:
        raise CannotRunError(f'file "{name}" is empty')
    return value


def _trimmed(text: str) -> str:
    """Without what editors, `echo` and copying leave around a secret: line breaks and a byte order mark."""
    return text.strip("\r\n\ufeff")
