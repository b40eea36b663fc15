"""One version of a configuration: the texts that it was read from, and a hash that names it.

A call continues under the version with which it began, whichever process serves it; so a version can be
loaded from its texts alone, on a machine with another one in its directory.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from runner.config.load import load
from runner.config.loaded import Loaded
from runner.config.reading.files import is_scenarios


@dataclass(frozen=True, kw_only=True)
class ConfigurationVersion:
    """The texts of a configuration. Equal texts have an equal hash, on any machine.

    Without slots, since the hash is kept: each new call asks for it, and the texts may be megabytes.
    """

    directory: str
    """As given: places name their files by it."""
    environment: str | None
    texts: Mapping[str, str] = field(repr=False)
    """Each file that was read, except scenarios, by the name that places use."""

    @cached_property
    def hash(self) -> str:
        """Sixteen hexadecimal digits."""
        return sha256(self.encoded()).hexdigest()[:16]

    def encoded(self) -> bytes:
        """The version as one text, always the same for the same version."""
        parts = [self.directory, self.environment, dict(sorted(self.texts.items()))]
        return json.dumps(parts, separators=(",", ":")).encode()

    @classmethod
    def decoded(cls, encoded: bytes) -> "ConfigurationVersion":
        """Read the version that `encoded` wrote."""
        directory, environment, texts = json.loads(encoded)
        return cls(directory=directory, environment=environment, texts=texts)

    @classmethod
    def of(cls, loaded: Loaded, directory: Path, environment: str | None) -> "ConfigurationVersion":
        """The version that was loaded from this directory."""
        texts = {name: text for name, text in loaded.sources.items() if not is_scenarios(name)}
        return cls(directory=directory.as_posix(), environment=environment, texts=texts)

    def load(self) -> Loaded:
        """Load the version again, from its texts alone."""
        texts = {name: text.encode() for name, text in self.texts.items()}
        return load(Path(self.directory), self.environment, texts, is_whole=True)
