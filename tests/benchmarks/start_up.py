"""`validate` of one small directory as a whole process, from its start to its end."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.row import Row

LIMIT_S = 0.5
TIMES = 7

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
READ_ONLY = (
    "import sys, yaml; yaml.load(open(sys.argv[1]), Loader=getattr(yaml, 'CSafeLoader', yaml.SafeLoader))"
)


def rows() -> Iterator[Row]:
    """Seconds of the wall clock, the best of several runs; what reading the YAML alone takes is for scale."""
    with TemporaryDirectory() as folder:
        agent = Path(folder) / "front-desk.yaml"
        agent.write_text(AGENT)
        read_s = min(_seconds("-c", READ_ONLY, str(agent)) for _ in range(TIMES))
        validate_s = min(_seconds("-m", "runner", "validate", folder) for _ in range(TIMES))
    yield Row(name="reading one small YAML file, process", ours=read_s, unit="s")
    yield Row(name="validate one small directory, process", ours=validate_s, unit="s", limit=LIMIT_S)


def _seconds(*arguments: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - started
