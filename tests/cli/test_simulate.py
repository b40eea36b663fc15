"""`phone-agents simulate`: whole calls on the real server; what is printed, and the exit code."""

import json
import logging
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.call.records.record_json import of_json
from runner.cli.main import CANNOT, OK, PROBLEMS, USAGE, main
from runner.scenario.from_record import scenario_of

EXAMPLES = Path(__file__).parents[2] / "agents"
FRONT_DESK = """\
agent: front-desk
description: Answers the main line.
routes: [{to: "+18005551212"}]
model: gpt-realtime-2.1
instructions: Be kind.
greeting: Thanks for calling.
tools:
  - name: find_slots
    description: Find free times.
    parameters:
      type: object
      properties: {day: {type: string, examples: [2026-11-27]}}
      required: [day]
    http:
      method: GET
      url: https://api.maple.example/slots
      query: {day: "{{ args.day }}", key: "{{ secrets.MAPLE_TOKEN }}"}
    result: {example: {slots: ["09:00"]}}
  - name: end_call
    description: End the call.
    hangup: {say: Goodbye!}
"""
SETTINGS = "secrets: {MAPLE_TOKEN: {env: MAPLE_TOKEN}}\n"


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No variable and no handler of a test's stays behind, and the terminal has a known width."""
    monkeypatch.delenv("MAPLE_TOKEN", raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    root, ours = logging.getLogger(), logging.getLogger("runner")
    handlers, levels = list(root.handlers), (root.level, ours.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    write(tmp_path, front_desk=FRONT_DESK)
    (tmp_path / "runner.yaml").write_text(SETTINGS, encoding="utf-8")
    return tmp_path


def write(directory: Path, **files: str) -> None:
    for name, text in files.items():
        (directory / f"{name}.yaml").write_text(text, encoding="utf-8")


def simulate(directory: Path, *options: str) -> int:
    return main(["simulate", str(directory), *options])


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed, with durations that differ from run to run made the same."""
    return re.sub(r"\((\d+ ms|\d+\.\d s)\)", "(… ms)", capsys.readouterr().out)


def document(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(capsys.readouterr().out)
    return parsed


def test_a_call_is_told_from_the_ringing_to_the_record(
    agents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulate(agents) == OK
    text = printed(capsys).replace(str(agents), "agents")
    conversation, _, record = text.partition("\nrecord\n")
    story = conversation[conversation.index(" 0:00.0 rings") :]
    assert (
        story
        == """\
 0:00.0 rings     +14155550100 calls +18005551212
 0:00.0 answered  by front-desk (… ms)
 0:00.7 agent     Thanks for calling.
 0:02.0 caller    Hello! I have a question.
 0:04.5 tool      find_slots {"day": "2026-11-27"}
                  → GET https://api.maple.example/slots?day=2026-11-27&key=<MAP
                  LE_TOKEN>
                  ← {"slots": ["09:00"]} (… ms)
 0:05.5 agent     Is there anything else I can do for you?
 0:08.4 caller    That is all. Thank you, goodbye!
 0:11.2 tool      end_call {}
 0:11.8 agent     Goodbye!
 0:12.0 hangs up
"""
    )
    assert "  ended     hangup: the agent hung up after 0:12.0\n" in record
    assert "  turns     5\n" in record
    assert "  tools     find_slots ok (… ms); end_call ok (… ms)\n" in record


@pytest.mark.parametrize("agent", ["front-desk", "after-hours", "order-line", "web-desk"])
def test_every_example_of_the_project_plays_well_at_any_time(
    agent: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulate(EXAMPLES, "--agent", agent, "--format", "json") == OK
    played = document(capsys)
    assert (played["agent"], played["problems"]) == (agent, [])


def test_a_browser_meets_the_agent_without_its_transfers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "agents"
    shutil.copytree(EXAMPLES, copy, ignore=shutil.ignore_patterns("*.test.yaml"))
    text = (copy / "after-hours.yaml").read_text()
    assert "transfer:" in text
    (copy / "after-hours.yaml").write_text(text.replace("routes:\n", "routes:\n  - transport: webrtc\n"))
    parties = ("--from", "web:user-1", "--to", "web:after-hours")
    assert simulate(copy, "--agent", "after-hours", *parties, "--format", "json") == OK
    played = document(capsys)
    assert played["problems"] == []
    assert "to_on_call" not in [tool["name"] for tool in played["record"]["tools"]]


@pytest.mark.parametrize("agent", ["after-hours", "front-desk", "order-line", "recepcion", "web-desk"])
def test_a_scenario_of_a_simulated_call_ends_as_the_call_did(
    agent: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sockets and real time there, a virtual clock here: the machine and the stand-in are the same."""
    assert simulate(EXAMPLES, "--agent", agent, "--format", "json") == OK
    record = of_json(document(capsys)["record"])
    copy = tmp_path / "agents"
    shutil.copytree(EXAMPLES, copy, ignore=shutil.ignore_patterns("*.test.yaml"))
    text = scenario_of(record)
    assert f"expect: {{ended: {record.ended}" in text
    (copy / "simulated.test.yaml").write_text(text, encoding="utf-8")
    assert main(["test", str(copy)]) == OK, capsys.readouterr().out


def test_an_agent_that_no_route_leads_to_is_played_through_the_one_that_hands_calls_to_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert simulate(EXAMPLES, "--agent", "recepcion", "--format", "json") == OK
    played = document(capsys)
    assert (played["agent"], played["problems"]) == ("front-desk", [])
    assert [tool["name"] for tool in played["record"]["tools"]] == [
        "to_spanish", "take_message", "to_a_person", "end_call",
    ]  # fmt: skip


def test_json_is_one_document_with_conversation_requests_and_record(
    agents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulate(agents, "--format", "json") == OK
    played = document(capsys)
    assert played["version"] == 1
    assert played["call"]["to"] == "+18005551212"
    assert [moment["what"] for moment in played["conversation"]] == [
        "rings", "answered", "agent", "caller", "tool", "request", "output",
        "agent", "caller", "tool", "agent", "hangup",
    ]  # fmt: skip
    assert played["requests"] == [
        {
            "tool": "find_slots",
            "tool_call_id": "call_100001",
            "method": "GET",
            "url": "https://api.maple.example/slots?day=2026-11-27&key=<MAPLE_TOKEN>",
        }
    ]
    assert (played["record"]["agent"], played["record"]["ended"]) == ("front-desk", "hangup")
    assert (played["notes"], played["problems"]) == ([], [])


def test_the_tool_and_its_arguments_can_be_given(agents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate(agents, "--format", "json", "--call", 'find_slots={"day": "2027-01-01"}') == OK
    played = document(capsys)
    assert [request["url"].partition("&")[0] for request in played["requests"]] == [
        "https://api.maple.example/slots?day=2027-01-01"
    ]
    assert played["record"]["ended"] == "caller_hung_up"


def test_arguments_that_do_not_fit_are_a_problem(agents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate(agents, "--format", "json", "--call", "find_slots={}") == PROBLEMS
    played = document(capsys)
    assert played["requests"] == []
    (problem,) = played["problems"]
    assert problem.startswith('tool "find_slots" is refused: ')


def test_a_tool_without_an_example_is_noted(agents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(agents, front_desk=FRONT_DESK.replace('    result: {example: {slots: ["09:00"]}}\n', ""))
    assert simulate(agents, "--format", "json") == OK
    assert document(capsys)["notes"] == [
        '"find_slots" has no result.example, so its endpoint was played with {}'
    ]


def test_a_backend_that_is_down_is_a_problem_with_live_tools(
    agents: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Loopback is refused without being asked, so nothing leaves this machine.
    write(agents, front_desk=FRONT_DESK.replace("api.maple.example", "127.0.0.1:9"))
    monkeypatch.setenv("MAPLE_TOKEN", "a-real-secret")
    assert simulate(agents, "--live-tools") == PROBLEMS
    text = " ".join(printed(capsys).split())
    assert 'wrong: tool "find_slots" is error: ' in text
    assert "a-real-secret" not in text


def test_live_tools_want_the_real_secrets(agents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate(agents, "--live-tools") == CANNOT
    assert capsys.readouterr().err == (
        'phone-agents simulate: environment variable "MAPLE_TOKEN" is not set (secrets.MAPLE_TOKEN)\n'
    )


@pytest.fixture
def day_and_night(agents: Path) -> Path:
    """Two agents of one number: one has the office hours, the other the rest."""
    write(agents, front_desk=FRONT_DESK.replace('"+18005551212"', '"+18005551212", during: hours'))
    write(agents, night=FRONT_DESK.replace("agent: front-desk", "agent: night"))
    hours = "schedules: {hours: {timezone: America/New_York, open: {mon-fri: 09:00-17:00}}}\n"
    (agents / "runner.yaml").write_text(SETTINGS + hours, encoding="utf-8")
    return agents


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--agent", "front-desk", "--at", "2026-11-28T12:00-05:00"],
            'at Saturday 2026-11-28T12:00-05:00 "night" answers such a call, so it comes at Monday '
            '2026-11-30T09:00-05:00, when "front-desk" does',
        ),
        (
            ["--agent", "night", "--at", "2026-11-25T23:00+07:00"],
            'at Wednesday 2026-11-25T23:00+07:00 "front-desk" answers such a call, so it comes at Thursday '
            '2026-11-26T05:00+07:00, when "night" does',
        ),
        (
            ["--agent", "night", "--at", "2026-11-28T12:00-05:00"],
            "the call comes at Saturday 2026-11-28T12:00-05:00",
        ),
        (["--at", "2028-02-29T12:00Z"], "the call comes at Tuesday 2028-02-29T12:00+00:00"),
    ],
)
def test_an_agent_that_answers_at_other_times_is_called_then(
    day_and_night: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert simulate(day_and_night, *options) == OK
    assert said in " ".join(printed(capsys).split())
    assert simulate(day_and_night, *options, "--format", "json") == OK
    assert document(capsys)["call"]["when"] == said


def test_headers_of_the_call_can_be_given(agents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gold = 'routes: [{to: "+18005551212", headers: {X-Plan: gold}}]'
    write(
        agents,
        gold=FRONT_DESK.replace("agent: front-desk", "agent: gold").replace(
            'routes: [{to: "+18005551212"}]', gold
        ),
    )
    options = ["--to", "+18005551212", "--header", "X-Plan: gold", "--format", "json"]
    assert simulate(agents, *options) == OK
    played = document(capsys)
    assert (played["agent"], played["call"]["headers"]) == ("gold", [["X-Plan", "gold"]])
    assert simulate(agents, "--header", "X-Plan") == USAGE
    assert capsys.readouterr().err == (
        "phone-agents simulate: \"X-Plan\" is not a header; write one such as 'X-Plan: gold'\n"
    )


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--agent", "frontdesk"], USAGE, 'there is no agent "frontdesk"; did you mean "front-desk"?'),
        (
            ["--call", "find_slot"],
            USAGE,
            '--call: agent "front-desk" has no tool "find_slot"; did you mean "find_slots"?',
        ),
        (
            ["--call", "find_slots={x}"],
            USAGE,
            '--call: "{x}" is not JSON; write find_slots=\'{"key": "value"}\'',
        ),
        (
            ["--to", "+18005559999"],
            PROBLEMS,
            'nobody answers a call from "+14155550100" to "+18005559999" at Monday 2026-11-23T12:00-05:00: '
            "no route matches, and routing.otherwise rejects with 404; --agent NAME plays a call "
            "that this agent answers, at a time when it does",
        ),
        (
            ["--agent", "front-desk", "--to", "+18005559999"],
            PROBLEMS,
            'no call from "+14155550100" to "+18005559999" was found that "front-desk" answers; at Monday '
            "2026-11-23T12:00-05:00 nobody answers it: no route matches, and routing.otherwise rejects with "
            "404",
        ),
    ],
)
def test_a_call_that_cannot_be_placed_says_what_would_help(
    agents: Path, capsys: pytest.CaptureFixture[str], options: list[str], code: int, message: str
) -> None:
    assert simulate(agents, "--at", "2026-11-23T12:00-05:00", *options) == code
    captured = capsys.readouterr()
    assert captured.err == f"phone-agents simulate: {message}\n"
    assert captured.out == ""


def test_a_configuration_with_errors_is_not_played(agents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(agents, front_desk=FRONT_DESK.replace("greeting:", "greetin:"))
    assert simulate(agents) == PROBLEMS
    captured = capsys.readouterr()
    assert 'did you mean "greeting"?' in captured.err
    assert captured.out == ""


def test_a_directory_that_is_not_there_cannot_be_played(tmp_path: Path) -> None:
    assert simulate(tmp_path / "nowhere") == CANNOT


@pytest.mark.parametrize("speed", ["-1", "fast", "nan"])
def test_a_speed_is_a_number(agents: Path, speed: str) -> None:
    assert simulate(agents, "--speed", speed) == USAGE


def test_a_speed_paces_the_call(agents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate(agents, "--speed", "200", "--format", "json") == OK
    record = document(capsys)["record"]
    # Twelve seconds of conversation at 200 times the speed of people.
    assert record["ended_at"] - record["accepted_at"] > 0.05


@pytest.mark.parametrize("columns", [30, 38, 60, 200])
def test_no_line_is_wider_than_the_terminal(
    agents: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert shutil.get_terminal_size().columns == columns
    assert simulate(agents) == OK
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) <= columns


def test_what_is_printed_for_no_terminal_has_no_colour(
    agents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulate(agents) == OK
    assert "\x1b" not in capsys.readouterr().out


def test_nothing_of_the_call_is_left_on_the_disk(
    agents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    assert simulate(agents) == OK
    assert list(here.iterdir()) == []


def test_of_a_long_answer_the_beginning_is_shown(agents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slots = json.dumps([f"{hour:02}:{minute:02}" for hour in range(24) for minute in (0, 15, 30, 45)])
    write(agents, front_desk=FRONT_DESK.replace('["09:00"]', slots))
    assert simulate(agents) == OK
    lines = capsys.readouterr().out.splitlines()
    first = next(number for number, line in enumerate(lines) if "← " in line)
    assert [line.endswith(" …") for line in lines[first : first + 4]] == [False, False, False, True]
    assert " agent " in lines[first + 4]


def test_a_lookup_is_played_with_its_default(agents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lookup = 'lookup: {http: {url: "https://crm.example/{{ secrets.MAPLE_TOKEN }}"}, default: {name: Ada}}\n'
    write(agents, front_desk=FRONT_DESK.replace("Be kind.", '"{{ lookup.name }}"') + lookup)
    assert simulate(agents, "--format", "json") == OK
    found = document(capsys)
    assert found["notes"] == ["the lookup was answered with its default"]
    first = found["requests"][0]
    assert (first["tool"], first["method"], first["url"]) == (
        "lookup",
        "POST",
        "https://crm.example/<MAPLE_TOKEN>",
    )
    assert (found["record"]["faults"], found["record"]["lookup_s"] is not None) == ([], True)


def test_a_template_that_fails_in_the_call_is_told(agents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    greeting = "greeting: \"{{ 100 / (call.headers['X-Waiting'] | default(1) | int) }}\""
    failing = FRONT_DESK.replace("greeting: Thanks for calling.", greeting)
    write(agents, front_desk=failing)
    assert simulate(agents, "--header", "X-Waiting: 0") == OK
    told = " ".join(capsys.readouterr().out.split())
    assert (
        "fault: the template \"{{ 100 / (call.headers['X-Waiting'] | default(1) | int) }}\" failed:" in told
    )
    assert told.endswith("failed: division by zero")
