"""The session object: what a call is answered with, and what another agent changes of it."""

from collections.abc import Sequence

from runner.model.action import SwitchAgent
from runner.model.agent import Agent
from runner.model.values import Json, JsonObject


def session_body(agent: Agent, instructions: str, servers: Sequence[JsonObject] = ()) -> dict[str, Json]:
    """The session object that accepts a call for `agent`, with its MCP servers as `Session.servers` has them.

    It never holds `audio.*.format`: on a phone call the carrier negotiates it, and sending it makes
    static or silence.
    """
    body: dict[str, Json] = {"type": "realtime", "model": agent.model, "instructions": instructions}
    body |= agent.session
    if agent.voice is not None:
        audio = dict(agent.session.get("audio") or {})
        audio["output"] = {**(audio.get("output") or {}), "voice": agent.voice}
        body["audio"] = audio
    functions = [
        {
            "type": "function",
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
        }
        for tool in agent.tools
    ]
    if functions or servers:
        body["tools"] = [*functions, *({"type": "mcp", **server} for server in servers)]
    return body


def session_update(become: SwitchAgent) -> dict[str, Json]:
    """The session of an agent that takes over. What the API fixes at accept is left out: the model, and
    the voice once it was heard.
    """
    session = session_body(become.agent, become.instructions, become.servers)
    del session["model"]
    session.setdefault("tools", [])
    if not become.with_voice and "output" in session.get("audio", {}):
        output = {key: value for key, value in session["audio"]["output"].items() if key != "voice"}
        session["audio"] = {**session["audio"], "output": output}
    return session
