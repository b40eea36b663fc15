"""A small telephone exchange, and a way to play a scenario on it and see what is told."""

import re
from pathlib import Path
from textwrap import dedent, indent
from typing import Protocol

import pytest

from runner.api.realtime import api as realtime
from runner.config.load import load
from runner.scenario.player import Player, ScenarioResult

RUNNER = """\
routing:
  default_country: US
  reject: [{from: {country: GB}, status: 603}]
secrets: {TOKEN: {env: TOKEN}}
defaults: {model: gpt-realtime-2.1}
"""

DESK = """\
agent: desk
routes: [{to: "+18005550142"}]
instructions: You are the desk of {{ vars.clinic }}.
session: {audio: {input: {transcription: {model: gpt-transcribe}}}}
vars: {clinic: Maple Dental, last: none, seen: 0}
greeting: Hello, {{ vars.clinic }}.
tools:
  - name: find_slots
    description: Find free times.
    parameters:
      type: object
      properties: {day: {type: string}, count: {type: integer}}
    http:
      method: GET
      url: https://api.maple.example/v1/slots
      query: {day: "{{ args.day }}", count: "{{ args.count }}", tag: [a, b]}
      auth: {bearer: "{{ secrets.TOKEN }}"}
      timeout: 5s
      retries: {attempts: 2, backoff: 200ms, on: [timeout, connection, 503]}
    result:
      select: slots[].start
      set: {last: day}
      on_error: The calendar is down.
      example: {day: friday, slots: [{start: "09:00"}, {start: "10:00"}]}
    while_waiting: [{after: 1s, say: Let me look.}, {after: 3s, tell: Say that it takes a while.}]
  - name: save
    description: Save a message.
    parameters: {type: object, properties: {text: {type: string}, n: {type: integer}}, required: [text]}
    http: {url: "https://api.maple.example/save"}
  - name: form
    description: Send a form.
    parameters: {type: object, properties: {text: {type: string}}}
    http: {url: "https://api.maple.example/form", form: {text: "{{ args.text }}"}}
    result: {example: {ok: true}}
  - name: note
    description: Send a text.
    http: {url: "https://api.maple.example/note", text: "called by {{ call.from.number }}"}
    result: {example: {ok: true}}
  - name: print_label
    description: Print a label.
    background: true
    http: {url: "https://api.maple.example/label"}
  - name: put_through
    description: Put the caller through.
    transfer:
      destinations: {nurse: "tel:+15185550172", office: "tel:+15185550171"}
      fallback: office
      say: One moment.
      if_not_completed: Say that nobody picked up.
  - {name: end_call, description: End the call., hangup: {say: Goodbye!}}
  - {name: to_spanish, description: The caller prefers Spanish., handoff: {agent: recepcion}}
keys: {until: "#", timeout: 4s}
limits:
  max_duration: 10m
  wind_down: {before: 1m, tell: One minute is left.}
  silence: {after: 20s, say: Are you still there?, times: 2, then: hangup}
  max_cost: 1.00
  max_tool_calls: 5
  concurrent_calls: 2
  calls_per_day: 100
busy: {agent: recepcion}
if_broken: {transfer: "tel:+15185550100"}
guardrails:
  - {name: no-cards, on: agent, matches: "[0-9]{4}", then: cancel, say: I can't read that out.}
  - {name: rude, on: caller, matches: idiot, then: hangup, say: This call ends here.}
"""

RECEPCION = """\
agent: recepcion
routes: [{to: "+18005550143"}]
instructions: Eres la recepción.{% if lookup.name %} Llama {{ lookup.name }}.{% endif %}
greeting: {wait: true}
lookup:
  http:
    method: GET
    url: "https://crm.maple.example/callers/{{ call.from.number }}"
    retries: {attempts: 3, backoff: 500ms, on: [503]}
  timeout: 2s
  default: {name: null}
"""

MUTE = """\
agent: mute
routes: [{to: "+18005550144"}, {transport: webrtc}]
instructions: Wait.
greeting: {wait: true}
session: {audio: {input: {turn_detection: {type: server_vad, create_response: false}}}}
limits: {silence: {after: 20s, say: Still there?, then: hangup}}
guardrails:
  - {name: rude, on: caller, matches: idiot, then: hangup, say: Enough.}
  - {name: digits, on: agent, matches: "[0-9]{4}", then: cancel}
"""


GHOST = """\
agent: ghost
routes: [{to: "+18005550145"}]
instructions: Sell coffee.
greeting: Hello.
tools:
  - mcp: {server_label: catalogue, server_url: "https://c.example/mcp", require_approval: never}
  - mcp:
      server_label: orders
      server_url: https://o.example/mcp
      require_approval: {never: {tool_names: [look_up]}}
limits: {ghost_after: 30s}
"""


class Play(Protocol):
    """Plays one scenario, of a call to this number."""

    def __call__(self, text: str, to: str = ..., /) -> ScenarioResult: ...


class Diff(Protocol):
    """Plays one scenario and gives what differs, line by line."""

    def __call__(self, text: str, to: str = ..., /) -> list[str]: ...


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The directory of the exchange."""
    folder = tmp_path / "agents"
    folder.mkdir()
    agents = {"runner": RUNNER, "desk": DESK, "recepcion": RECEPCION, "mute": MUTE, "ghost": GHOST}
    for name, content in agents.items():
        (folder / f"{name}.yaml").write_text(content)
    return folder


@pytest.fixture
def play(folder: Path) -> Play:
    """Plays one scenario, written without its name and `call` as they are mostly the same."""

    def played(text: str, to: str = "+18005550142") -> ScenarioResult:
        head = (
            ""
            if re.search(r"^ *call:", text, re.MULTILINE)
            else f'  call: {{from: "+14155550100", to: "{to}"}}\n'
        )
        (folder / "a.test.yaml").write_text(f"- name: a\n{head}{indent(dedent(text), '  ')}")
        loaded = load(folder)
        assert loaded.configuration is not None, "\n".join(map(str, loaded.problems))
        assert loaded.scenarios, "\n".join(map(str, loaded.scenario_problems))
        (scenario,) = loaded.scenarios
        return Player(loaded.configuration, realtime).play(scenario)

    return played


@pytest.fixture
def diff(play: Play) -> Diff:
    """What differs, each line as it is printed; none when the scenario has passed."""

    def lines(text: str, to: str = "+18005550142") -> list[str]:
        return [
            line
            for difference in play(text, to).differences
            for line in (difference.what, *(f"{one.sign} {one.text}" for one in difference.lines))
        ]

    return lines
