"""The whole language as its schemas see it: what is right is taken, and what is wrong in one place is not.

Plain JSON Schema judges here, as it does in an editor; how errors are told is the loader's business.
"""

from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from runner.config.checking.schema_files import schema
from runner.config.node import Node
from runner.config.problem import Problems
from runner.config.reading.yaml_text import read

AGENT = "agent: a\ninstructions: Be brief.\n"
SCENARIO = '- name: n\n  call: {to: "+18005550142"}\n'


def document(text: str) -> Any:
    """What a text holds; URL in it stands for a whole `url:`."""
    text = text.replace("URL", "url: https://api.maple.example/x")
    problems = Problems()
    node = read("x.yaml", text.encode(), problems)
    assert not problems.sorted(), problems.sorted()
    assert isinstance(node, Node)
    return node.data()


@cache
def validator(kind: str) -> Draft202012Validator:
    return Draft202012Validator(schema(kind))


def is_valid(kind: str, text: str) -> bool:
    return validator(kind).is_valid(document(text))


ROUTES = [
    '{to: "+18005550142"}',
    "{to: +18005550142, from: {prefix: +1800}}",
    "{to: {user: 1001}, headers: {X-Line: 7}}",
    "{to: sip:desk@pbx.example, priority: -1}",
    '{to: {prefix: "+1800"}, from: {country: [US, CA]}, during: office-hours, transport: sip}',
    "{from: {country: NO}}",
    "{to: {user: desk, host: pbx.example}}",
    "{to: {host: pbx.example}}",
    '{to: {regex: ".*"}, from: {anonymous: true}}',
    "{from: [{in: _lists/vip.txt}, {not: {country: US}}]}",
    "{headers: {X-Plan: gold, x-tier: [a, b]}, share: 10%}",
    "{}",
]
NO_ROUTES = [
    "{too: a}",
    "{to: {prefix: '800'}}",
    "{to: {prefix: '+1', country: US}}",
    "{to: {country: usa}}",
    "{to: {}}",
    "{to: []}",
    "{to: true}",
    "{headers: {'X Plan': gold}}",
    "{transport: udp}",
    "{share: 10}",
    "{share: 101%}",
    "{priority: high}",
]


@pytest.mark.parametrize("route", ROUTES)
def test_a_route_is_taken(route: str) -> None:
    assert is_valid("agent", f"{AGENT}routes: [{route}]")


@pytest.mark.parametrize("route", NO_ROUTES)
def test_what_is_no_route_is_refused(route: str) -> None:
    assert not is_valid("agent", f"{AGENT}routes: [{route}]")


TOOLS = [
    "lookup_order",
    "{name: t, hangup: {}}",
    "{name: t, description: d, parameters: {type: object}, static: [1, null, {a: b}]}",
    "{name: t, transfer: {destinations: {billing: 'tel:+14155550123', nurse: 'sip:nurse@maple.example'}}}",
    "{name: t, transfer: {destinations: {mine: '{{ vars.number }}'}, say: Wait., if_not_completed: Sorry.}}",
    "{name: t, handoff: {agent: recepcion}}",
    "{mcp: {server_label: crm, server_url: 'https://mcp.maple.example', require_approval: never}}",
    "{openapi: {document: _openapi/orders.yaml, operations: [getOrder]}}",
    "{name: t, http: {URL}}",
    "{name: t, http: {method: GET, URL, query: {a: 1, b: [x, null], c: '{{ args.c }}'}}}",
    "{name: t, http: {URL, headers: {X-A: b}, text: hello, sign: s, timeout: 1.5s}}",
    "{name: t, http: {URL, json: [1], auth: {basic: {username: u, password: p}}}}",
    "{name: t, http: {URL, form: {a: b}, auth: {api_key: {name: k, value: v, in: query}}}}",
    "{name: t, http: {URL, retries: {attempts: 2, backoff: 200ms, on: [timeout, connection, 503]}}}",
    "{name: t, http: {URL}, result: {select: a, set: {b: c}, on_error: d, example: null, max_chars: 9}}",
    "{name: t, http: {URL}, while_waiting: [{after: 1s, say: [One., Two.]}, {after: 9s, tell: Go on.}]}",
    "{name: t, http: {URL}, background: true, idempotent: true, when: vars.ok, otherwise: Ask.}",
]
NO_TOOLS = [
    "lookup order",
    "{name: t}",
    "{hangup: {}}",
    "{name: t, hangup: {}, static: 1}",
    "{name: t t, hangup: {}}",
    "{name: t, hangup: Goodbye!}",
    "{name: t, hangup: {}, result: {select: a}}",
    "{name: t, hangup: {}, otherwise: Ask.}",
    "{name: t, transfer: {destinations: {}}}",
    "{name: t, transfer: {destinations: {billing: '+14155550123'}}}",
    "{name: t, transfer: {destinations: {billing: 'tel:+14155550123'}}, parameters: {type: object}}",
    "{name: t, http: {}}",
    "{name: t, http: {url: api.maple.example}}",
    "{name: t, http: {URL, method: get}}",
    "{name: t, http: {URL, json: 1, form: {a: b}}}",
    "{name: t, http: {URL, text: a, form: {a: b}}}",
    "{name: t, http: {URL, auth: {bearer: a, basic: {username: u, password: p}}}}",
    "{name: t, http: {URL, auth: {basic: {username: u}}}}",
    "{name: t, http: {URL, timeout: 5}}",
    "{name: t, http: {URL, timeout: 5 s}}",
    "{name: t, http: {URL, retries: {attempts: 0}}}",
    "{name: t, http: {URL, retries: {attempts: 2, on: [200]}}}",
    "{name: t, http: {URL, retries: {attempts: 2, on: [refused]}}}",
    "{name: t, http: {URL}, result: {max_chars: 0}}",
    "{name: t, http: {URL}, while_waiting: [{after: 1s}]}",
    "{name: t, http: {URL}, while_waiting: [{after: 1s, say: a, tell: b}]}",
    "{mcp: {server_url: 'https://mcp.maple.example'}}",
    "{openapi: {document: a.yaml, operations: []}}",
]


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_is_taken(tool: str) -> None:
    assert is_valid("agent", f"{AGENT}tools: [{tool}]")


@pytest.mark.parametrize("tool", NO_TOOLS)
def test_what_is_no_tool_is_refused(tool: str) -> None:
    assert not is_valid("agent", f"{AGENT}tools: [{tool}]")


@pytest.mark.parametrize("tool", [tool for tool in TOOLS if "name: t" in tool])
def test_a_shared_tool_has_its_name_as_its_key(tool: str) -> None:
    assert is_valid("runner", f"tools: {{t: {tool.replace('name: t, ', '')}}}")
    assert not is_valid("runner", f"tools: {{t: {tool}}}")


AGENT_PARTS = [
    "greeting: {tell: Greet the caller.}",
    "greeting: {wait: true}",
    "api: live",
    "lookup: {http: {method: GET, URL}, timeout: 1.5s, default: {name: null}}",
    "keys: {until: '#', timeout: 5s, max: 12, private: false}",
    "limits: {max_duration: 15m, wind_down: {before: 60s, tell: One minute is left.}, max_cost: 2.00}",
    "limits: {silence: {after: 20s, say: Still there, times: 2, then: hangup}, ghost_after: 30s}",
    "limits: {max_tool_calls: 40, concurrent_calls: 50, calls_per_day: 2000}",
    "busy: {reject: 486}",
    "busy: {agent: overflow}",
    "if_broken: {transfer: 'tel:+14155550123'}",
    "if_broken: {say: Sorry.}",
    r"guardrails: [{name: n, on: agent, matches: '\b\d+\b', then: cancel, say: No.}]",
    "guardrails: [{name: n, on: caller, matches: agent, then: {handoff: b}}]",
    "outcome: {model: gpt-5-mini, schema: {type: object}}",
    "on_end: [{http: {URL}, sign: '{{ secrets.S }}'}]",
    "record: {transcript: true, redact: [payment_card, args.ssn]}",
]
NO_AGENT_PARTS = [
    "model: ''",
    "greeting: {wait: false}",
    "greeting: {say: Hello.}",
    "api: chat",
    "lookup: {timeout: 1.5s}",
    "keys: {until: '##'}",
    "limits: {max_duration: 900}",
    "limits: {max_cost: 0}",
    "limits: {silence: {after: 20s}}",
    "busy: {reject: 200}",
    "busy: {reject: 486, agent: overflow}",
    "if_broken: hangup",
    "guardrails: [{name: n, on: both, matches: a, then: cancel}]",
    "outcome: {model: gpt-5-mini}",
    "on_end: {http: {}}",
    "record: {redact: [cards]}",
    "vars: {my-clinic: a}",
    "temperature: 1",
]


@pytest.mark.parametrize("part", AGENT_PARTS)
def test_a_part_of_an_agent_is_taken_and_may_be_a_default(part: str) -> None:
    assert is_valid("agent", AGENT + part)
    assert is_valid("runner", f"defaults:\n  {part}")


@pytest.mark.parametrize("part", NO_AGENT_PARTS)
def test_what_is_no_part_of_an_agent_is_refused(part: str) -> None:
    assert not is_valid("agent", AGENT + part)


@pytest.mark.parametrize("text", ["instructions: a", "agent: a", "agent: A\ninstructions: a", "[]"])
def test_an_agent_needs_an_id_and_instructions(text: str) -> None:
    assert not is_valid("agent", text)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "provider: {api_key: {file: /run/secrets/key}, webhook_secrets: [{env: A}, {env: B}]}",
        "server: {host: 0.0.0.0, port: 0, drain_timeout: 60s, max_call_age: 2m}",
        "store: sqlite:calls.db",
        "store: postgresql://db.example/calls",
        "store: {env: DATABASE}",
        "records: {keep: 90d}",
        "routing: {default_country: US, called_number: [X-Dialled], otherwise: {agent: a}}",
        "routing: {reject: [{from: {in: _lists/blocked.txt}, status: 603}, {to: '+1'}]}",
        "schedules: {s: {timezone: America/New_York, open: {mon-fri: 09:00-17:00, sat: [10:00-12:00]}}}",
        "schedules: {s: {timezone: UTC, open: {sun: 22:00-06:00, mon: 00:00-24:00}, closed: [2026-12-25]}}",
        "secrets: {A_B: {env: A_B}}",
        "egress: {allow: ['*.maple.example'], private_networks: allow}",
        "environments: {staging: {vars: {a: b}, provider: {base_url: 'http://localhost:1/v1'}}}",
    ],
)
def test_settings_are_taken(text: str) -> None:
    assert is_valid("runner", text)


@pytest.mark.parametrize(
    "text",
    [
        "agent: a",
        "provider: {api_key: sk-123}",
        "provider: {api_key: {env: A, file: b}}",
        "provider: {api_key: {env: 'sk-123'}}",
        "provider: {webhook_secrets: []}",
        "provider: {base_url: api.openai.com}",
        "server: {port: 65536}",
        "server: {drain_timeout: 60}",
        "store: calls.db",
        "store: {env: 'postgresql://db.example/calls'}",
        "records: {keep: 90}",
        "records: {keep: 0d}",
        "records: {keep: 12h}",
        "routing: {default_country: usa}",
        "routing: {reject: [{priority: 1}]}",
        "routing: {otherwise: hangup}",
        "schedules: {s: {open: {mon: 09:00-17:00}}}",
        "schedules: {s: {timezone: UTC, open: {monday: 09:00-17:00}}}",
        "schedules: {s: {timezone: UTC, open: {mon: 9-17}}}",
        "schedules: {s: {timezone: UTC, open: {mon: 25:00-26:00}}}",
        "schedules: {s: {timezone: UTC, open: {mon: 09:00-17:00}, closed: [25.12.2026]}}",
        "secrets: {A: abc}",
        "egress: {private_networks: true}",
        "defaults: {agent: a}",
        "defaults: {routes: []}",
        "environments: {staging: {environments: {}}}",
    ],
)
def test_what_is_no_setting_is_refused(text: str) -> None:
    assert not is_valid("runner", text)


STEPS = [
    "{caller: Hello., expect: {says: ['*'], requests: [], vars: {a: 1}}}",
    "{model_calls: {find_slots: {day: 2026-11-27}}, replies: {find_slots: {status: 503, delay: 4s}}}",
    "{model_calls: {a: {}, b: {}}, replies: {a: timeout, b: [connection_refused, {json: {}}, {text: x}]}}",
    "{model_calls: {a: {}}, expect: {requests: [{method: GET, path: /slots, query: {day: x}, attempts: 2}]}}",
    "{model_calls: {a: {}}, expect: {output: {a: {error: '*'}}, ended: hangup, not: {says: [x]}}}",
    "{keys: '1234#'}",
    "{silence: 20s}",
    "{model_calls: [{a: {}}, {a: {b: 1}}]}",
    "{interrupts: {after: 800ms}}",
    "{interrupts: {after: 800ms, caller: Wait.}, expect: {says: []}}",
    "{nothing_heard: 45s}",
    "{sideband_lost: 3s}",
    "{hands_off_refused: true}",
    "{restart: true, replies: {a: {json: {}}}}",
    "{model_says: Goodbye., model_calls: {a: {}}}",
    "{person: {say: One moment., when: now}}",
    "{person: {transfer: nurse, say: One moment., ends: not_completed}, expect: {says: [a]}}",
    "{person: {take-over: 60s}}",
    "{caller_hangs_up: true}",
    "{model_says: Hello.}",
]


@pytest.mark.parametrize("step", STEPS)
def test_a_step_of_a_scenario_is_taken(step: str) -> None:
    assert is_valid("test", f"{SCENARIO}  steps: [{step}]")


@pytest.mark.parametrize(
    "step",
    [
        "{}",
        "{expect: {says: [a]}}",
        "{caller: Hello., silence: 20s}",
        "{caller: Hello., expect: {}}",
        "{caller: Hello., expect: {say: [a]}}",
        "{model_calls: {a: {}}, replies: {a: {json: {}, text: x}}}",
        "{model_calls: {a: {}}, replies: {a: broken}}",
        "{keys: 12x}",
        "{silence: 20}",
        "{model_calls: []}",
        "{model_calls: [{}]}",
        "{interrupts: 800ms}",
        "{interrupts: {caller: Wait.}}",
        "{sideband_lost: 3}",
        "{hands_off_refused: false}",
        "{restart: false}",
        "{model_says: Goodbye., caller: Goodbye.}",
        "{person: {}}",
        "{person: {say: Hi., tell: Go.}}",
        "{person: {instructions: {add: a, replace: b}}}",
        "{person: {take-over: 60}}",
    ],
)
def test_what_is_no_step_is_refused(step: str) -> None:
    assert not is_valid("test", f"{SCENARIO}  steps: [{step}]")


def test_a_scenario_has_a_name_a_call_and_a_moment_with_its_offset() -> None:
    assert is_valid("test", SCENARIO + "  at: 2026-11-23T15:00:00-05:00\n  expect: {rejected: 603}")
    assert not is_valid("test", SCENARIO + "  at: 2026-11-23 15:00")
    assert not is_valid("test", "- name: n")
    assert not is_valid("test", "[]")
