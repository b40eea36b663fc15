"""Follows the live calls of the other runners, each by the event stream of its admin API."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping

from runner.serve.admin.call_rows import CallRows
from runner.serve.admin.peers import AdminPeers, PeerError

log = logging.getLogger("runner.serve.admin.other_runners")

RUNNERS_S = 2.0
"""Between two looks for other runners."""


class OtherRunners:
    """Follows the calls of the other runners while there are readers."""

    def __init__(
        self, peers: AdminPeers | None, rows: CallRows, headers: Callable[[], Mapping[str, str]]
    ) -> None:
        """Their calls are put into `rows`. `headers` are those of requests to them, in a reader's name.

        Without `peers` there are no others.
        """
        self._peers = peers
        self._rows = rows
        self._headers = headers
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._first_words: dict[str, asyncio.Event] = {}
        self._known: tuple[str, ...] = ()
        self._missing: set[str] = set()
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()

    @property
    def runners(self) -> list[str]:
        """The runners that are followed."""
        return list(self._known)

    @property
    def missing(self) -> list[str]:
        """The runners that do not send their calls."""
        return sorted(self._missing)

    async def look(self) -> None:
        """Follow runners that have joined, and drop those that have left."""
        async with self._looking:
            now = asyncio.get_running_loop().time()
            if self._peers is not None and now - self._looked_at >= RUNNERS_S:
                self._looked_at = now
                await self._look(self._peers)

    async def _look(self, peers: AdminPeers) -> None:
        others = {each.id: each.address for each in await peers.others()}
        for runner in self._tasks.keys() - others.keys():
            await _cancel(self._tasks.pop(runner))
            self._first_words.pop(runner, None)
        for runner in set(self._known) - others.keys():
            self._rows.replace(runner, {})
        if tuple(others) != self._known:
            self._known = tuple(others)
            self._missing &= others.keys()
            self._rows.runners_changed()
        for runner, address in others.items():
            task = self._tasks.get(runner)
            if address is None:
                self._note_missing(runner)
            elif task is None or task.done():
                self._first_words.setdefault(runner, asyncio.Event())
                following = self._follow(peers, runner, address)
                self._tasks[runner] = asyncio.create_task(following, name=f"calls of {runner}")

    async def wait(self) -> None:
        """Wait until each of them has sent its calls or cannot be reached. A late one is missing."""
        try:
            for event in list(self._first_words.values()):
                await event.wait()
        finally:
            for runner, event in self._first_words.items():
                if not event.is_set():
                    self._note_missing(runner)

    async def close(self) -> None:
        self._looked_at = float("-inf")
        tasks, self._tasks = self._tasks, {}
        self._first_words.clear()
        await _cancel(*tasks.values())

    async def _follow(self, peers: AdminPeers, runner: str, address: str) -> None:
        first = self._first_words[runner]
        try:
            async for event in peers.follow(address, self._headers(), {}):
                data = json.loads(event.data)
                match event.name:
                    case "snapshot":
                        self._rows.replace(runner, {row["id"]: row for row in data["calls"]})
                        self._note_present(runner)
                        first.set()
                    case "calls":
                        for row in data["calls"]:
                            self._rows.put(row)
                    case "gone":
                        self._rows.remove(runner, data)
                    case _:
                        pass
        except (PeerError, ValueError, KeyError, TypeError) as error:
            log.info(
                "calls of another runner are not followed", extra={"runner": runner, "reason": str(error)}
            )
            self._note_missing(runner)
            first.set()

    def _note_missing(self, runner: str) -> None:
        if runner not in self._missing:
            self._missing.add(runner)
            self._rows.runners_changed()

    def _note_present(self, runner: str) -> None:
        if runner in self._missing:
            self._missing.discard(runner)
            self._rows.runners_changed()


async def _cancel(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
