"""What `validate` must not load: it has half a second for everything."""

import json
import subprocess
import sys
from pathlib import Path

AGENT = """\
agent: front-desk
routes: [{to: "+18005551212"}]
model: gpt-realtime-2.1
instructions: You are the receptionist of {{ vars.clinic }}.
vars: {clinic: Maple Dental}
tools:
  - name: find_slots
    description: Find free appointment slots on one day.
    parameters: {type: object, properties: {day: {type: string}}, required: [day]}
    http: {method: GET, url: "https://api.maple.example/slots", query: {day: "{{ args.day }}"}}
    result: {select: "slots[].start", example: {slots: [{start: "09:00"}]}}
"""
PROGRAM = """
import contextlib, io, json, sys
from runner.cli.main import main
with contextlib.redirect_stdout(io.StringIO()):
    code = main(sys.argv[1:])
print(json.dumps([code, sorted(sys.modules)]))
"""
SERVER = (
    "aiohttp",
    "openai",
    "prometheus_client",
    "runner.demo",
    "runner.serve",
    "runner.standin",
    "sqlite3",
    "websockets",
)

LIVE = ("runner.model.action", "runner.model.conversation_event", "runner.model.event")
"""What happens in a call and is done about it: a hundred values, as slow to make as the rest together."""


def test_validate_imports_nothing_of_the_server(tmp_path: Path) -> None:
    (tmp_path / "front-desk.yaml").write_text(AGENT)
    command = [sys.executable, "-c", PROGRAM, "validate", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    code, modules = json.loads(result.stdout)
    assert code == 0
    assert "runner.config.load" in modules
    assert [name for name in modules if name.startswith(SERVER)] == []
    assert [name for name in modules if name in LIVE] == []
    assert [name for name in modules if "openapi.openapi" in name] == [], "none has a document"


def test_explain_imports_nothing_of_the_server_or_the_stand_in(tmp_path: Path) -> None:
    (tmp_path / "front-desk.yaml").write_text(AGENT)
    command = [sys.executable, "-c", PROGRAM, "explain", str(tmp_path), "front-desk"]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    code, modules = json.loads(result.stdout)
    assert code == 0
    assert "runner.call.examples.call_for_agent" in modules
    assert [name for name in modules if name.startswith(SERVER)] == []
