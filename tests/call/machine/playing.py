"""Plays a call on the session machine without clock or sockets, so that a test reads like a play."""

from collections.abc import Mapping
from typing import TypeVar

from runner.api.realtime.prices import PRICES
from runner.call.machine.machine import CallMachine
from runner.call.machine.session import Session
from runner.call.machine.world import World
from runner.call.routes.routing import RouteTable
from runner.call.templates.template import compile_template
from runner.model.action import (
    Action,
    ClearTimer,
    Log,
    SendOutput,
    SendRequest,
    SetTimer,
    Speak,
    Timer,
    TimerKind,
)
from runner.model.agent import Agent, ModelOpens, Wait
from runner.model.call import Ringing, SipOrigin
from runner.model.conversation_event import (
    CallerSpeaks,
    Outcome,
    PlaybackEnded,
    PlaybackStarted,
    ResponseEnded,
    ResponseStarted,
    ToolCalled,
)
from runner.model.event import (
    AnswerReplied,
    CallEvent,
    ClaimReplied,
    Decided,
    Replied,
    SidebandOpened,
    TimerFired,
)
from runner.model.http import HttpReply
from runner.model.record import CallRecord
from runner.model.route import ToAgent
from runner.model.tool import HandoffBinding, HangupBinding, HttpBinding, Tool, TransferBinding
from runner.model.values import Json, Place

words = compile_template
Some = TypeVar("Some", bound=Action)
NO_ARGUMENTS = {"type": "object", "properties": {}, "additionalProperties": False}


def http_tool(name: str = "find_slots", **fields: Json) -> Tool:
    binding = HttpBinding(
        method="GET",
        url=words("https://api.example/slots"),
        **{key: fields.pop(key) for key in ("retries", "timeout_s") if key in fields},
    )
    return tool(name, binding, **fields)


def tool(name: str, binding: object, **fields: Json) -> Tool:
    return Tool(
        **{
            "name": name,
            "description": "",
            "parameters": {"type": "object", "properties": {"day": {"type": "string"}}},
            "binding": binding,
            **fields,
        }
    )


END_CALL = tool("end_call", HangupBinding(say=words("Goodbye!")))
HANG_UP = tool("hang_up", HangupBinding())
TO_NURSE = tool(
    "to_a_person",
    TransferBinding(
        destinations={"nurse": words("sip:nurse@maple.example")},
        say=words("One moment."),
        if_not_completed=words("Say that nobody picked up."),
    ),
)
TO_SPANISH = tool("to_spanish", HandoffBinding(agent="recepcion"))


def an_agent(agent_id: str = "desk", **fields: Json) -> Agent:
    return Agent(
        **{
            "id": agent_id,
            "model": "gpt-realtime-2.1",
            "instructions": words(f"You are {agent_id}."),
            "greeting": fields.pop("greeting", None) or ModelOpens(),
            "place": Place(f"{agent_id}.yaml", 1, 1),
            **fields,
        }
    )


def expect(kind: type[Some], action: Action) -> Some:
    """This action, which has to be of this kind."""
    assert isinstance(action, kind)
    return action


RINGING = Ringing(
    call_id="rtc_1",
    created_at=1000.0,
    origin=SipOrigin(headers=(("From", "<sip:+14155550100@carrier>"), ("To", "<sip:+18005551212@carrier>"))),
)


def a_world(
    agent: Agent,
    *others: Agent,
    secrets: Mapping[str, str] | None = None,
    transfer_to: tuple[str, ...] = (),
) -> World:
    """A world in which every call goes to the first of these agents."""
    return World(
        agents={each.id: each for each in (agent, *others)},
        table=RouteTable((), otherwise=ToAgent(agent=agent.id)),
        prices=PRICES,
        secrets=secrets or {},
        transfer_to=transfer_to,
    )


class Play:
    """One call, played by hand. `done` holds every action but timers, which are in `timers`."""

    def __init__(
        self,
        agent: Agent,
        *others: Agent,
        secrets: Mapping[str, str] | None = None,
        transfer_to: tuple[str, ...] = (),
    ) -> None:
        self.now = 1000.0
        self.timers: dict[Timer, float] = {}
        self.done: list[Action] = []
        self.logged: list[Log] = []
        self._responses = 0
        world = a_world(agent, *others, secrets=secrets, transfer_to=transfer_to)
        self.machine, actions = CallMachine.ring(RINGING, world, self.now)
        self._take(actions)
        self.happens(ClaimReplied(agent=agent.id), AnswerReplied(decided=Decided.DONE))
        self.done.clear()

    @property
    def session(self) -> Session:
        assert self.machine.session is not None
        return self.machine.session

    @property
    def record(self) -> CallRecord:
        return self.session.record()

    def happens(self, *events: CallEvent) -> list[Action]:
        """The actions that these events lead to, timers apart."""
        before = len(self.done)
        for event in events:
            self._take(self.machine.handle(event, self.now))
        return self.done[before:]

    def passes(self, seconds: float) -> list[Action]:
        """Let time pass, and every timer that is due fire in its order."""
        before, until = len(self.done), self.now + seconds
        while due := [timer for timer, at in self.timers.items() if at <= until]:
            timer = min(due, key=lambda each: self.timers[each])
            self.now = max(self.now, self.timers.pop(timer))
            self.happens(TimerFired(timer=timer))
        self.now = until
        return self.done[before:]

    def opens(self) -> list[Action]:
        return self.happens(SidebandOpened())

    def responds(
        self,
        *calls: tuple[str, str],
        outcome: Outcome = Outcome.COMPLETED,
        audible: bool = True,
        heard: bool = True,
    ) -> list[Action]:
        """A whole response: to what was asked last, or of the API's own when nothing was."""
        self._responses += 1
        response_id = f"resp_{self._responses}"
        asked = self.session.speech._request
        wish = asked.wish if asked is not None else None
        made = tuple(
            ToolCalled(
                response_id=response_id, call_id=f"call_{self._responses}_{index}", name=name, arguments=text
            )
            for index, (name, text) in enumerate(calls)
        )
        done = self.happens(ResponseStarted(response_id=response_id, wish=wish), *made)
        if audible:
            done += self.happens(PlaybackStarted(response_id=response_id))
        done += self.happens(
            ResponseEnded(response_id=response_id, wish=wish, outcome=outcome, calls=made, audible=audible)
        )
        if audible and heard:
            done += self.happens(PlaybackEnded(response_id=response_id))
        return done

    def replies(self, sent: Action, status: int = 200, body: bytes = b'{"ok":true}') -> list[Action]:
        """The endpoint answers this request."""
        assert isinstance(sent, SendRequest)
        reply = HttpReply(status=status, body=body, content_type="application/json")
        return self.happens(Replied(call_id=sent.call_id, attempt=sent.attempt, reply=reply))

    def timer(self, kind: TimerKind) -> float | None:
        """Seconds until the first timer of this kind."""
        times = [at - self.now for timer, at in self.timers.items() if timer.kind is kind]
        return min(times, default=None)

    def spoken(self) -> list[str | None]:
        return [action.say or action.tell for action in self.done if isinstance(action, Speak)]

    def outputs(self) -> dict[str, str]:
        return {action.call_id: action.output for action in self.done if isinstance(action, SendOutput)}

    def _take(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case SetTimer(timer=timer, at=at):
                    self.timers[timer] = at
                case ClearTimer(timer=timer):
                    self.timers.pop(timer, None)
                case Log():
                    self.logged.append(action)
                case _:
                    self.done.append(action)


def talking(*tools: Tool, others: tuple[Agent, ...] | None = None, **fields: Json) -> Play:
    """A call whose agent waits for the caller, so that the tests have the stage for themselves."""
    others = (an_agent("recepcion"),) if others is None else others
    play = Play(an_agent(tools=tools, **{"greeting": Wait(), **fields}), *others)
    play.opens()
    return play


def speaks(play: Play) -> None:
    """The caller says something, and the API lets the agent answer."""
    play.happens(CallerSpeaks(began=True), CallerSpeaks(began=False))
    play.responds()
