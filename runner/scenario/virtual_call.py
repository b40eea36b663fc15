"""One call in virtual time: its machine, with a voice API and endpoints that answer as the scenario says.

The API's events, the machine's timers and the endpoints' replies share one virtual time, which passes only
where something waits for it. Everything observable goes into the call's log.
"""

from collections import Counter, deque
from collections.abc import Mapping
from typing import assert_never

from runner.api.port import Order, SidebandAction, VoiceApi
from runner.call.machine.call_counts import CallCounts
from runner.call.machine.machine import CallMachine
from runner.call.machine.world import World
from runner.model.action import (
    LOOKUP,
    Action,
    ClaimCall,
    ClearTimer,
    Finish,
    Log,
    OpenSideband,
    Refer,
    SendOutput,
    SendRequest,
    SetTimer,
    Timer,
)
from runner.model.call import Ringing, WebRtcOrigin
from runner.model.conversation_event import ToolCalled
from runner.model.event import (
    CallerConnected,
    CallEvent,
    ClaimReplied,
    Limit,
    Replied,
    SidebandLost,
    SidebandOpened,
    Steered,
    TakenOver,
    TimerFired,
)
from runner.model.scenario import Replies, Scenario, TransferEnd
from runner.model.steering import SteeringAct
from runner.model.tool import Tool, TransferBinding
from runner.model.values import Instant, Json
from runner.scenario.call_log import LogEntry, LoggedAttempt, LogKind, Noted, entry_of
from runner.scenario.coverage import UseRecorder
from runner.scenario.observation import answered_call, rejected_call
from runner.scenario.replies import ExampleReply, McpReply, mcp_reply, reply_to
from runner.scenario.transfers import PlayedTransfers
from runner.scenario.virtual_api import VirtualApi
from runner.standin.flows import Flows, VirtualTime

PERSON = "scenario"
"""The name under which people act."""


class VirtualCall:
    """One call, from its ring to its end."""

    def __init__(self, scenario: Scenario, world: World, api: VoiceApi) -> None:
        self.log: list[LogEntry] = []
        """Everything that has happened so far."""
        self.uses = UseRecorder()
        self._replies: Mapping[str, Replies] = scenario.replies
        self._scenario = scenario
        self._time = VirtualTime()
        self.api = VirtualApi(api, self._time, scenario.call_id)
        self._events: Flows[CallEvent] = Flows(self._time)
        """Timers, and events that do not come from the API."""
        self._answers: deque[CallEvent] = deque()
        """Direct answers that the machine has not got yet."""
        self._counts = _call_counts(scenario)
        self._tools: dict[str, tuple[str, Tool | None]] = {}
        """The model's tool calls by id: a name, and the tool where there is one."""
        self._transfers = PlayedTransfers()
        self._acts = 0
        self._world = world
        self._ringing = Ringing(call_id=scenario.call_id, created_at=scenario.at, origin=scenario.origin)
        self._lived: list[tuple[Instant, CallEvent]] = []
        """The journal: all that the machine was told since it rang."""
        self._attempts: Counter[str] = Counter()
        """How often requests of each tool were sent in this step."""
        self.machine, actions = CallMachine.ring(self._ringing, world, scenario.at)
        if self.machine.reception.placement.match is not None:
            self.uses.matched(self.machine.reception.placement.match)
        self._do(actions)

    @property
    def now(self) -> Instant:
        """The instant of the call."""
        return self._scenario.at + self._time.now_s

    @property
    def is_over(self) -> bool:
        """Whether the call has ended, or was rejected."""
        return self.machine.is_over

    def observed(self) -> dict[str, Json]:
        """The observations of the call as it stands now."""
        session = self.machine.session
        if session is None:
            reception = self.machine.reception
            return rejected_call(reception.rejected_with or 0, reception.detail)
        return answered_call(session, self.api.accept_body, is_over=self.is_over)

    def mcp_reply(self, name: str) -> McpReply | None:
        """The answer of an MCP server's tool; None for another tool.

        Raises UnplayableError.
        """
        agent = self.machine.agent
        server = name.partition(".")[0]
        if agent is None or agent.tool(name) is not None or server not in {one.label for one in agent.mcp}:
            return None
        return mcp_reply(name, self._next_attempt(name), self._replies)

    def lose_sideband(self) -> None:
        """The sideband is lost, and the call continues."""
        self.api.call.detach()
        self.happen(SidebandLost())

    def reopen_sideband(self) -> None:
        """The sideband that was lost is open again."""
        if self.api.attach():
            self.happen(SidebandOpened())

    def restart(self) -> None:
        """The runner is killed; another has the journal, and takes the call over at once."""
        self.api.call.detach()
        self._events = Flows(self._time)
        self._answers.clear()
        self.machine = CallMachine.replay(self._ringing, self._scenario.at, self._lived, self._world)
        for timer, at in sorted(self.machine.timers.items(), key=lambda each: each[1]):
            self._later(TimerFired(timer=timer), at - self.now, timer)
        self.happen(TakenOver())

    def steer(self, act: SteeringAct, transfer_end: TransferEnd) -> None:
        """A person acts on the call; `transfer_end` is how a transfer ends."""
        self._transfers.of_person(transfer_end)
        self._acts += 1
        self.happen(Steered(id=f"act_{self._acts}", by=PERSON, act=act))

    def answer_with(self, replies: Mapping[str, Replies]) -> None:
        """What requests and transfers are answered with from now on: lists begin anew."""
        self._replies = replies
        self._attempts.clear()

    # What follows from it

    def advance(self, until_s: float | None = None) -> bool:
        """Let the next thing happen that is due by then (by now); False when nothing is."""
        if self.is_over:
            return False
        if self._answers:
            self.happen(self._answers.popleft())
        elif (events := self.api.next(follow_words=self.machine.follows_words)) is not None:
            for coming in events:
                self.happen(coming)
        elif (event := self._events.step()) is not None:
            self.happen(event)
        else:
            due = [each.due_s() for each in (self.api.call, self._events)]
            due_s = min((each for each in due if each is not None), default=None)
            if due_s is None or due_s > (self.elapsed_s if until_s is None else until_s):
                return False
            self._time.now_s = due_s
        return True

    @property
    def elapsed_s(self) -> float:
        """Virtual seconds since the call began to ring."""
        return self._time.now_s

    def move_to(self, elapsed_s: float) -> None:
        """Let time pass in which nothing is due."""
        self._time.now_s = max(self._time.now_s, elapsed_s)

    def happen(self, event: CallEvent) -> None:
        """The one way into the machine."""
        if self.is_over:
            return
        agent = self.machine.agent
        if isinstance(event, ToolCalled) and agent is not None and event.call_id not in self._tools:
            tool = agent.tool(event.name)
            self._tools[event.call_id] = event.name, tool
            if tool is not None and isinstance(tool.binding, TransferBinding):
                self._transfers.called(event, tool.binding)
        self._lived.append((self.now, event))
        actions = self.machine.handle(event, self.now)
        if agent is not None:
            self.uses.handled(event, agent, actions)
        self._do(actions)

    # The machine's actions

    def _do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case _ if isinstance(action, SidebandAction):
                    if self.api.send(action):
                        self._log(action)
                case SetTimer(timer=timer, at=at):
                    self._events.stop(timer)
                    self._later(TimerFired(timer=timer), at - self.now, timer)
                case ClearTimer(timer=timer):
                    self._events.stop(timer)
                case SendRequest():
                    self._request(action)
                case _ if isinstance(action, Order):
                    self._order(action)
                case ClaimCall():
                    self._claim(action)
                case OpenSideband():
                    self.api.attach()
                    self._answers += self._opened()
                case Finish():
                    self._finish()
                case Log():
                    pass
                case _:
                    assert_never(action)

    def _opened(self) -> list[CallEvent]:
        """A browser's media are connected at once: nothing waits here."""
        opened: list[CallEvent] = [SidebandOpened()]
        is_from_browser = isinstance(self._scenario.origin, WebRtcOrigin)
        return [*opened, CallerConnected()] if is_from_browser else opened

    def _later(self, event: CallEvent, after_s: float, owner: Timer | None = None) -> None:
        self._events.start(iter((max(0.0, float(after_s)), event)), owner)

    def _log(self, action: SidebandAction) -> None:
        """Log what the API has accepted; what it refuses has not happened."""
        if isinstance(action, SendOutput):
            self._transfers.answered(action.call_id)
        session = self.machine.session
        names = {call_id: name for call_id, (name, _) in self._tools.items()}
        entry = entry_of(action, names, session.texts.instructions if session is not None else "")
        if entry is not None:
            self.log.append(entry)

    def _request(self, send: SendRequest) -> None:
        tool = self._tools[send.call_id][1] if send.call_id in self._tools else None
        key = LOOKUP if tool is None else send.call_id
        self.log.append(LoggedAttempt(key, send.tool, send.request))
        example = ExampleReply(tool.result.example) if tool is not None and tool.result.has_example else None
        attempt = self._next_attempt(send.tool, at_least=send.attempt)
        reply = reply_to(send.request, send.tool, attempt, self._replies, example)
        self._later(Replied(call_id=send.call_id, attempt=send.attempt, reply=reply), reply.took_s)

    def _next_attempt(self, tool: str, *, at_least: int = 1) -> int:
        """The place of an attempt among those of this step, or of its request where that began before."""
        self._attempts[tool] += 1
        return max(self._attempts[tool], at_least)

    def _order(self, order: Order) -> None:
        if isinstance(order, Refer):
            self._refer(order)
        self._answers.append(self.api.carry_out(order, self.now))

    def _refer(self, refer: Refer) -> None:
        self.log.append(Noted(LogKind.TRANSFER, refer.target))
        self.api.end_transfer(self._transfers.next_end(self._replies))
        if self._transfers.current is not None and self.machine.agent is not None:
            self.uses.referred(self.machine.agent, *self._transfers.current)

    def _claim(self, claim: ClaimCall) -> None:
        claimed = self._counts.claim(claim, self._scenario.at)
        reached = claimed if isinstance(claimed, Limit) else None
        if reached is not None:
            self.uses.no_room(claim.agent, reached)
        self._answers.append(ClaimReplied(agent=claim.agent, reached=reached))

    def _finish(self) -> None:
        session = self.machine.session
        if session is not None:
            reason = session.builder.ended
            self.log.append(Noted(LogKind.END, reason))
            self.uses.ended(session.agent, reason)


def _call_counts(scenario: Scenario) -> CallCounts:
    counts = CallCounts()
    counts.remember(scenario.calls_today, scenario.at)
    for agent, number in scenario.live_calls.items():
        for _ in range(number):
            counts.take(agent, scenario.at)
    return counts
