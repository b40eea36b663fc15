"""Finds the secrets that the configuration refers to. Never shows one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runner.errors import CannotRunError
from runner.model.settings import SecretRef, Settings

MAX_FILE_BYTES = 64 * 1024


class Secrets(Mapping[str, str]):
    """The users' secrets by the names that templates use. Its text shows the names only."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Secrets({', '.join(sorted(self._values))})"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSecrets:
    """Every secret that a running process needs."""

    api_key: str = field(repr=False)
    webhook_secrets: tuple[str, ...] = field(repr=False)
    tools: Secrets


def find_secrets(settings: Settings, environ: Mapping[str, str]) -> FoundSecrets:
    """Read every secret; files are relative to the working directory.

    CannotRunError names all that are missing at once, and what each is for.
    """
    provider = settings.provider
    missing: list[str] = []

    def find(purpose: str, ref: SecretRef) -> str:
        try:
            return _read(ref, environ)
        except _MissingError as error:
            missing.append(f"{error} ({purpose})")
            return ""

    found = FoundSecrets(
        api_key=find("provider.api_key", provider.api_key),
        webhook_secrets=tuple(find("provider.webhook_secrets", ref) for ref in provider.webhook_secrets),
        tools=Secrets({name: find(f"secrets.{name}", ref) for name, ref in settings.secrets.items()}),
    )
    if missing:
        raise CannotRunError("; ".join(missing))
    return found


class _MissingError(Exception):
    """Says where a secret was looked for and what was found instead."""


def _read(ref: SecretRef, environ: Mapping[str, str]) -> str:
    if ref.file is not None:
        return _read_file(ref.file)
    value = environ.get(ref.env or "")
    if not value:
        raise _MissingError(f'environment variable "{ref.env}" is {"not set" if value is None else "empty"}')
    return value


def _read_file(name: str) -> str:
    """The text without the line end that editors and `echo` leave behind."""
    try:
        with Path(name).open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise _MissingError(f'file "{name}" cannot be read: {reason}') from None
    if len(content) > MAX_FILE_BYTES:
        raise _MissingError(f'file "{name}" is longer than {MAX_FILE_BYTES} bytes')
    try:
        value = content.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise _MissingError(f'file "{name}" is not UTF-8 text') from None
    if not value:
        raise _MissingError(f'file "{name}" is empty')
    return value
