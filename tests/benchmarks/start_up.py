"""`validate` of one small directory as a whole process, from its start to its end."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.row import Row

LIMIT_S = 0.3
MOST_RATIO = 2.5
MOST_BINARY_RATIO = 2.0
TIMES = 7
BINARY = Path(__file__).parents[2] / "dist" / "phone-agents"
"""Made by deploy/build-binary; without it its row is left out."""

AGENT = """\
agent: front-desk
routes:
  - to: "+18005551212"
model: gpt-realtime-2.1
instructions: You are the receptionist of {{ vars.clinic }}.
vars: {clinic: Maple Dental}
tools:
  - name: find_slots
    description: Find free appointment slots on one day.
    parameters:
      type: object
      properties:
        day: {type: string, format: date}
      required: [day]
    http:
      method: GET
      url: https://api.maple.example/slots
      query: {day: "{{ args.day }}"}
    result: {select: "slots[].start", example: {slots: [{start: "09:00"}]}}
  - name: end_call
    description: End the call when the caller has said goodbye.
    hangup: {say: Goodbye!}
"""
FLOOR = "import yaml, jsonschema"
"""What any checker of YAML by JSON Schemas imports."""


def rows() -> Iterator[Row]:
    """Seconds of the wall clock, the best of several runs, taken in turns: a machine that is busy is busy
    for all of them.
    """
    with TemporaryDirectory() as folder:
        (Path(folder) / "front-desk.yaml").write_text(AGENT)
        commands = {
            "floor": [sys.executable, "-c", FLOOR],
            "validate": [sys.executable, "-m", "runner", "validate", folder],
        }
        if BINARY.exists():
            commands["binary"] = [str(BINARY), "validate", folder]
            _seconds(commands["binary"])  # it is unpacked at its first start
        taken = {name: _seconds(command) for name, command in commands.items()}
        for _ in range(TIMES - 1):
            for name, command in commands.items():
                taken[name] = min(taken[name], _seconds(command))
    floor_s, validate_s = taken["floor"], taken["validate"]
    name = "validate one small directory, process"
    yield Row(name=name, ours=validate_s, unit="s", floor=floor_s, limit=MOST_RATIO)
    yield Row(name="the same, in seconds", ours=validate_s, unit="s", limit=LIMIT_S)
    if "binary" in taken:
        yield Row(
            name="the same by dist/phone-agents",
            ours=taken["binary"],
            unit="s",
            floor=validate_s,
            limit=MOST_BINARY_RATIO,
        )


def _seconds(command: Sequence[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started
