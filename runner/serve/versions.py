"""Keeps the version of the configuration for new calls, and replaces it as a whole.

A call keeps the version with which it began. What a process has opened at its start (listeners, store,
provider, egress) stays as it was until the next start, which the log says.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from runner.call.machine.world import World
from runner.config.load import load
from runner.config.problem import Severity
from runner.config.version import ConfigurationVersion
from runner.errors import PhoneAgentsError
from runner.model.settings import Configuration, Settings
from runner.model.values import Instant
from runner.serve.metrics import Metrics
from runner.serve.secrets import FoundSecrets, find_secrets
from runner.wording import plural

log = logging.getLogger("runner.serve.versions")

RELOADED = frozenset({"routing", "schedules", "secrets"})
"""The sections of runner.yaml that a reload changes, besides all that agents declare."""
MOST_PROBLEMS_LOGGED = 20


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class Version:
    """One version of the configuration, ready for calls."""

    configuration: Configuration
    secrets: FoundSecrets
    world: World
    source: ConfigurationVersion
    """What it was loaded from."""

    @classmethod
    def of(
        cls,
        configuration: Configuration,
        secrets: FoundSecrets,
        source: ConfigurationVersion | None = None,
    ) -> "Version":
        """The version of a configuration that was loaded; without `source` it has no texts of its own."""
        return cls(
            configuration=configuration,
            secrets=secrets,
            world=World.of(configuration, secrets.tools),
            source=source
            or ConfigurationVersion(directory=configuration.directory, environment=None, texts={}),
        )


class ReloadError(Exception):
    """The configuration has errors, or needs something that is missing; the one before stays in force."""

    def __init__(self, reasons: tuple[str, ...]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


class DirectorySource:
    """A configuration directory, with the environment of the process for its secrets."""

    def __init__(
        self,
        directory: Path,
        environment: str | None,
        environ: Mapping[str, str],
        adapted: Callable[[Configuration], Configuration] = lambda configuration: configuration,
    ) -> None:
        """`adapted` applies the process's own options to what the files say."""
        self._directory = directory
        self._adapted = adapted
        self._environment = environment
        self._environ = environ
        self._seen = self._fingerprint()

    def take_environ(self, environ: Mapping[str, str]) -> None:
        """Find secrets here from now on."""
        self._environ = environ

    def read(self) -> Version:
        """The configuration as it is now. Blocks. Raises ReloadError."""
        try:
            loaded = load(self._directory, self._environment)
            if loaded.configuration is None:
                errors = (each for each in loaded.problems if each.severity is Severity.ERROR)
                raise ReloadError(tuple(f"{each.place}: {each.message} [{each.rule}]" for each in errors))
            configuration = self._adapted(loaded.configuration)
            secrets = find_secrets(configuration.settings, self._environ)
        except PhoneAgentsError as error:
            raise ReloadError((str(error),)) from error
        source = ConfigurationVersion.of(loaded, self._directory, self._environment)
        return Version.of(configuration, secrets, source)

    def has_changed(self) -> bool:
        """Whether the configuration may have changed since the last call. Blocks, briefly."""
        before, self._seen = self._seen, self._fingerprint()
        return before != self._seen

    def _fingerprint(self) -> list[tuple[Path, int, int]]:
        files = []
        walked = os.walk(self._directory)  # which passes over a folder that vanishes meanwhile
        for path in sorted(Path(folder, name) for folder, *names in walked for name in chain(*names)):
            try:
                status = path.stat()
            except OSError:
                continue  # It vanished between the two looks; the next one shows what is there instead.
            files.append((path, status.st_mtime_ns, status.st_size))
        return files


class Versions:
    """The version in force. `reload` puts another in its place."""

    def __init__(
        self,
        first: Version,
        source: DirectorySource | None,
        metrics: Metrics,
        clock: Callable[[], Instant] = time.time,
    ) -> None:
        self.current = first
        self._source = source
        self._metrics = metrics
        self._clock = clock
        self._last_reload = ""
        self._lock = asyncio.Lock()
        self._show()

    @property
    def shown(self) -> str:
        """The hash of the version in force, with the time and the result of the last reload, for people."""
        return f"configuration {self.current.source.hash}{self._last_reload}"

    async def reload(self) -> Version:
        """Load the configuration beside the one in force, and let new calls have it when it is correct.

        Raises ReloadError, reported by log and metrics too; then nothing has changed.
        """
        async with self._lock:
            try:
                if self._source is None:
                    raise ReloadError(("this process has no directory to load from",))
                version = await asyncio.to_thread(self._source.read)
            except ReloadError as error:
                self._failed(f"{plural(len(error.reasons), 'error')}, in the log")
                reasons = error.reasons[:MOST_PROBLEMS_LOGGED]
                extra = {"hash": self.current.source.hash, "errors": len(error.reasons), "reasons": reasons}
                log.error("configuration was not reloaded", extra=extra)
                raise
            except Exception:
                self._failed("a bug, in the log")
                raise
            before, self.current = self.current, version
            self._metrics.reloads.labels(result="done").inc()
            self._metrics.last_reload_successful.set(1)
            now = self._clock()
            self._metrics.last_reload_at.set(now)
            self._last_reload = f", reloaded at {_utc(now)}"
            self._show()
            log.info(
                "configuration was reloaded",
                extra={"hash": version.source.hash, "agents": len(version.configuration.agents)},
            )
            if unchanged := _needs_restart(before.configuration.settings, version.configuration.settings):
                log.warning("change takes effect at the next start", extra={"sections": unchanged})
            return version

    async def watch(self, poll_s: float) -> None:
        """Reload whenever the configuration changes, looking every `poll_s` seconds. Runs until cancelled."""
        if self._source is None:
            return
        while True:
            await asyncio.sleep(poll_s)
            if await asyncio.to_thread(self._source.has_changed):
                try:
                    await self.reload()
                except ReloadError:
                    continue  # The error is in the log, and the next change may correct it.

    def _failed(self, why: str) -> None:
        self._metrics.reloads.labels(result="failed").inc()
        self._metrics.last_reload_successful.set(0)
        self._last_reload = f"; the reload at {_utc(self._clock())} failed: {why}"

    def _show(self) -> None:
        self._metrics.configuration.clear()
        self._metrics.configuration.labels(hash=self.current.source.hash).set(1)


def _utc(at: Instant) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _needs_restart(before: Settings, after: Settings) -> list[str]:
    return [
        field.name
        for field in fields(Settings)
        if field.name not in RELOADED and getattr(before, field.name) != getattr(after, field.name)
    ]
