"""Agents with mistakes in them, for tests of whatever reads agents."""

import copy
from typing import Any

from hypothesis import strategies as st

AGENT = {
    "agent": "desk",
    "model": "gpt-realtime-2.1",
    "instructions": "You answer.",
    "routes": [{"to": "+18005551212", "share": "10%"}, {"from": {"country": ["US"]}, "priority": 1}],
    "greeting": {"tell": "Greet."},
    "vars": {"a": [1, {"b": None}]},
    "session": {
        "audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 0.5}}},
        "max_output_tokens": 100,
        "tool_choice": {"type": "function", "name": "a"},
        "prompt": {"id": "x", "variables": {"a": {"type": "input_text", "text": "b"}}},
    },
    "tools": [
        "shared",
        {
            "name": "a",
            "http": {
                "url": "https://a.example",
                "auth": {"basic": {"username": "u", "password": "p"}},
                "retries": {"attempts": 2, "on": ["timeout", 503]},
                "json": {"a": 1},
            },
            "while_waiting": [{"after": "1s", "say": ["One."]}],
        },
        {"name": "b", "transfer": {"destinations": {"x": "tel:+14155550123"}}, "when": "a", "otherwise": "b"},
    ],
    "limits": {"max_duration": "5m", "max_cost": 1.5},
}
SMALL = st.sampled_from(
    [
        None,
        True,
        False,
        0,
        1,
        -1,
        2.5,
        100000,
        "",
        "x",
        "5s",
        "inf",
        "auto",
        "https://x",
        [],
        {},
        ["x"],
        {"x": 1},
    ]
)


@st.composite
def broken_agents(draw: st.DrawFn) -> Any:
    """The agent above with a few of its parts replaced, taken away, doubled or renamed."""
    whole = copy.deepcopy(AGENT)
    for _ in range(draw(st.integers(0, 3))):
        place: Any = whole
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and place[key] and draw(st.booleans()):
                place = place[key]
                continue
            act = draw(st.sampled_from(["replace", "remove", "rename"]))
            if act == "replace":
                place[key] = copy.deepcopy(draw(SMALL))
            elif act == "rename" and isinstance(place, dict):
                names = ["http", "say", "type", "url", "host", "form", "hangup", "nonsense", "name"]
                place[draw(st.sampled_from(names))] = place.pop(key)
            else:
                del place[key]
            break
    return whole
