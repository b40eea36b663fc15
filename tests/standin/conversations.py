"""Conversations of the stand-in, played to the point where the client has to act."""

from typing import Any

from runner.standin.caller import Caller
from runner.standin.conversation import PlayedConversation
from runner.standin.outgoing import Outgoing
from runner.standin.script import ScriptStep
from tests.standin.openai_types import server_complaint

CREATE = {"type": "response.create"}
TRANSCRIBED = {"audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}}


def conversation(*script: ScriptStep, **session: Any) -> PlayedConversation:
    made = PlayedConversation(call="1", session={"type": "realtime", "model": "gpt-realtime-2.1", **session})
    made.play(script)
    made.flows.start(Caller(made, 1_700_000_000.0).flow())
    made.attached = True
    return made


def run(played: PlayedConversation) -> list[Outgoing]:
    """Everything that happens until it is the client's turn."""
    outgoing = played.flows.settle()
    while (delay_s := played.flows.delay_s()) is not None:
        played.flows.pass_time(delay_s)
        outgoing += played.flows.settle()
    for each in outgoing:
        if isinstance(each, dict):
            assert server_complaint("event", each) is None
    return outgoing


def types(outgoing: list[Outgoing]) -> list[str]:
    return [each["type"] if isinstance(each, dict) else type(each).__name__ for each in outgoing]


def events(outgoing: list[Outgoing]) -> list[dict[str, Any]]:
    """What is sent, where all of it has to be events."""
    sent = [each for each in outgoing if isinstance(each, dict)]
    assert sent == outgoing
    return sent


def only(outgoing: list[Outgoing], kind: str) -> list[dict[str, Any]]:
    return [each for each in outgoing if isinstance(each, dict) and each["type"] == kind]


def say(sentence: str) -> dict[str, Any]:
    return {"type": "response.create", "response": {"instructions": f'Say: "{sentence}"'}}


def output(call_id: str, text: str = "{}") -> dict[str, Any]:
    item = {"type": "function_call_output", "call_id": call_id, "output": text}
    return {"type": "conversation.item.create", "event_id": "e1", "item": item}


def next_of(played: PlayedConversation) -> dict[str, Any]:
    """The next event, whenever it comes."""
    while (sent := played.flows.step()) is None:
        played.flows.pass_time(played.flows.delay_s() or 0.0)
    assert isinstance(sent, dict)
    return sent
