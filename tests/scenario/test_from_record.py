"""A record becomes a scenario that passes as it is."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.api.realtime import api as realtime
from runner.call.machine.world import World
from runner.config.checking.schema import check
from runner.config.load import load
from runner.config.loaded import Loaded
from runner.config.problem import Problems
from runner.config.reading.yaml_text import read
from runner.model.record import Attempt, CallRecord, Deed, ToolUse, Turn
from runner.model.scenario import Scenario
from runner.scenario.from_record import scenario_of
from runner.scenario.player import Player
from runner.scenario.steps import StepPlayer
from runner.scenario.virtual_call import VirtualCall

AGENTS = Path(__file__).parents[2] / "agents"

RECORD = CallRecord(
    id="rtc_1",
    agent="front-desk",
    route=None,
    why="",
    caller="+15185550123",
    called="+18005550142",
    transport="sip",
    created_at=1764000000.0,
    ended="caller_hung_up",
    turns=(
        Turn(role="agent", text="Hello.", at=1764000002.0),
        Turn(role="caller", text="Friday\x85\x00\x1b[2J\u2028?", at=1764000004.0),
        Turn(role="agent", text="One moment.", at=1764000005.5),
        Turn(role="agent", text="At nine.", at=1764000009.0),
        Turn(role="caller", text=None, at=1764000010.0),
    ),
    tools=(
        ToolUse(
            name="find_slots",
            call_id="c",
            arguments={"day": "2026-11-27"},
            started_at=1764000006.0,
            took_s=0.1,
            status="ok",
            tries=(Attempt(at=1764000006.0, took_s=0.1, http_status=200),),
            reply=[{"start": "09:00"}],
        ),
    ),
    deeds=(
        Deed(
            id="deed_1",
            by="shift-lead",
            what="say",
            given={"say": "One moment.", "when": "pause"},
            at=1764000005.0,
            result="heard",
        ),
        Deed(id="deed_2", by="pager", what="hush", given={}, at=1764000007.0, result="refused"),
    ),
)


def test_a_scenario_tells_what_was_said_called_answered_and_done_and_how_it_ended() -> None:
    assert scenario_of(RECORD).splitlines() == [
        "- name: call rtc_1",
        "  at: 2025-11-24T16:00:00+00:00",
        '  call: {from: "+15185550123", to: "+18005550142"}',
        "  expect: {agent: front-desk}",
        "  steps:",
        '    - caller: "Friday\ufffd\ufffd\ufffd[2J\ufffd?"',
        "    - person: {say: One moment., when: pause}",
        '    - model_calls: {find_slots: {day: "2026-11-27"}}',
        '      replies: {find_slots: {json: [{start: "09:00"}]}}',
        "      expect: {requests: [{tool: find_slots}]}",
        "    - model_says: At nine.",
        '    - caller: "(not transcribed)"',
        "    - caller_hangs_up: true",
        "      expect: {ended: caller_hung_up}",
    ]


def test_what_nobody_can_write_in_a_file_costs_no_scenario() -> None:
    """The caller's words, the model's arguments and the endpoint's reply may hold anything."""
    odd = "".join(map(chr, range(0xA0))) + "\u2028\u202e\ufeff\ufffe"
    tool = replace(RECORD.tools[0], arguments={"day": odd, odd: [odd]}, reply={odd: odd})
    turns = (Turn(role="caller", text=odd, at=1764000004.0), Turn(role="agent", text="", at=1764000005.5))
    text = scenario_of(replace(RECORD, turns=turns, tools=(tool,)))
    problems = Problems()
    node = read("a.test.yaml", text.encode(), problems)
    assert node is not None
    check(node, "test", problems)
    assert [str(problem) for problem in problems.sorted()] == []


def test_attempts_are_answered_one_after_the_other() -> None:
    use = replace(
        RECORD.tools[0],
        status="error",
        reply={"error": "taken", "status": 409, "reply": {"error": "taken"}},
        tries=(
            Attempt(at=1.0, error="timeout"),
            Attempt(at=2.0, error="connection"),
            Attempt(at=3.0, http_status=503),
            Attempt(at=4.0, http_status=409),
        ),
    )
    record = replace(RECORD, tools=(use,), turns=(), deeds=(), lookup_s=1.0)
    assert scenario_of(record).splitlines()[3:] == [
        "  replies: {lookup: timeout}",
        "  expect: {agent: front-desk}",
        "  steps:",
        '    - model_calls: {find_slots: {day: "2026-11-27"}}',
        "      replies: {find_slots: [timeout, connection_refused, {status: 503},"
        " {status: 409, json: {error: taken}}]}",
        "    - caller_hangs_up: true",
        "      expect: {ended: caller_hung_up}",
    ]


ROUTED = {
    "plain.yaml": 'agent: plain\ninstructions: Be brief.\nroutes: [{to: "+18005550142"}]\n',
    "gold.yaml": (
        'agent: gold\ninstructions: Be brief.\nroutes: [{to: "+18005550142", headers: {x-plan: gold}}]\n'
        "limits: {concurrent_calls: 2}\nbusy: {agent: silver}\n"
    ),
    "silver.yaml": (
        "agent: silver\ninstructions: Be brief.\nlimits: {calls_per_day: 1}\nbusy: {agent: plain}\n"
        "record: {redact: [phone]}\n"
    ),
    "runner.yaml": (
        "defaults: {model: gpt-realtime-2.1, voice: marin}\n"
        "routing:\n  reject: [{headers: {X-Spam: yes-it-is}, status: 603}]\n  otherwise: {reject: 404}\n"
    ),
    "calls.test.yaml": (
        "- name: by a header\n"
        '  call: {from: "+15185550123", to: "+18005550142",'
        ' headers: {X-Plan: gold, X-Spam: "+15185550199", X-Else: a}}\n'
        "  expect: {agent: gold}\n"
        "- name: busy\n"
        '  call: {from: "+15185550123", to: "+18005550142", headers: {X-Plan: gold}}\n'
        "  live_calls: {gold: 2}\n  calls_today: {silver: 1}\n"
        "  expect: {agent: plain}\n"
        "- name: masked\n"
        '  call: {from: "+15185550123", to: "+18005550142",'
        ' headers: {X-Plan: gold, X-Spam: "+15185550199"}}\n'
        "  live_calls: {gold: 2}\n  expect: {agent: silver}\n"
    ),
}


def test_headers_and_limits_that_chose_the_agent_come_with_the_scenario(tmp_path: Path) -> None:
    for name, text in ROUTED.items():
        (tmp_path / name).write_text(text)
    loaded = load(tmp_path)
    assert list(map(str, [*loaded.problems, *loaded.scenario_problems])) == []
    texts = list(_made(loaded))
    assert ["\n".join(text.splitlines()[2:]) for text in texts] == [
        '  call: {from: "+15185550123", to: "+18005550142",'
        ' headers: {X-Plan: gold, X-Spam: "+15185550199"}}\n'
        "  expect: {agent: gold}",
        '  call: {from: "+15185550123", to: "+18005550142", headers: {X-Plan: gold}}\n'
        "  live_calls: {gold: 2}\n"
        "  calls_today: {silver: 1}\n"
        "  expect: {agent: plain}",
        "  at: 2026-01-05T12:00:00+00:00\n"
        '  call: {from: "+15185550123", to: "+18005550142", headers: {X-Plan: gold, X-Spam: "[phone]"}}\n'
        "  live_calls: {gold: 2}\n"
        "  expect: {agent: silver}",
    ]
    assert texts[2].startswith(
        "# X-Spam is masked in the record. If a route asks for it, write what it was.\n"
    )
    (tmp_path / "calls.test.yaml").write_text("".join(texts))
    assert failed(tmp_path) == {}


@pytest.mark.parametrize(
    ("matcher", "value"),
    [
        ('{prefix: "+1518"}', '"sip:+15185500100@carrier.example"'),
        ('["+15185550199", desk]', '"+15185550199"'),
        ("{not: desk}", None),
    ],
)
def test_a_value_that_the_route_takes_stands_for_a_masked_header(
    tmp_path: Path, matcher: str, value: str | None
) -> None:
    head = "instructions: Be brief.\nmodel: gpt-realtime-2.1\nroutes: [{to: '+18005550142'"
    (tmp_path / "plain.yaml").write_text(f"agent: plain\n{head}}}]\n")
    (tmp_path / "gold.yaml").write_text(
        f"agent: gold\nrecord: {{redact: [phone]}}\n{head}, headers: {{x-account: {matcher}}}}}]\n"
    )
    (tmp_path / "calls.test.yaml").write_text(
        "- name: masked\n"
        '  call: {from: "+15185550123", to: "+18005550142", headers: {X-Account: "+15185550199"}}\n'
        "  expect: {agent: gold}\n"
    )
    loaded = load(tmp_path)
    assert loaded.configuration is not None
    [route] = loaded.configuration.agents["gold"].routes
    record = played(loaded.scenarios[0], loaded)
    assert record is not None
    assert record.headers == {"X-Account": "[phone]"}
    text = scenario_of(record, route)
    said = f"X-Account is masked in the record: {value} stands for it, which the same route takes."
    assert (said in text) is (value is not None)
    (tmp_path / "calls.test.yaml").write_text(text)
    assert failed(tmp_path) == {}


def test_a_withheld_caller_stays_in_the_share_of_the_call(tmp_path: Path) -> None:
    route = 'routes: [{to: "+18005550142"%s}]\ninstructions: Be brief.\nmodel: gpt-realtime-2.1\n'
    (tmp_path / "half.yaml").write_text(f"agent: half\n{route % ', share: 50%'}")
    (tmp_path / "rest.yaml").write_text(f"agent: rest\n{route % ''}")
    call = "{id: %s, from: anonymous, to: '+18005550142'}"
    scenarios = "- {name: %s, call: %s, expect: {not: {rejected: 404}}}\n"
    ids = [f"rtc_u0_{number}" for number in range(8)]
    (tmp_path / "calls.test.yaml").write_text(
        "".join(scenarios % (call_id, call % call_id) for call_id in ids)
    )
    loaded = load(tmp_path)
    records = [record for scenario in loaded.scenarios if (record := played(scenario, loaded)) is not None]
    assert [record.id for record in records] == ids
    assert {record.agent for record in records} == {"half", "rest"}
    (tmp_path / "calls.test.yaml").write_text("".join(map(scenario_of, records)))
    assert failed(tmp_path) == {}


def failed(agents: Path) -> dict[str, list[str]]:
    """What differs in each scenario of a directory that does not pass."""
    loaded = load(agents)
    assert list(map(str, loaded.scenario_problems)) == []
    assert loaded.configuration is not None
    player = Player(loaded.configuration, realtime)
    return {
        scenario.name: [difference.what for difference in result.differences]
        for scenario in loaded.scenarios
        if (result := player.play(scenario)).differences
    }


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    return load(AGENTS)


def played(scenario: Scenario, loaded: Loaded) -> CallRecord | None:
    """The record of a scenario that was played; None for a call that was turned away."""
    assert loaded.configuration is not None
    secrets = dict.fromkeys(loaded.configuration.settings.secrets, "placeholder")
    call = VirtualCall(scenario, World.of(loaded.configuration, secrets), realtime)
    steps = StepPlayer(call)
    steps.begin(scenario.steps[0] if scenario.steps else None)
    for number, step in enumerate(scenario.steps):
        call.answer_with({**scenario.replies, **step.replies})
        steps.play(step, next(iter(scenario.steps[number + 1 :]), None))
    return call.machine.record()


def test_of_each_example_call_a_scenario_is_made_that_passes_as_it_is(tmp_path: Path, loaded: Loaded) -> None:
    texts = list(_made(loaded))
    assert len(texts) >= 25
    for path in AGENTS.rglob("*"):
        if path.is_file() and not path.name.endswith(".test.yaml"):
            copy = tmp_path / path.relative_to(AGENTS)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    (tmp_path / "made.test.yaml").write_text("".join(texts))
    assert failed(tmp_path) == {}


def _made(loaded: Loaded) -> Iterator[str]:
    for number, scenario in enumerate(loaded.scenarios):
        if scenario.environment is None and (record := played(scenario, loaded)) is not None:
            yield scenario_of(replace(record, id=f"rtc_{number}"))
