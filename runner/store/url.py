"""The URL of a store: how it may be shown, and which files belong to it."""

from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from runner.model.settings import SecretRef


def shown_store(store: str | SecretRef) -> str:
    """The URL of a store without secrets, or where it is found."""
    return (
        str(store) if isinstance(store, SecretRef) or store.startswith("sqlite:") else without_password(store)
    )


def without_password(url: str) -> str:
    """The URL of a database without user and parameters."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


_NAMES_DATABASE = ("host", "port", "dbname", "database", "search_path")
"""Parameters of a URL that tell one database from another; the others tell how it is reached."""


def file_beside(url: str, suffix: str) -> Path | None:
    """A file for what waits for this store; None where nothing outlives the process.

    Beside the file of an SQLite store, in the working directory for a database elsewhere.
    """
    scheme, _, path = url.partition(":")
    if scheme != "sqlite":
        names = [each for each in sorted(parse_qsl(urlsplit(url).query)) if each[0] in _NAMES_DATABASE]
        name = sha256(f"{without_password(url)} {names}".encode()).hexdigest()[:8]
        return Path(f"phone-agents-{name}.{suffix}")
    return None if path == ":memory:" else Path(f"{path}.{suffix}")
