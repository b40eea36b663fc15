"""What is laid over what: mappings merge, anything else is replaced, and every part keeps its place."""

from typing import Any

import pytest

from runner.config.node import Node
from runner.config.problem import Problems
from runner.config.reading.layers import laid_over
from runner.config.reading.yaml_text import read
from tests.config.nodes import at


def node(text: str, file: str = "a.yaml") -> Node:
    problems = Problems()
    found = read(file, text.encode(), problems)
    assert found is not None, problems.sorted()
    return found


@pytest.mark.parametrize(
    ("kind", "below", "above", "together"),
    [
        ("agent", "voice: marin", "model: m", {"voice": "marin", "model": "m"}),
        ("agent", "voice: marin", "voice: cedar", {"voice": "cedar"}),
        (
            "agent",
            "limits: {max_duration: 30m, max_tool_calls: 4}",
            "limits: {max_duration: 5m}",
            {"limits": {"max_duration": "5m", "max_tool_calls": 4}},
        ),
        ("agent", "tools: [a, b]", "tools: [c]", {"tools": ["c"]}),
        ("agent", "vars: {a: {b: 1, c: 2}}", "vars: {a: {c: 3}}", {"vars": {"a": {"b": 1, "c": 3}}}),
        ("agent", "vars: {a: {env: 1}}", "vars: {a: {file: 2}}", {"vars": {"a": {"env": 1, "file": 2}}}),
        ("agent", "vars: {a: 1}", "vars: null", {"vars": None}),
        # Of another kind than what is below.
        ("agent", "greeting: {tell: Hi}", "greeting: {wait: true}", {"greeting": {"wait": True}}),
        ("agent", "greeting: {tell: Hi}", "greeting: Hello", {"greeting": "Hello"}),
        ("agent", "busy: {agent: other}", "busy: {reject: 486}", {"busy": {"reject": 486}}),
        (
            "agent",
            "session: {audio: {input: {turn_detection: {type: semantic_vad, eagerness: low}}}}",
            "session: {audio: {input: {turn_detection: {type: server_vad}}}}",
            {"session": {"audio": {"input": {"turn_detection": {"type": "server_vad"}}}}},
        ),
        (
            "agent",
            "session: {audio: {input: {turn_detection: {type: server_vad, threshold: 0.5}}}}",
            "session: {audio: {input: {turn_detection: {threshold: 0.7}}}}",
            {"session": {"audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 0.7}}}}},
        ),
        (
            "runner",
            "secrets: {A: {env: A}, B: {env: B}}",
            "secrets: {A: {file: /a}, B: {env: C}}",
            {"secrets": {"A": {"file": "/a"}, "B": {"env": "C"}}},
        ),
        (
            "runner",
            "egress: {allow: [a], private_networks: deny}",
            "egress: {allow: [b]}",
            {"egress": {"allow": ["b"], "private_networks": "deny"}},
        ),
        (
            "runner",
            "tools: {find: {http: {url: a, auth: {bearer: b}, headers: {X: y}}}}",
            "tools: {find: {http: {auth: {basic: {username: d}}}}}",
            {
                "tools": {
                    "find": {
                        "http": {"url": "a", "auth": {"basic": {"username": "d"}}, "headers": {"X": "y"}}
                    }
                }
            },
        ),
        (
            "runner",
            "tools: {find: {http: {url: a}}}",
            "tools: {find: {static: b}}",
            {"tools": {"find": {"static": "b"}}},
        ),
        (
            "runner",
            "defaults: {greeting: {tell: Hi}}",
            "defaults: {greeting: {wait: true}}",
            {"defaults": {"greeting": {"wait": True}}},
        ),
    ],
)
def test_mappings_merge_and_anything_else_is_replaced(
    kind: str, below: str, above: str, together: dict[str, Any]
) -> None:
    assert laid_over(node(below), node(above), kind).data() == together


def test_every_part_keeps_the_place_that_it_came_from() -> None:
    merged = laid_over(
        node("limits:\n  max_tool_calls: 4", "below"), node("limits: {max_duration: 5m}"), "agent"
    )
    limits = at(merged, "limits")
    assert str(at(limits, "max_tool_calls").place) == "below:2:19"
    assert str(at(limits, "max_duration").place) == "a.yaml:1:24"
    assert str(limits.key_place("max_tool_calls")) == "below:2:3"
    assert str(merged.place) == "a.yaml:1:1"


def test_nothing_below_is_as_it_was() -> None:
    above = node("voice: marin")
    assert laid_over(None, above, "agent") is above
