"""MCP servers, which the API itself asks: their readiness, the model's going on after them, approvals."""

from collections.abc import Mapping
from dataclasses import replace

from runner.call.records.record_builder import RecordBuilder
from runner.call.session.intent import GoOn, Greet, Intent
from runner.model.action import Approve, ClearTimer, SetTimer, Timer, TimerKind
from runner.model.agent import Agent
from runner.model.event import (
    ApprovalAsked,
    CallEvent,
    McpCallEnded,
    McpCallStarted,
    McpListed,
    SidebandOpened,
    TimerFired,
)
from runner.model.record import ToolUse
from runner.model.tool import McpServer
from runner.model.values import Instant

READY_S = 2.0
"""How long the greeting may wait for the servers' tools: callers take a longer silence for a dead line."""

READY = Timer(TimerKind.MCP)


class McpWatch:
    """Follows the MCP servers of an agent. The API runs their tools; we only see that it did."""

    hears = frozenset({SidebandOpened, McpListed, McpCallStarted, McpCallEnded, ApprovalAsked, TimerFired})

    def __init__(self, agent: Agent, record: RecordBuilder) -> None:
        self._servers: Mapping[str, McpServer] = {server.label: server for server in agent.mcp}
        self._record = record
        self._listed: set[str] = set()
        self._running: set[str] = set()
        self._are_late = False

    def start(self, now: Instant) -> list[Intent]:
        """Wait for the servers, but not for ever."""
        return [SetTimer(timer=READY, after_s=READY_S)]

    def handle(self, event: CallEvent, now: Instant) -> list[Intent]:
        """See the servers become ready, their tools end, and answer what wants approval."""
        match event:
            # What a server told before the sideband was open is never told again.
            case SidebandOpened() if self._all_listed or self._are_late:
                return [Greet()]
            case McpListed(item_id=item_id, ok=ok):
                if not ok:
                    self._record.faults.append("an MCP server has not told its tools")
                self._listed.add(item_id)
                return [ClearTimer(timer=READY), Greet()] if self._all_listed else []
            case TimerFired(timer=Timer(kind=TimerKind.MCP)):
                self._are_late = True
                self._record.faults.append(f"MCP servers were not ready after {READY_S:g} seconds")
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

    @property
    def _all_listed(self) -> bool:
        return len(self._listed) >= len(self._servers)

    def _started(self, started: McpCallStarted, now: Instant) -> list[Intent]:
        if started.item_id not in self._record.tools:
            self._running.add(started.item_id)
            self._record.tools[started.item_id] = ToolUse(
                name=f"{started.server}.{started.tool}",
                call_id=started.item_id,
                arguments=None,
                started_at=now,
                took_s=None,
                status="unfinished",
            )
        return []

    def _ended(self, ended: McpCallEnded, now: Instant) -> list[Intent]:
        """The model does not go on by itself after the tools of a server: it has to be asked, once."""
        use = self._record.tools.get(ended.item_id)
        if use is None or ended.item_id not in self._running:
            return []
        self._running.discard(ended.item_id)
        status = "ok" if ended.ok else "error"
        took_s = round(now - use.started_at, 3)
        self._record.tools[ended.item_id] = replace(use, took_s=took_s, status=status, attempts=1)
        return [] if self._running else [GoOn()]
