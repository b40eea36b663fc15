"""The session object: with what a call is answered, and what another agent changes in it."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Final, TypeAlias

from runner.model.action import SwitchAgent
from runner.model.agent import Agent
from runner.model.values import Json, JsonObject

_Path: TypeAlias = tuple[str, ...]

_VAD: Final[Mapping[str, Mapping[str, Json]]] = {
    "server_vad": {
        "create_response": True,
        "idle_timeout_ms": None,
        "interrupt_response": True,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500,
        "threshold": 0.5,
    },
    "semantic_vad": {"create_response": True, "eagerness": "auto", "interrupt_response": True},
}
"""The defaults of each kind of turn detection."""

DEFAULTS: Final[Mapping[_Path, Json]] = {
    ("include",): [],
    ("max_output_tokens",): "inf",
    ("output_modalities",): ["audio"],
    ("parallel_tool_calls",): True,
    ("prompt",): None,
    ("reasoning",): {"effort": "low"},
    ("tool_choice",): "auto",
    ("truncation",): "auto",
    ("audio", "input", "noise_reduction"): None,
    ("audio", "input", "transcription"): None,
    ("audio", "input", "turn_detection"): {"type": "server_vad", **_VAD["server_vad"]},
    ("audio", "output", "speed"): 1.0,
}
"""The API's defaults for fields that the session does not have. Source: the reference of
`RealtimeSessionCreateRequest`; the sessions that the API reports say the same.

Two fields have none here: `tracing` cannot be changed once it is on, and the API has no name for its default
voice.
"""

_NOISE_REDUCTION: Final = ("audio", "input", "noise_reduction")
_SPEED: Final = ("audio", "output", "speed")
_TURN_DETECTION: Final = ("audio", "input", "turn_detection")
_VOICE: Final = ("audio", "output", "voice")
_MISSING: Final = object()


def session_body(agent: Agent, instructions: str, servers: Sequence[JsonObject] = ()) -> dict[str, Json]:
    """The session object with which a call is answered.

    It never holds `audio.*.format`: on a phone call the carrier negotiates it, and sending it makes static or
    silence.
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


def session_updates(switch: SwitchAgent) -> tuple[dict[str, Json], ...]:
    """The updates that make the session the other agent's, in order.

    An update changes the fields that it holds and no others, at any depth. So the last one holds everything
    of the other agent's session, and the API's defaults for whatever else the first agent's had. Two kinds
    may come before it: one that resets objects of which a part has no default to send (`language: null` is
    refused), and one for the speed, which the API refuses while the agent speaks, and with it the rest of
    that update. What the API fixes is left out: the model, and the voice once it was heard. A refresh of the
    same agent's session holds only what has changed: MCP servers that are sent again are queried again.
    """
    if switch.is_refresh:
        return (_refreshed(switch),)
    before = session_body(switch.before, "")
    after = deepcopy(session_body(switch.agent, switch.instructions, switch.servers))
    del after["model"]
    after.setdefault("tools", [])
    reset: dict[str, Json] = {}
    for path, default in DEFAULTS.items():
        old, new = _at(before, path), _at(after, path)
        if old is _MISSING:
            continue
        if new is _MISSING:
            _put(after, path, deepcopy(default))
        elif isinstance(old, Mapping) and isinstance(new, dict):
            inner = _inner_defaults(path, new)
            if inner is None and old.keys() - new.keys():
                _put(reset, path, deepcopy(default))
            elif inner is not None:
                new |= {key: value for key, value in inner.items() if key in old.keys() - new.keys()}
    if not switch.with_voice:
        _take(after, _VOICE)
    if before.get("tracing") is not None:
        _take(after, ("tracing",))
    if switch.answers is not None:
        _set_answers(after, answers=switch.answers)
    speed: dict[str, Json] = {}
    if (new_speed := _take(after, _SPEED)) not in {_MISSING, _at(before, _SPEED)}:
        _put(speed, _SPEED, new_speed)
    return (*({"type": "realtime", **update} for update in (reset, speed) if update), after)


def _refreshed(switch: SwitchAgent) -> dict[str, Json]:
    session: dict[str, Json] = {"type": "realtime", "instructions": switch.instructions}
    if switch.answers is not None:
        detection = _at(switch.agent.session, _TURN_DETECTION)
        if detection is not _MISSING:
            _put(session, _TURN_DETECTION, deepcopy(detection))
        _set_answers(session, answers=switch.answers)
    return session


def _set_answers(session: dict[str, Json], *, answers: bool) -> None:
    """Say explicitly whether the model answers by itself: as the session declares, or not at all."""
    detection = _at(session, _TURN_DETECTION)
    if detection is _MISSING:
        detection = deepcopy(DEFAULTS[_TURN_DETECTION])
    if isinstance(detection, Mapping):
        declared = detection.get("create_response", True)
        _put(session, _TURN_DETECTION, {**detection, "create_response": answers and declared})


def _inner_defaults(path: _Path, new: JsonObject) -> Mapping[str, Json] | None:
    """The defaults of an object's parts; None where they are not all published."""
    if path == _TURN_DETECTION:
        return _VAD.get(str(new.get("type")), {})
    return {"strength": 1.0} if path == _NOISE_REDUCTION else None


def _at(session: JsonObject, path: _Path) -> Json:
    value: Json = session
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return _MISSING
        value = value[key]
    return value


def _put(session: dict[str, Json], path: _Path, value: Json) -> None:
    for key in path[:-1]:
        session = session.setdefault(key, {})
    session[path[-1]] = value


def _take(session: dict[str, Json], path: _Path) -> Json:
    """Remove a field, and objects that are empty without it; returns its value, or `_MISSING`."""
    value = _at(session, path)
    if value is not _MISSING:
        inner = session if len(path) == 1 else _at(session, path[:-1])
        del inner[path[-1]]
        if not inner and len(path) > 1:
            _take(session, path[:-1])
    return value
