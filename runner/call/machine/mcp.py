"""Follows the MCP servers that the API calls: whether they are ready, approvals, and the response after a
tool call.
"""

from collections.abc import Mapping

from runner.call.machine.intent import GoOn, Greet, Intent, Part
from runner.call.machine.limits import Consumption
from runner.call.records.record_builder import RecordBuilder
from runner.model.action import Approve, ClearTimer, Log, LogEvent, LogLevel, SetTimer, Timer, TimerKind
from runner.model.agent import Agent
from runner.model.conversation_event import ApprovalAsked, McpCallEnded, McpCallStarted, McpListed
from runner.model.event import CallerConnected, CallEvent, SidebandOpened, TimerFired
from runner.model.tool import McpServer
from runner.model.values import Instant

READY_S = 2.0
"""How long the greeting may wait for the servers' tools: callers take a longer silence for a dead line."""

READY = Timer(TimerKind.MCP)

_LONGEST_CALL_S = 60.0
"""How long a tool call of the API counts as running when its end is never reported."""


class McpWatch(Part):
    """Follows the MCP servers of an agent. The API runs their tools; we only see the results."""

    hears = frozenset(
        {SidebandOpened, CallerConnected, McpListed, McpCallStarted, McpCallEnded, ApprovalAsked, TimerFired}
    )

    def __init__(self, agent: Agent, record: RecordBuilder, consumption: Consumption) -> None:
        self._servers: Mapping[str, McpServer] = {server.label: server for server in agent.mcp}
        self._record = record
        self._consumption = consumption
        self._known: set[str] = set()
        self._listed: set[str] = set()
        self._running: dict[str, str] = {}
        """The names of the tools that run, by item."""
        self._run_until: Instant = 0.0
        """When all of them have ended, at the latest."""
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
                entries = [] if ok else self._not_ready("an MCP server has not listed its tools")
                self._listed.add(item_id)
                return [*entries, ClearTimer(timer=READY), Greet()] if self._all_listed else entries
            case TimerFired(timer=Timer(kind=TimerKind.MCP)):
                self._are_late = True
                late = self._not_ready(f"MCP servers were not ready after {READY_S:g} seconds")
                return [*late, Greet()]
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

    def is_at_work(self, now: Instant) -> bool:
        """Whether the API runs a tool: the model goes on after it."""
        return bool(self._running) and now < self._run_until

    @property
    def _all_listed(self) -> bool:
        return len(self._listed) >= len(self._servers)

    def _started(self, started: McpCallStarted, now: Instant) -> list[Intent]:
        if started.item_id not in self._known:
            self._known.add(started.item_id)
            self._consumption.tool_calls += 1
            name = f"{started.server}.{started.tool}"
            self._running[started.item_id] = name
            self._run_until = now + _LONGEST_CALL_S
            self._record.tool_began(started.item_id, name, None, now)
        return []

    def _ended(self, ended: McpCallEnded, now: Instant) -> list[Intent]:
        """The model does not continue by itself after a server's tools: ask it once."""
        if ended.item_id not in self._running:
            return []
        name = self._running.pop(ended.item_id)
        result = "ok" if ended.ok else "error"
        self._record.tool_ended(ended.item_id, result, now)
        entry = Log(
            event=LogEvent.MCP_CALL_ENDED,
            level=LogLevel.INFO if ended.ok else LogLevel.WARNING,
            fields={"tool": name, "result": result},
        )
        return [entry] if self._running else [entry, GoOn()]

    def _not_ready(self, detail: str) -> list[Intent]:
        self._record.fault(detail)
        labels = ", ".join(self._servers)
        fields = {"servers": labels, "detail": detail}
        return [Log(event=LogEvent.MCP_NOT_READY, level=LogLevel.WARNING, fields=fields)]
