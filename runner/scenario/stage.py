"""One call on a stage: the session machine, a simulated clock, and stand-ins for caller, model and endpoints.

The stand-ins follow the voice API's rules: one response at a time, a response of its own after each turn of
the caller's, else one for each time that it is asked. What the model is asked to say, it says at once and
the caller hears it in no time. What it is left to say is owed until a step tells it, or time passes.
"""

from collections import Counter, deque
from collections.abc import Collection, Mapping
from dataclasses import replace

from runner.call.machine.machine import CallMachine
from runner.call.machine.phase import Phase
from runner.call.machine.session import Session
from runner.model.action import (
    Action,
    AddItem,
    ClearTimer,
    Finish,
    HangUp,
    Interrupt,
    Refer,
    SendOutput,
    SendRequest,
    SetTimer,
    Speak,
    SwitchAgent,
    Timer,
    TimerKind,
)
from runner.model.call import Role
from runner.model.event import (
    AnswerReplied,
    CallerSpeaks,
    CallEvent,
    CallGone,
    Decided,
    ItemPlaced,
    KeyPressed,
    McpListed,
    Outcome,
    OutputTaken,
    PlaybackEnded,
    PlaybackStarted,
    ReferAnswered,
    Replied,
    ResponseEnded,
    ResponseStarted,
    SessionUpdated,
    SidebandLost,
    SidebandOpened,
    TimerFired,
    ToolCalled,
    Transcribed,
    TranscriptGrew,
    Usage,
)
from runner.model.scenario import (
    Act,
    CallerHangsUp,
    CallerSays,
    KeysArePressed,
    ModelCalls,
    ModelFails,
    ModelSays,
    NobodySpeaks,
    Replies,
    TransferEnd,
)
from runner.model.tool import Tool, TransferBinding
from runner.model.values import Json, JsonObject
from runner.scenario.clock import SimulatedClock
from runner.scenario.coverage import Touch
from runner.scenario.endpoint import Example, reply_to, transfer_end
from runner.scenario.facts import facts_of_call
from runner.scenario.happened import Ended, Given, HandedOver, Happened, Referred, Said, Sent, Told
from runner.scenario.line import NO_TRANSFER, Line, Owed, Transfer
from runner.scenario.touches import Touches

TRANSFERRING = frozenset(
    {Phase.ANNOUNCING, Phase.REFERRED, Phase.SAYING_GOODBYE, Phase.HANGING_UP, Phase.DRAINING_REQUESTS}
)
"""The phases that a step waits for the end of."""


class Stage:
    """One call, from accept to its end. What has happened so far is `happened`."""

    def __init__(
        self,
        machine: CallMachine,
        session: Session,
        clock: SimulatedClock,
        replies: Mapping[str, Replies],
    ) -> None:
        self.happened: list[Happened] = []
        self._touches = Touches()
        self._machine = machine
        self._session = session
        self._clock = clock
        self._replies_of_all = replies
        self._replies: Mapping[str, Replies] = replies
        self._lines: deque[Line | CallEvent] = deque()
        self._owed: Owed | None = None
        self._counts: Counter[str] = Counter()
        self._calls: dict[str, tuple[str, Tool | None]] = {}
        """What the model has called, by the id of the call: a name, and the tool where there is one."""
        self._transfer = NO_TRANSFER
        self._is_interrupted = False
        self._is_over = False

    @property
    def touched(self) -> Collection[Touch]:
        """What the call has used of what is declared."""
        return self._touches.all

    @property
    def is_over(self) -> bool:
        """Whether the call has ended."""
        return self._is_over

    def facts(self, accept: JsonObject) -> dict[str, Json]:
        """What holds of the call now. It has ended when it is over, not when the end was decided."""
        return {**facts_of_call(self._session, accept), **({} if self._is_over else {"ended": None})}

    def open(self, *, model_is_next: bool) -> None:
        """The call was accepted, and the sideband opens."""
        self._happen(AnswerReplied(decided=Decided.DONE))
        self._happen(SidebandOpened())
        for server in self._session.servers:
            self._happen(McpListed(item_id=str(server.get("server_label")), ok=True))
        self._settle(model_is_next=model_is_next)

    def act(self, act: Act, replies: Mapping[str, Replies], usage: Usage, *, model_is_next: bool) -> None:
        """Let a step happen, and everything that it leads to. `model_is_next`: the next step is the model's.

        Raises UndeclaredError when an endpoint is asked that has no answer.
        """
        self._replies = {**self._replies_of_all, **replies}
        match act:
            case CallerSays(text=text):
                self._caller_says(text)
            case ModelSays(text=text):
                self._line(Line(text=text, usage=usage))
            case ModelCalls(calls=calls):
                self._line(Line(calls=calls, usage=usage))
            case ModelFails(detail=detail):
                self._line(Line(outcome=Outcome.FAILED, detail=detail, usage=usage))
            case KeysArePressed(keys=keys):
                for key in keys:
                    self._happen(KeyPressed(key=key))
            case NobodySpeaks(for_s=for_s):
                self._pass(for_s)
            case CallerHangsUp():
                self._lines.extend((SidebandLost(), CallGone()))
        self._settle(model_is_next=model_is_next)

    # What caller and model do

    def _caller_says(self, text: str) -> None:
        audio: JsonObject = (self._session.agent.session.get("audio") or {}).get("input") or {}
        item_id = self._new("said")
        self._happen(CallerSpeaks(began=True))
        self._happen(CallerSpeaks(began=False))
        self._happen(ItemPlaced(item_id=item_id, role=Role.CALLER))
        detection = audio.get("turn_detection", {})
        if detection is not None and detection.get("create_response", True):
            self._owed = self._owed or Owed(wish=None)
        if audio.get("transcription"):
            # Otherwise nobody reads what a caller says, and no guardrail can watch it.
            self._transcribe(item_id, Role.CALLER, text)

    def _line(self, line: Line) -> None:
        """The model says what it owes, or what nobody has asked for."""
        wish, self._owed = (self._owed.wish if self._owed else None), None
        self._respond(line, wish)

    def _respond(self, line: Line, wish: str | None) -> None:
        response_id = self._new("resp")
        self._is_interrupted = False
        self._happen(ResponseStarted(response_id=response_id, wish=wish))
        if line.is_audible:
            self._happen(PlaybackStarted(response_id=response_id))
        if line.text is not None:
            self._words(line.text)
        calls = tuple(self._called(response_id, name, arguments) for name, arguments in line.calls)
        for called in calls:
            self._happen(called)
        outcome = Outcome.CANCELLED if self._is_interrupted else line.outcome
        self._happen(
            ResponseEnded(
                response_id=response_id,
                outcome=outcome,
                wish=wish,
                detail=line.detail,
                calls=calls,
                usage=line.usage,
                audible=line.is_audible,
            )
        )
        if line.is_audible:
            self._happen(PlaybackEnded(response_id=response_id, interrupted=self._is_interrupted))

    def _words(self, text: str) -> None:
        item_id = self._new("said")
        self._happen(ItemPlaced(item_id=item_id, role=Role.AGENT))
        self._transcribe(item_id, Role.AGENT, text)

    def _transcribe(self, item_id: str, role: Role, text: str) -> None:
        self._touches.hear(self._session.agent, role, text)
        if self._session.follows_words:
            self._happen(TranscriptGrew(item_id=item_id, role=role, text=text))
        self._happen(Transcribed(item_id=item_id, role=role, text=text))

    def _called(self, response_id: str, name: str, arguments: str) -> ToolCalled:
        called = ToolCalled(
            response_id=response_id, call_id=self._new("call"), name=name, arguments=arguments
        )
        agent = self._session.agent
        tool = agent.tool(name)
        self._calls[called.call_id] = (name, tool)
        if tool is not None:
            self._touches.call(agent, tool)
            if isinstance(tool.binding, TransferBinding):
                self._transfer = Transfer.chosen(called, tool.binding)
        return called

    # What follows

    def _settle(self, *, model_is_next: bool) -> None:
        """Everything that happens before the next step can."""
        while not self._is_over:
            if self._come(self._clock.elapsed_s):
                continue
            if self._owed is not None:
                if model_is_next and not self._session.tools.awaited:
                    return
                self._line(Line())
            elif not (self._waits() and self._come(float("inf"))):
                return

    def _waits(self) -> bool:
        """Whether the step lasts until something has come."""
        is_leaving = self._session.phase in TRANSFERRING
        return is_leaving or self._session.tools.awaited or self._clock.has(Timer(TimerKind.KEYS))

    def _pass(self, seconds: float) -> None:
        until_s = round(self._clock.elapsed_s + seconds, 6)
        while not self._is_over:
            if self._lines:
                self._come(until_s)
            elif self._owed is not None:
                # Before time passes, the model has said what it was to say.
                self._line(Line())
            elif not self._come(until_s):
                break
        self._clock.move_to(until_s)

    def _come(self, until_s: float) -> bool:
        """Let the next thing happen that is due by then; False when nothing is."""
        coming = self._lines.popleft() if self._lines else self._clock.take(until_s)
        match coming:
            case None:
                return False
            case Line():
                self._respond(coming, coming.wish)
            case _:
                self._happen(coming)
        return True

    def _happen(self, event: CallEvent) -> None:
        if self._is_over:
            return
        actions = self._machine.handle(event, self._clock.now)
        if isinstance(event, TimerFired):
            self._touches.fire(self._session.agent, event.timer.kind, actions)
        self._do(actions)

    def _do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case SetTimer(timer=timer, at=at):
                    self._clock.set(timer, at)
                case ClearTimer(timer=timer):
                    self._clock.clear(timer)
                case SendRequest():
                    self._request(action)
                case Refer(target=target):
                    self._refer(target)
                case HangUp():
                    self._lines.append(CallGone())
                case Finish():
                    self._finish()
                case _:
                    self._hear(action)

    def _hear(self, action: Action) -> None:
        """What the voice API is told over the sideband."""
        match action:
            case Speak():
                self._speak(action)
            case Interrupt():
                self._interrupt()
            case AddItem(item_id=item_id, text=text, as_caller=as_caller):
                if not as_caller:
                    self.happened.append(Told(text))
                role = Role.CALLER if as_caller else Role.SYSTEM
                self._lines.append(ItemPlaced(item_id=item_id, role=role, text=text))
            case SendOutput(call_id=call_id, output=output):
                self._give(call_id, output)
            case SwitchAgent(agent=agent):
                self.happened.append(HandedOver(agent.id))
                self._lines.append(SessionUpdated())

    def _interrupt(self) -> None:
        """The response that is being made is cut off, or the one that is owed is never heard."""
        self._is_interrupted = True
        if self._owed is not None:
            self._lines.append(Line(wish=self._owed.wish, outcome=Outcome.CANCELLED))
            self._owed = None

    def _give(self, call_id: str, output: str) -> None:
        if call_id == self._transfer.call_id:
            self._transfer = NO_TRANSFER
        self.happened.append(Given(self._calls[call_id][0], output))
        self._lines.append(OutputTaken(call_id=call_id))

    def _finish(self) -> None:
        reason = self._session.builder.ended
        self._is_over = True
        self.happened.append(Ended(reason))
        self._touches.end(self._session.agent, reason)

    def _speak(self, speak: Speak) -> None:
        """A sentence is said as it is; what the model is to say in its own words, it owes."""
        if speak.say is not None:
            self.happened.append(Said(speak.say))
            self._lines.append(Line(wish=speak.wish, text=speak.say))
            return
        if speak.tell is not None:
            told = speak.tell.replace(f"{self._session.instructions}\n\n", "")
            self.happened.append(Told(told))
        self._owed = Owed(wish=speak.wish)

    def _request(self, send: SendRequest) -> None:
        self.happened.append(Sent(send.call_id, send.tool, send.request))
        tool = self._calls[send.call_id][1]
        example = Example(tool.result.example) if tool is not None and tool.result.has_example else None
        reply = reply_to(send.request, send.tool, send.attempt, self._replies, example)
        self._clock.later(Replied(call_id=send.call_id, attempt=send.attempt, reply=reply), reply.took_s)

    def _refer(self, target: str) -> None:
        transfer = self._transfer
        self._transfer = replace(transfer, count=transfer.count + 1)
        self.happened.append(Referred(target))
        if transfer.call_id is not None:
            self._touches.transfer(self._session.agent, transfer)
        self._lines.append(ReferAnswered(ok=True))
        if transfer_end(transfer.name, transfer.count + 1, self._replies) is TransferEnd.COMPLETED:
            self._lines.extend((SidebandLost(), CallGone()))

    def _new(self, kind: str) -> str:
        self._counts[kind] += 1
        return f"{kind}_{self._counts[kind]}"
