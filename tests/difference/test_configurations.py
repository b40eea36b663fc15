"""Two configurations, and what differs in them for callers."""

import dataclasses
from pathlib import Path

import pytest

from runner.difference.configurations import _BY_THEMSELVES, _IN_THE_ACCEPT_BODY
from runner.difference.tree import Absent
from runner.model.agent import Agent
from tests.difference.compared import Files, agent, changed, compared

TOOL = """\
tools:
  - name: find
    description: Find it.
    parameters: {type: object, properties: {day: {type: string}}, required: [day]}
    http: {method: GET, url: "https://a.example/x", query: {day: "{{ args.day }}"}}
"""
ROUTED = 'routes: [{to: "+18005551212"}]\n'


def desk(more: str = "") -> Files:
    return {"desk.yaml": agent("desk", ROUTED + more)}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("voice: marin\n", "voice: cedar\n", {"accept.audio.output.voice": ("marin", "cedar")}),
        ("voice: marin\n", "session: {audio: {output: {voice: marin}}}\n", {}),
        ("", "session: {reasoning: {effort: low}}\n", {"accept.reasoning": (None, {"effort": "low"})}),
        (
            "session: {audio: {input: {turn_detection: {type: semantic_vad, eagerness: low}}}}\n",
            "session: {audio: {input: {turn_detection: {type: semantic_vad, eagerness: high}}}}\n",
            {"accept.audio.input.turn_detection.eagerness": ("low", "high")},
        ),
        ("greeting: Hello.\n", "greeting: Hi.\n", {"greeting.say": ("Hello.", "Hi.")}),
        (
            "greeting: Hello.\n",
            "greeting: {tell: Greet.}\n",
            {"greeting.tell": (None, "Greet."), "greeting.say": ("Hello.", None)},
        ),
        ("", "greeting: {wait: true}\n", {"greeting": ("the model opens", {"wait": True})}),
        ("vars: {a: 1}\n", "vars: {a: 2, b: x}\n", {"vars.a": (1, 2), "vars.b": (None, "x")}),
        ("limits: {max_duration: 15m}\n", "limits: {max_duration: 900s}\n", {}),
        (
            "limits: {max_duration: 15m}\n",
            "limits: {max_duration: 20m, max_cost: 2.00}\n",
            {"limits.max_duration": ("15m", "20m"), "limits.max_cost": (None, 2.0)},
        ),
        (
            "",
            "limits: {silence: {after: 20s, say: Still there?}}\n",
            {"limits.silence": (None, {"after": "20s", "say": "Still there?", "times": 2})},
        ),
        (
            "keys: {max: 4}\n",
            "keys: {max: 5, private: true}\n",
            {"keys.max": (4, 5), "keys.private": (None, True)},
        ),
        (
            "",
            "busy: {reject: 480}\nlimits: {concurrent_calls: 1}\n",
            {"limits.concurrent_calls": (None, 1), "busy.reject": (486, 480)},
        ),
        ("", "if_broken: {say: Sorry.}\n", {"if_broken.say": (None, "Sorry.")}),
        (
            "",
            "guardrails: [{name: cards, on: agent, matches: '[0-9]{13}', then: cancel}]\n",
            {
                "guardrails": (
                    None,
                    [{"name": "cards", "on": "agent", "matches": "[0-9]{13}", "then": "cancel"}],
                )
            },
        ),
        ("", "record: {transcript: false}\n", {"record.transcript": (True, False)}),
        (
            "",
            'lookup: {http: {method: GET, url: "https://a.example"}}\n',
            {
                "lookup": (
                    None,
                    {
                        "http": {
                            "method": "GET",
                            "url": "https://a.example",
                            "timeout": "10s",
                            "retries": {"attempts": 1, "backoff": "200ms"},
                        },
                        "timeout": "1.5s",
                    },
                )
            },
        ),
        ("description: A desk.\n", "description: The desk.\n", {}),
        (
            TOOL,
            TOOL.replace("Find it.", "Find them."),
            {"tools.find.description": ("Find it.", "Find them.")},
        ),
        (
            TOOL,
            TOOL.replace("type: string", "type: integer"),
            {"tools.find.parameters.properties.day.type": ("string", "integer")},
        ),
        (
            TOOL,
            TOOL.replace("required: [day]", "required: []"),
            {"tools.find.parameters.required": (["day"], [])},
        ),
        (
            TOOL,
            TOOL.replace("a.example/x", "a.example/y"),
            {"tools.find.http.url": ("https://a.example/x", "https://a.example/y")},
        ),
        (
            TOOL,
            TOOL.replace("a.example/x", 'a.example/x", timeout: "5s'),
            {"tools.find.http.timeout": ("10s", "5s")},
        ),
        (TOOL, TOOL + "    result: {example: {a: 1}}\n", {}),
        (
            TOOL,
            TOOL + "    result: {select: a, example: {a: 1}}\n",
            {"tools.find.result.select": (None, "a")},
        ),
        (TOOL, TOOL + "    background: true\n", {"tools.find.background": (None, True)}),
        (
            'tools: [{name: go, description: Go., transfer: {destinations: {a: "tel:+15185550171"}}}]\n',
            'tools: [{name: go, description: Go., transfer: {destinations: {a: "tel:+15185550172"}}}]\n',
            {"tools.go.transfer.destinations.a": ("tel:+15185550171", "tel:+15185550172")},
        ),
        (
            "tools: [{name: go, description: Go., hangup: {say: Bye.}}]\n",
            "tools: [{name: go, description: Go., static: CallGone.}]\n",
            {"tools.go.static": (None, {"answer": "CallGone."}), "tools.go.hangup": ({"say": "Bye."}, None)},
        ),
        (
            "tools: [{name: a, description: A., hangup: {}}, {name: b, description: B., hangup: {}}]\n",
            "tools: [{name: b, description: B., hangup: {}}, {name: a, description: A., hangup: {}}]\n",
            {},
        ),
    ],
)
def test_what_differs_in_an_agent_is_told_by_its_path(
    tmp_path: Path, old: str, new: str, expected: dict[str, tuple[object, object]]
) -> None:
    found = compared(tmp_path, desk(old), desk(new))
    assert changed(found) == expected
    assert (found.calls.moved, found.added, found.removed, found.settings) == ((), (), (), ())
    assert found.is_empty is (not expected)


def test_instructions_are_the_same_in_a_file_of_their_own(tmp_path: Path) -> None:
    text = "agent: desk\nmodel: gpt-realtime-2.1\n" + ROUTED
    old = {"desk.yaml": text + "instructions: |\n  You answer.\n  Briefly.\n\n"}
    new = {"desk.yaml": text + "instructions: {file: _p.md}\n", "_p.md": "You answer.\nBriefly."}
    assert compared(tmp_path, old, new).is_empty


def test_files_comments_and_order_are_no_difference(tmp_path: Path) -> None:
    old = {
        "desk.yaml": agent("desk", ROUTED + TOOL),
        "sales.yaml": agent("sales"),
        "runner.yaml": "secrets: {A: {env: A}}\nstore: sqlite:a.db\nserver: {port: 1}\n"
        "routing: {otherwise: {agent: sales}}\n",
    }
    shared = "tools:\n  find:\n" + TOOL.partition("find\n")[2]
    new = {
        "b/sales.yml": agent("sales"),
        "a.yaml": "# new\n"
        + ROUTED
        + "tools: [find]\ninstructions: 'Answer.'\nmodel: gpt-realtime-2.1\nagent: desk\n",
        "runner.yaml": shared
        + "secrets: {A: {file: a}, B: {env: B}}\nstore: sqlite:b.db\nserver: {port: 2}\n"
        "routing: {otherwise: {agent: sales}}\n",
    }
    assert compared(tmp_path, old, new).is_empty


def test_agents_come_and_go(tmp_path: Path) -> None:
    old = {"a.yaml": agent("a", ROUTED), "b.yaml": agent("b")}
    new = {"a.yaml": agent("a", ROUTED), "c.yaml": agent("c")}
    found = compared(tmp_path, old, new)
    assert (found.added, found.removed, dict(found.agents)) == (("c",), ("b",), {})
    assert not found.is_empty


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "egress: {allow: [a.example]}\n",
            "egress: {allow: [b.example]}\n",
            [("egress.allow", ["a.example"], ["b.example"])],
        ),
        ("", "routing: {otherwise: {reject: 480}}\n", [("routing.otherwise.reject", 404, 480)]),
        (
            "",
            "provider: {base_url: https://a.example/v1}\n",
            [("provider.base_url", Absent.ABSENT, "https://a.example/v1")],
        ),
        ("", "provider: {key_header: api-key}\n", []),
        (
            "",
            "provider: {prices: {a: {per_minute: 0.08}}}\n",
            [("provider.prices.a", Absent.ABSENT, {"per_minute": 0.08})],
        ),
        ("", "provider: {api_key: {env: KEY}, webhook_secrets: [{env: W}]}\n", []),
        ("", "server: {host: 0.0.0.0, port: 80}\nstore: sqlite:a.db\n", []),
        ("", "server: {drain_timeout: 5s}\n", [("server.drain_timeout", "1m", "5s")]),
        (
            "",
            "schedules:\n  hours: {timezone: UTC, open: {mon: 09:00-17:00}}\n"
            "  unused: {timezone: UTC, open: {mon: 09:00-18:00}}\n",
            [],
        ),
        (
            "schedules: {hours: {timezone: UTC, open: {mon: 09:00-17:00}}}\n",
            "schedules: {hours: {timezone: UTC, open: {mon: 09:00-18:00}}}\n",
            [("schedules.hours.open", "mon 09:00-17:00", "mon 09:00-18:00")],
        ),
    ],
)
def test_settings_that_callers_notice_are_compared(
    tmp_path: Path, old: str, new: str, expected: list[tuple[str, object, object]]
) -> None:
    hours = "schedules: {hours: {timezone: UTC, open: {mon: 09:00-17:00}}}\n"
    sides = [
        {
            "desk.yaml": agent("desk", "routes: [{during: hours}]\n"),
            "runner.yaml": hours + text if "hours" not in text else text,
        }
        for text in (old, new)
    ]
    sides = [{**side, "runner.yaml": side["runner.yaml"].replace("}\nschedules: {", ", ")} for side in sides]
    found = compared(tmp_path, *sides)
    assert [(".".join(change.path), change.old, change.new) for change in found.settings] == expected


def test_every_field_of_an_agent_is_compared_somewhere() -> None:
    """Those that are compared otherwise than by their names exist; all others are walked."""
    assert {field.name for field in dataclasses.fields(Agent)} >= _IN_THE_ACCEPT_BODY | _BY_THEMSELVES
    assert {"id", "routes", "instructions", "tools"} == _BY_THEMSELVES
    assert {"model", "voice", "session", "transcription_model"} == _IN_THE_ACCEPT_BODY
