"""One call on virtual time: the machine, the port, and behind it the stand-in for the voice API.

What the machine wants done goes through the port to the stand-in, as requests and frames; what the stand-in
sends comes back through the port as events. The stand-in's flows, the machine's timers and the replies of
endpoints share one virtual time, which passes only where something is waited for. Caller and model take no
time; what the model is left to say it thinks about until a step tells it.
"""

import json
from collections import deque
from collections.abc import Mapping
from typing import assert_never

from runner.api.port import Order, VoiceApi
from runner.call.machine.call_counts import CallCounts
from runner.call.machine.machine import CallMachine
from runner.call.machine.reception import LOOKUP
from runner.call.machine.world import World
from runner.model.action import (
    Action,
    AddItem,
    AnswerCall,
    Approve,
    ClaimCall,
    ClearTimer,
    Finish,
    HangUp,
    Interrupt,
    Log,
    OpenSideband,
    Refer,
    RejectCall,
    SendOutput,
    SendRequest,
    SetTimer,
    Speak,
    SwitchAgent,
    Timer,
)
from runner.model.call import Ringing, origin_over
from runner.model.event import (
    CallEvent,
    CallGone,
    ClaimReplied,
    Limit,
    Replied,
    SidebandLost,
    SidebandOpened,
    TimerFired,
    ToolCalled,
)
from runner.model.http import HttpReply
from runner.model.scenario import Replies, Scenario, TransferEnd
from runner.model.tool import Tool, TransferBinding
from runner.model.values import Instant, Json
from runner.scenario.call_log import Attempt, End, Handoff, Instruction, LogEntry, Output, Referral, Sentence
from runner.scenario.coverage import UseRecorder
from runner.scenario.observation import answered_call, rejected_call
from runner.scenario.replies import Example, McpReply, mcp_reply, reply_to
from runner.scenario.transfers import Transfers
from runner.standin.conversation import Conversation
from runner.standin.faults import ReferEffect
from runner.standin.flows import Flows, VirtualTime
from runner.standin.outgoing import CloseSideband, EndCall, Outgoing
from runner.standin.pace import AT_ONCE, Pace
from runner.standin.placed_call import PlacedCall, State
from runner.standin.response import Response
from runner.standin.script import Occasion, Says, ScriptedResponse, Step, Tokens

CALL_ID = "rtc_scenario"
NO_TOKENS = Tokens()
SAYS_NOTHING = ScriptedResponse(output=(Says(text=""),), to=Occasion.ANY, tokens=NO_TOKENS)
"""The model's own words, where no step tells them."""


class VirtualCall:
    """One call, from its ring to its end."""

    def __init__(self, scenario: Scenario, world: World, api: VoiceApi) -> None:
        self.log: list[LogEntry] = []
        """All that has happened so far."""
        self.uses = UseRecorder()
        self.replies: Mapping[str, Replies] = scenario.replies
        """What requests and transfers are answered with from now on."""
        self._scenario = scenario
        self._api = api
        self._sideband = api.conversation(CALL_ID)
        self._time = VirtualTime()
        self._events: Flows[CallEvent] = Flows(self._time)
        """Timers, and what else comes to the machine from elsewhere than the API."""
        self._placed = PlacedCall(CALL_ID, short_id="", pace=AT_ONCE, improvises=False, time=self._time)
        self._answers: deque[CallEvent] = deque()
        """What answers the machine directly, and it has not been told yet."""
        self._is_opening = False
        self._counts = _call_counts(scenario)
        self._tools: dict[str, tuple[str, Tool | None]] = {}
        """What the model has called, by the id of the call: a name, and the tool where there is one."""
        self._transfers = Transfers()
        origin = origin_over(scenario.transport, scenario.headers)
        ringing = Ringing(call_id=CALL_ID, created_at=scenario.at, origin=origin)
        self.machine, actions = CallMachine.ring(ringing, world, scenario.at)
        if self.machine.reception.match is not None:
            self.uses.matched(self.machine.reception.match)
        self._do(actions)

    @property
    def now(self) -> Instant:
        """The moment of the call."""
        return self._scenario.at + self._time.now_s

    @property
    def is_over(self) -> bool:
        """Whether the call has ended, or was turned away."""
        return self.machine.is_over

    @property
    def conversation(self) -> Conversation | None:
        """The API's side of the call, once it was answered."""
        return self._placed.conversation

    @property
    def playing(self) -> Response | None:
        """The response that the caller hears just now."""
        return self.conversation.playing if self.conversation is not None else None

    @property
    def playing_since_s(self) -> float:
        """When the caller began to hear it, in virtual seconds."""
        return self.conversation.playing_since_s if self.conversation is not None else 0.0

    @property
    def is_mute(self) -> bool:
        """Whether nothing comes from the API, whatever it is sent."""
        return self._placed.is_mute

    @is_mute.setter
    def is_mute(self, value: bool) -> None:
        self._placed.is_mute = value

    @property
    def violations(self) -> list[str]:
        """What a real API would have refused."""
        return self._placed.violations

    def observed(self) -> dict[str, Json]:
        """What holds of the call as it stands now."""
        session = self.machine.session
        if session is None:
            reception = self.machine.reception
            return rejected_call(reception.rejected_with or 0, reception.detail)
        return answered_call(session, self._placed.accept_body or {}, is_over=self.is_over)

    # What a step does

    def play(self, step: Step) -> None:
        """Let the caller, or the model where it is asked, do something."""
        self._placed.play(step)

    def respond(self, response: ScriptedResponse) -> None:
        """Let the model respond: to what it was asked, or by itself where nobody has asked it."""
        conversation = self.conversation
        if conversation is None:
            return
        conversation.play((response,))
        if not conversation.is_thinking:
            self._placed.speak_up()

    def say_nothing(self) -> None:
        """Let the model say what it was left to say, in words that matter to nobody."""
        self.respond(SAYS_NOTHING)

    def set_pace(self, pace: Pace) -> None:
        """How fast caller and model are from now on."""
        self._placed.pace = pace
        if self.conversation is not None:
            self.conversation.pace = pace

    def refuse_handoff(self) -> None:
        """Let the API refuse the next hand-off."""
        if self.conversation is not None:
            self.conversation.refused_updates += 1

    def mcp_reply(self, name: str) -> McpReply | None:
        """What a tool of an MCP server of the agent's is answered with; None for another tool.

        Raises UnplayableError.
        """
        agent = self.machine.agent
        server = name.partition(".")[0]
        if agent is None or agent.tool(name) is not None or server not in {one.label for one in agent.mcp}:
            return None
        return mcp_reply(name, self.replies)

    def lose_sideband(self) -> None:
        """The sideband is lost, and the call goes on."""
        self._placed.detach()
        self.happen(SidebandLost())

    def reopen_sideband(self) -> None:
        """The sideband that was lost is open again."""
        if self._placed.attach() is not None:
            self.happen(SidebandOpened(again=True))

    # What follows from it

    @property
    def is_thinking(self) -> bool:
        """Whether the model was left to say something, and has not said it."""
        return self.conversation is not None and self.conversation.is_thinking

    @property
    def is_responding(self) -> bool:
        """Whether a response is being made."""
        return self.conversation is not None and self.conversation.active is not None

    def advance(self, until_s: float | None = None) -> bool:
        """Let the next thing happen that is due by then (by now); False when nothing is."""
        if self.is_over:
            return False
        if self._answers:
            self.happen(self._answers.popleft())
        elif self._is_opening:
            self._open()
        elif (sent := self._placed.next()) is not None:
            self._receive(sent)
        elif (event := self._events.step()) is not None:
            self.happen(event)
        else:
            due = [each.due_s() for each in (self._placed, self._events)]
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
        actions = self.machine.handle(event, self.now)
        if agent is not None:
            self.uses.handled(event, agent, actions)
        self._do(actions)

    def _open(self) -> None:
        self._is_opening = False
        if self._placed.attach() is not None:
            self.happen(SidebandOpened())

    def _receive(self, sent: Outgoing) -> None:
        """The API sends something over the sideband, or closes it."""
        match sent:
            case CloseSideband():
                self.lose_sideband()
            case EndCall():
                self._placed.state = State.OVER
                self._placed.detach()
                self.happen(SidebandLost())
                self.happen(CallGone())
            case _ if self._placed.is_attached:
                for frame in self._placed.frames(sent):
                    for event in self._sideband.read(frame, follow_words=self.machine.follows_words):
                        self.happen(event)

    # What the machine wants done

    def _do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Speak() | Interrupt() | AddItem() | SwitchAgent() | Approve() | SendOutput():
                    self._send(action)
                case SetTimer(timer=timer, at=at):
                    self._events.stop(timer)
                    self._later(TimerFired(timer=timer), at - self.now, timer)
                case ClearTimer(timer=timer):
                    self._events.stop(timer)
                case SendRequest():
                    self._request(action)
                case AnswerCall() | RejectCall() | Refer() | HangUp():
                    self._order(action)
                case ClaimCall():
                    self._claim(action)
                case OpenSideband():
                    self._is_opening = True
                case Finish():
                    self._finish()
                case Log():
                    pass
                case _:
                    assert_never(action)

    def _later(self, event: CallEvent, after_s: float, owner: Timer | None = None) -> None:
        self._events.start(iter((max(0.0, float(after_s)), event)), owner)

    def _send(self, action: Speak | Interrupt | AddItem | SwitchAgent | Approve | SendOutput) -> None:
        """Without a sideband nothing is kept, as in a real call; what the API refuses is not logged."""
        if not self._placed.is_attached or self.conversation is None:
            return
        steps = self.conversation.steps
        script = _sentence(action)
        if script is not None:
            steps.appendleft(script)
        taken = [self._placed.receive(json.loads(frame)) for frame in self._sideband.frames(action)]
        if script is not None and steps and steps[0] is script:
            steps.popleft()
        if all(taken):
            self._log(action)

    def _log(self, action: Speak | Interrupt | AddItem | SwitchAgent | Approve | SendOutput) -> None:
        match action:
            case Speak(say=str() as sentence):
                self.log.append(Sentence(sentence))
            case Speak(tell=str() as told):
                self.log.append(Instruction(self._without_instructions(told)))
            case AddItem(text=text, as_caller=False):
                self.log.append(Instruction(text))
            case SendOutput(call_id=call_id, output=output):
                self._transfers.answered(call_id)
                self.log.append(Output(self._tools[call_id][0], output))
            case SwitchAgent(agent=agent):
                self.log.append(Handoff(agent.id))
            case _:
                pass

    def _without_instructions(self, told: str) -> str:
        """What the model is told for one response comes with the agent's own instructions before it."""
        session = self.machine.session
        return told if session is None else told.replace(f"{session.instructions}\n\n", "")

    def _request(self, send: SendRequest) -> None:
        tool = self._tools[send.call_id][1] if send.call_id in self._tools else None
        key = LOOKUP if tool is None else send.call_id
        self.log.append(Attempt(key, send.tool, send.request))
        example = Example(tool.result.example) if tool is not None and tool.result.has_example else None
        reply = reply_to(send.request, send.tool, send.attempt, self.replies, example)
        self._later(Replied(call_id=send.call_id, attempt=send.attempt, reply=reply), reply.took_s)

    def _order(self, order: Order) -> None:
        if isinstance(order, Refer):
            self._refer(order)
        request = self._api.request(order, CALL_ID)
        body = None if request.body is None else json.loads(request.body)
        reply = self._placed.answer(request.url.rpartition("/")[2], body, self.now)
        text = b"" if reply.body is None else json.dumps(reply.body).encode()
        answered = HttpReply(status=reply.status, body=text, content_type="application/json")
        self._answers.append(self._api.answered(order, answered, unsettled=False))

    def _refer(self, refer: Refer) -> None:
        self.log.append(Referral(refer.target))
        end = self._transfers.asked(self.replies)
        self._placed.refer_effect = ReferEffect.LEAVES if end is TransferEnd.COMPLETED else ReferEffect.STAYS
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
            self.log.append(End(reason))
            self.uses.ended(session.agent, reason)


def _sentence(action: Action) -> ScriptedResponse | None:
    """A sentence is said as it is; what the model is to say in its own words, it thinks about."""
    if not isinstance(action, Speak) or action.say is None:
        return None
    return ScriptedResponse(output=(Says(text=action.say),), to=Occasion.INSTRUCTION, tokens=NO_TOKENS)


def _call_counts(scenario: Scenario) -> CallCounts:
    counts = CallCounts()
    counts.remember(scenario.calls_today, scenario.at)
    for agent, number in scenario.live_calls.items():
        for _ in range(number):
            counts.take(agent, scenario.at)
    return counts
