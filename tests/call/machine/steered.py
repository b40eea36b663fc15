"""Calls on which people act, for the tests of that."""

from runner.call.machine.phase import Phase
from runner.model.action import Action, SwitchAgent
from runner.model.agent import Wait
from runner.model.conversation_event import (
    Outcome,
    PlaybackEnded,
    PlaybackStarted,
    ResponseEnded,
    ResponseStarted,
)
from runner.model.event import SidebandLost, SidebandOpened, Steered
from runner.model.record import Deed
from runner.model.steering import SteeringAct
from runner.model.tool import Tool
from runner.model.values import Json
from tests.call.machine.playing import END_CALL, Play, an_agent, http_tool, words

BY = "shift-lead"


def talking(*tools: Tool, transfer_to: tuple[str, ...] = (), **fields: Json) -> Play:
    """A call whose agent waits for the caller, so that the tests have the stage for themselves."""
    agent = {"greeting": Wait(), "vars": {"name": words("nobody")}, **fields}
    play = Play(an_agent(tools=tools, **agent), an_agent("recepcion"), transfer_to=transfer_to)
    play.opens()
    return play


def speaking(*tools: Tool, **fields: Json) -> Play:
    """A call whose agent is being heard: its response `resp` is being made."""
    play = talking(*tools, **fields)
    play.happens(ResponseStarted(response_id="resp"), PlaybackStarted(response_id="resp"))
    return play


def cut_short(play: Play) -> list[Action]:
    """The API has cancelled what the agent said."""
    return play.happens(
        ResponseEnded(response_id="resp", outcome=Outcome.CANCELLED),
        PlaybackEnded(response_id="resp", interrupted=True),
    )


def running(**fields: Json) -> tuple[Play, Action]:
    """A call in which a tool runs, and its request."""
    play = talking(http_tool(), **fields)
    (sent,) = play.responds(("find_slots", "{}"), audible=False)
    return play, sent


def leaving(**fields: Json) -> Play:
    """A call whose agent says goodbye."""
    play = talking(END_CALL, **fields)
    play.responds(("end_call", "{}"), audible=False)
    assert play.session.phase.now is Phase.SAYING_GOODBYE
    return play


def without_sideband(*tools: Tool, **fields: Json) -> Play:
    play = talking(*tools, **fields)
    play.happens(SidebandLost())
    return play


def reopens(play: Play) -> list[Action]:
    return play.happens(SidebandOpened())


def updates(actions: list[Action]) -> list[SwitchAgent]:
    return [action for action in actions if isinstance(action, SwitchAgent)]


def steer(play: Play, act: SteeringAct, deed_id: str = "deed_1") -> list[Action]:
    """The actions that a person's act leads to."""
    return play.happens(Steered(id=deed_id, by=BY, act=act))


def deed(play: Play, deed_id: str = "deed_1") -> Deed:
    found = play.machine.deed(deed_id)
    assert found is not None
    return found


def outcome(play: Play, deed_id: str = "deed_1") -> tuple[str, str]:
    return deed(play, deed_id).result, deed(play, deed_id).detail
