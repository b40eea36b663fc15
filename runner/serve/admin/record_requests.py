"""Answers requests about calls that are over, and about the configuration."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TypeAlias

from aiohttp import web

from runner.call.records.day import Day
from runner.model.stored_call import CallFilter, StoredCall
from runner.model.values import Instant, JsonObject
from runner.serve.admin.app import AdminHandler, AdminRequest
from runner.serve.admin.problem import AdminProblem, not_found
from runner.serve.admin.records import (
    DEFAULT_DAY_S,
    FORMATS,
    LONGEST_DAY_S,
    Window,
    as_csv,
    cursor_after,
    filter_of,
    format_of,
    stored_call_json,
)
from runner.serve.versions import ReloadError, Versions
from runner.store.store import RecordStore

log = logging.getLogger("runner.serve.admin.records")

DAY_PAGE = 200
"""Records read at a time: other requests, and calls, have their turn in between."""
MOST_IN_A_DAY = 20_000


class NoScenarioError(Exception):
    """A call cannot be turned into a test. The text says why."""


ScenarioOf: TypeAlias = Callable[[JsonObject], str]
"""Turns the record of a call into a test as YAML. Raises NoScenarioError."""


@dataclass(slots=True, eq=False)
class RecordRequests:
    """Answers requests about records."""

    records: RecordStore
    versions: Versions
    clock: Callable[[], Instant]
    scenario_of: ScenarioOf | None = None

    def handlers(self) -> Mapping[str, AdminHandler]:
        """Handlers by the ids of the document's operations."""
        return {
            "listRecords": self.list,
            "readRecord": self.read,
            "readScenario": self.scenario,
            "readDay": self.day,
            "reload": self.reload,
        }

    async def list(self, request: AdminRequest) -> web.StreamResponse:
        """A page of calls, the newest first."""
        where = filter_of(request.arguments, self.clock())
        most = int(request.arguments["limit"])
        # One more than is shown tells whether there is another page.
        records = await self.records.find(where, most + 1)
        calls = records[:most]
        after = cursor_after(calls[-1]) if len(records) > most else None
        headers = {}
        if after is not None:
            url = request.http.rel_url.update_query(cursor=after)
            headers["Link"] = f'<{url}>; rel="next"'
        match format_of(request.arguments, request.http.headers.get("Accept", "")):
            case "csv":
                text, name = as_csv(calls), "csv"
            case "ndjson":
                # Each on one line, as stored.
                texts = await self.records.texts(where, most)
                text, name = "".join(f"{each}\n" for each in texts), "ndjson"
            case _:
                rows = list(map(asdict, calls))
                return web.json_response({"records": rows, "next": after}, headers=headers)
        headers["Content-Disposition"] = f'attachment; filename="calls.{name}"'
        return web.Response(text=text, content_type=FORMATS[name], charset="utf-8", headers=headers)

    async def read(self, request: AdminRequest) -> web.StreamResponse:
        return web.json_response(stored_call_json(await self._call(request)))

    async def scenario(self, request: AdminRequest) -> web.StreamResponse:
        """A call as a test."""
        call = await self._call(request)
        if self.scenario_of is None:
            raise AdminProblem(409, "refused", "this process cannot write scenarios")
        try:
            text = await asyncio.to_thread(self.scenario_of, call.record)
        except NoScenarioError as error:
            raise AdminProblem(409, "refused", str(error)) from None
        headers = {"Content-Disposition": 'attachment; filename="call.test.yaml"'}
        return web.Response(text=text, content_type="application/yaml", charset="utf-8", headers=headers)

    async def day(self, request: AdminRequest) -> web.StreamResponse:
        """The calls of a window, summed up."""
        window = Window.of(request.arguments, self.clock(), default_s=DEFAULT_DAY_S, longest_s=LONGEST_DAY_S)
        day = Day(window.since, window.until)
        where = CallFilter(agent=request.arguments.get("agent"), since=window.since, until=window.until)
        added = 0
        while added < MOST_IN_A_DAY:
            texts = await self.records.texts(where, DAY_PAGE)
            last = await asyncio.to_thread(_add_all, day, texts)
            added += len(texts)
            if len(texts) < DAY_PAGE or last is None:
                return web.json_response(day.as_json(is_whole=len(texts) < DAY_PAGE))
            where = replace(where, before=last)
        return web.json_response(day.as_json(is_whole=False))

    async def reload(self, request: AdminRequest) -> web.StreamResponse:
        log.info("configuration reload was requested", extra={"by": request.identity.by})
        try:
            version = await self.versions.reload()
        except ReloadError as error:
            raise AdminProblem(
                422,
                "configuration",
                "the configuration has errors; the one before stays in force",
                problems=list(error.reasons),
            ) from None
        return web.json_response({"hash": version.source.hash, "agents": len(version.configuration.agents)})

    async def _call(self, request: AdminRequest) -> StoredCall:
        call_id = str(request.arguments["id"])
        call = await self.records.read(call_id)
        if call is None:
            raise not_found(f'there is no record of a call "{call_id}"')
        return call


def _add_all(day: Day, texts: list[str]) -> tuple[Instant, str] | None:
    """Count calls; returns the last one, after which the next page begins."""
    last = None
    for text in texts:
        try:
            record = json.loads(text)
            day.add(record)
            last = float(record["created_at"]), str(record["id"])
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            continue  # An unreadable record does not count.
    return last
