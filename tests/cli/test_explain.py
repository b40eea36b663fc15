"""`phone-agents explain`: every value with its origin, the exact accept body, and no secret."""

import json
from pathlib import Path
from typing import Any

import pytest

from runner.cli.main import main

DESK = """\
agent: desk
description: Answers the main line.
routes: [{to: "+18005551212"}]
model: gpt-realtime-2.1
instructions: |
  You work for {{ vars.clinic }}.
  {{ lookup.name or "A stranger" }} calls from {{ call.from.number }}.
vars: {clinic: Maple Dental}
lookup:
  http:
    method: GET
    url: https://crm.example/{{ call.from.number }}
    headers: {X-Api-Key: written-out, X-Shop: maple, X-Token: "{{ secrets.TOKEN }}"}
    auth: {basic: {username: desk, password: written-out}}
  default: {name: null}
tools:
  - find
  - name: end_call
    description: End the call.
    hangup: {say: Goodbye!}
limits: {concurrent_calls: 2}
"""
RUNNER = """\
secrets: {TOKEN: {env: TOKEN}}
tools:
  find: {description: Find it., http: {method: GET, url: "https://api.example/find"}}
defaults:
  voice: marin
  busy: {reject: 480}
environments:
  staging:
    vars: {clinic: Maple Dental (test)}
    tools: {find: {http: {url: "https://staging.example/find"}}}
"""


HOURS = """\
schedules: {hours: {timezone: America/New_York, open: {mon-fri: 09:00-17:00}}}
"""
SHOWN = """\
desk: Answers the main line.

agent
  agent                     desk                                              agents/desk.yaml:1:8
  description               Answers the main line.                            agents/desk.yaml:2:14
  api                       realtime                                          built-in default
  model                     gpt-realtime-2.1                                  agents/desk.yaml:4:8
  voice                     marin                                             agents/runner.yaml:5:10 (defaults)
  instructions              You work for {{ vars.clinic }}. {{ lookup.name …  agents/desk.yaml:5:15

routes[0]
  to                        +18005551212                                      agents/desk.yaml:3:15

vars
  clinic                    Maple Dental                                      agents/desk.yaml:8:16

lookup
  http.method               GET                                               agents/desk.yaml:11:13
  http.url                  https://crm.example/{{ call.from.number }}        agents/desk.yaml:12:10
  http.headers.X-Api-Key    ***                                               agents/desk.yaml:13:26
  http.headers.X-Shop       maple                                             agents/desk.yaml:13:47
  http.headers.X-Token      {{ secrets.TOKEN }}                               agents/desk.yaml:13:63
  http.auth.basic.username  desk                                              agents/desk.yaml:14:30
  http.auth.basic.password  ***                                               agents/desk.yaml:14:46
  http.timeout              10s                                               built-in default
  timeout                   1.5s                                              built-in default
  default                   {"name": null}                                    agents/desk.yaml:15:12

tools.find
  description               Find it.                                          agents/runner.yaml:3:23 (shared tool)
  http.method               GET                                               agents/runner.yaml:3:48 (shared tool)
  http.url                  https://api.example/find                          agents/runner.yaml:3:58 (shared tool)
  http.timeout              10s                                               built-in default
  background                false                                             built-in default
  idempotent                false                                             built-in default

tools.end_call
  name                      end_call                                          agents/desk.yaml:18:11
  description               End the call.                                     agents/desk.yaml:19:18
  hangup.say                Goodbye!                                          agents/desk.yaml:20:19

limits
  max_duration              55m                                               built-in default
  concurrent_calls          2                                                 agents/desk.yaml:21:28

busy
  reject                    480                                               agents/runner.yaml:6:18 (defaults)

call
  from    +14155550199
  to      +18005551212
  at      Monday 2026-11-23T12:00-05:00
  why     the route at agents/desk.yaml:3:10 matches: to is +18005551212
  lookup  not asked here; its default is used: {"name": null}
"""  # noqa: E501 - a table


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOKEN", "the-token")
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "desk.yaml").write_text(DESK)
    (tmp_path / "agents" / "runner.yaml").write_text(RUNNER)
    return tmp_path / "agents"


def document(capsys: pytest.CaptureFixture[str], *options: str, code: int = 0) -> dict[str, Any]:
    assert main(["explain", "desk", "--format", "json", *options]) == code
    printed = capsys.readouterr()
    assert "written-out" not in printed.out
    assert "the-token" not in printed.out
    found: dict[str, Any] = json.loads(printed.out)
    return found


def whence(found: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {
        value["path"]: (value["from"], f"{value['file']}:{value['line']}:{value['column']}")
        for value in found["values"]
    }


def values(found: dict[str, Any]) -> dict[str, Any]:
    return {value["path"]: value["value"] for value in found["values"]}


def test_the_text_tells_each_value_its_place_and_the_accept_body(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--from", "+14155550199", "--at", "2026-11-23T12:00-05:00"]
    assert main(["explain", "agents", "desk", *options]) == 0
    shown, _, accept = capsys.readouterr().out.partition("\naccepted with\n")
    assert shown == SHOWN
    assert json.loads(accept) == {
        "type": "realtime",
        "model": "gpt-realtime-2.1",
        "instructions": "You work for Maple Dental.\nA stranger calls from +14155550199.\n",
        "audio": {"output": {"voice": "marin"}},
        "tools": [
            {
                "type": "function",
                "name": name,
                "description": description,
                "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
            }
            for name, description in (("find", "Find it."), ("end_call", "End the call."))
        ],
    }


def test_the_same_as_json_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "--from", "+14155550199", "--at", "2026-11-23T12:00-05:00")
    assert (found["version"], found["agent"], found["environment"]) == (1, "desk", None)
    assert found["call"] == {
        "from": "+14155550199",
        "to": "+18005551212",
        "at": "2026-11-23T12:00:00-05:00",
        "later": None,
        "why": "the route at agents/desk.yaml:3:10 matches: to is +18005551212",
    }
    assert found["lookup"] == {"default": {"name": None}}
    assert found["accept"]["audio"] == {"output": {"voice": "marin"}}
    assert values(found)["instructions"].count("\n") == 2
    assert whence(found)["voice"] == ("defaults", "agents/runner.yaml:5:10")
    assert whence(found)["limits.max_duration"] == ("built-in default", "None:None:None")


def test_an_environment_says_which_values_are_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "--environment", "staging")
    assert whence(found)["vars.clinic"] == ("environment", "agents/runner.yaml:9:20")
    assert whence(found)["tools.find.http.url"] == ("environment", "agents/runner.yaml:10:32")
    assert whence(found)["tools.find.http.method"] == ("shared tool", "agents/runner.yaml:3:48")
    assert values(found)["tools.find.http.url"] == "https://staging.example/find"
    assert found["accept"]["instructions"].startswith("You work for Maple Dental (test).\n")
    assert main(["explain", "desk", "--environment", "staging"]) == 0
    assert 'agents/runner.yaml:9:20 (environment "staging")\n' in capsys.readouterr().out


def test_no_secret_of_an_mcp_server_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "desk.yaml").write_text(
        """\
agent: desk
model: gpt-realtime-2.1
instructions: Be kind.
vars: {clinic: Maple Dental}
tools:
  - mcp:
      server_label: crm
      server_url: https://crm.example/{{ secrets.TOKEN }}/mcp
      authorization: "{{ secrets.TOKEN }}"
      headers: {X-Tenant: written-out}
"""
    )
    found = document(capsys)
    (server,) = found["accept"]["tools"]
    assert server["server_url"] == "https://crm.example/***/mcp"
    assert (server["authorization"], server["headers"]) == ("***", {"X-Tenant": "***"})
    assert values(found)["tools.mcp.mcp.authorization"] == "{{ secrets.TOKEN }}"
    assert values(found)["tools.mcp.mcp.headers.X-Tenant"] == "***"


def test_a_call_that_would_not_reach_the_agent_is_explained_all_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = document(capsys, "--to", "+18005550000")
    assert found["call"]["why"] == (
        "such a call would not reach the agent: no route matches, and routing.otherwise rejects with 404"
    )
    assert found["accept"]["instructions"].startswith("You work for Maple Dental.")


def test_an_agent_that_answers_at_other_times_is_explained_by_a_call_at_such_a_time(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "night.yaml").write_text(DESK.replace("agent: desk", "agent: night"))
    (folder / "desk.yaml").write_text(DESK.replace('"}]', '", during: hours}]'))
    (folder / "runner.yaml").write_text(RUNNER + HOURS)
    assert main(["explain", "night", "--at", "2026-11-23T12:00-05:00"]) == 0
    shown = capsys.readouterr().out
    assert shown[shown.index("\ncall\n") : shown.index("  lookup  not asked")] == (
        """
call
  from    +14155550100
  to      +18005551212
  at      Monday 2026-11-23T17:00-05:00
          at Monday 2026-11-23T12:00-05:00 "desk" answers such a call, so it comes at Monday """
        """2026-11-23T17:00-05:00, when "night" does
  why     the route at agents/night.yaml:3:10 matches: to is +18005551212
"""
    )


def test_an_agent_that_no_route_leads_to_is_explained_by_a_call_that_is_handed_over(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    handoff = "  - name: over\n    description: Hand over.\n    handoff: {agent: desk}\n"
    (folder / "first.yaml").write_text(
        'agent: first\nroutes: [{to: "+18005551299"}]\nmodel: gpt-realtime-2.1\ninstructions: Be kind.\n'
        "tools:\n" + handoff
    )
    (folder / "desk.yaml").write_text(DESK.replace('routes: [{to: "+18005551212"}]\n', ""))
    assert document(capsys, "--at", "2026-11-23T12:00-05:00")["call"] == {
        "from": "+14155550100",
        "to": "+18005551299",
        "at": "2026-11-23T12:00:00-05:00",
        "later": None,
        "why": '"first" answers such a call, and hands it over with "over"',
    }


def test_a_time_that_cannot_be_read_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "desk", "--at", "noon"]) == 2
    assert capsys.readouterr().err.endswith(
        'phone-agents explain: "noon" is not a time; write one such as 2026-11-23T15:00-05:00\n'
    )


def test_instructions_that_cannot_be_made_are_a_problem(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "desk.yaml").write_text(DESK.replace("{{ vars.clinic }}", "{{ 1 // (lookup.name or 0) }}"))
    assert main(["explain", "desk"]) == 1
    printed = capsys.readouterr()
    assert "accepted with" not in printed.out
    assert printed.err.endswith("failed: division by zero\n")
    assert "phone-agents explain: such a call would be rejected: the template " in printed.err
    assert document(capsys, code=1)["accept"] is None


def test_an_agent_that_does_not_exist_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "dsek"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.endswith(
        'phone-agents explain: there is no agent "dsek" in "agents"; did you mean "desk"?\n'
    )


def test_a_directory_with_errors_is_not_explained(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "desk.yaml").write_text(DESK + "voise: x\n")
    assert main(["explain", "desk"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert 'unknown key "voise"; did you mean "voice"? [unknown-key]' in printed.err


def test_what_a_file_says_cannot_speak_to_the_terminal(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "desk.yaml").write_text(DESK.replace("Maple Dental", '"\\u202e[2J"'))
    assert main(["explain", "desk"]) == 0
    assert "\u202e" not in capsys.readouterr().out
