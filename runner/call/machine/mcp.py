"""Follows the MCP servers that the API calls: whether they are ready, approvals, and the response after a
tool call.
"""

from collections.abc import Mapping

from runner.call.machine.consumption import Consumption
from runner.call.machine.intent import GoOn, Greet, Intent
from runner.call.records.record_builder import RecordBuilder
from runner.model.action import Approve, ClearTimer, SetTimer, Timer, TimerKind
from runner.model.agent import Agent
from runner.model.event import (
    ApprovalAsked,
    CallerConnected,
    CallEvent,
    McpCallEnded,
    McpCallStarted,
    McpListed,
    SidebandOpened,
    TimerFired,
)
from runner.model.tool import McpServer
from runner.model.values import Instant

READY_S = 2.0
"""How long the greeting may wait for the servers' tools: callers take a longer silence for a dead line."""

READY = Timer(TimerKind.MCP)


class McpWatch:
    """Follows the MCP servers of an agent. The API runs their tools; we only see the results."""

    hears = frozenset(
        {
            SidebandOpened,
            CallerConnected,
            McpListed,
            McpCallStarted,
            McpCallEnded,
            ApprovalAsked,
            TimerFired,
        }
    )

    def __init__(self, agent: Agent, record: RecordBuilder, consumption: Consumption) -> None:
        self._servers: Mapping[str, McpServer] = {server.label: server for server in agent.mcp}
        self._record = record
        self._consumption = consumption
        self._known: set[str] = set()
        self._listed: set[str] = set()
        self._running: set[str] = set()
        self._are_late = False

    def start(self, now: Instant) -> list[Intent]:
        """Wait for the servers, for a limited time."""
        return [SetTimer(timer=READY, at=now + READY_S)]

    def handle(self, event: CallEvent, now: Instant) -> list[Intent]:
        """Handle servers that become ready, tools that end, and approvals."""
        match event:
            # What a server reported before the sideband was open is not repeated.
            case SidebandOpened() | CallerConnected() if self._all_listed or self._are_late:
                return [Greet()]
            case TimerFired(timer=Timer(kind=TimerKind.CONNECTED)) if self._all_listed or self._are_late:
                return [Greet()]
            case McpListed(item_id=item_id, ok=ok):
                if not ok:
                    self._record.fault("an MCP server has not listed its tools")
                self._listed.add(item_id)
                return [ClearTimer(timer=READY), Greet()] if self._all_listed else []
            case TimerFired(timer=Timer(kind=TimerKind.MCP)):
                self._are_late = True
                self._record.fault(f"MCP servers were not ready after {READY_S:g} seconds")
                return [Greet()]
            case McpCallStarted():
                return self._started(event, now)
            case McpCallEnded():
                return self._ended(event, now)
            case ApprovalAsked(request_id=request_id, server=label, tool=tool):
                server = self._servers.get(label)
                approved = server is not None and tool in server.approved
                return [Approve(request_id=request_id, approved=approved)]
            case _:
                return []

    def stop(self, now: Instant) -> list[Intent]:
        """The next agent has servers of its own."""
        return [ClearTimer(timer=READY)]

    @property
    def _all_listed(self) -> bool:
        return len(self._listed) >= len(self._servers)

    def _started(self, started: McpCallStarted, now: Instant) -> list[Intent]:
        if started.item_id not in self._known:
            self._known.add(started.item_id)
            self._running.add(started.item_id)
            self._consumption.tool_calls += 1
            name = f"{started.server}.{started.tool}"
            self._record.tool_began(started.item_id, name, None, now)
        return []

    def _ended(self, ended: McpCallEnded, now: Instant) -> list[Intent]:
        """The model does not continue by itself after a server's tools: ask it once."""
        if ended.item_id not in self._running:
            return []
        self._running.discard(ended.item_id)
        self._record.tool_ended(ended.item_id, "ok" if ended.ok else "error", now, attempts=1)
        return [] if self._running else [GoOn()]
