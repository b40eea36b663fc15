"""What the runner of these tests serves, and with which bounds lowered."""

from pathlib import Path
from typing import Any

SECRET_OF_PAGES = "a-secret-of-pages-that-is-long-enough"
ADMIN_TOKEN = "an-admin-token-that-is-long-enough-for-it"

NEIGHBOUR, STRANGER, NOBODY = "+18005551200", "+18005551201", "+18005551299"
"""The number of the neighbour's agent, that of most rows, and one that no agent has."""

LOWERED: dict[str, Any] = {
    "serve.timeouts.head_s": 0.5,
    "serve.timeouts.body_s": 0.5,
    "serve.timeouts.idle_s": 0.5,
    "serve.timeouts.send_s": 0.5,
    "serve.once_by_id.MOST_REMEMBERED": 20,
}
"""Deadlines that nobody waits for in a test, and numbers that would take minutes to reach."""

RUNNER = """\
provider: {{base_url: {api}}}
store: sqlite:calls.db
egress: {{private_networks: allow}}
"""

AGENTS = {
    "neighbour": """\
agent: neighbour
description: Is in a call of its own, whatever others send.
routes: [{{to: "+18005551200"}}]
model: gpt-realtime-2.1
voice: marin
instructions: Be kind.
greeting: Hello.
tools:
  - name: next_slot
    description: Find the next free slot.
    http: {{method: GET, url: "{endpoint}/next-slot"}}
""",
    "stranger": """\
agent: stranger
description: Is called by those who send too much.
routes: [{{to: "+18005551201"}}]
model: gpt-realtime-2.1
voice: marin
instructions: Be kind.
greeting: Hello.
tools:
  - name: fetch
    description: Fetch something.
    parameters: {{type: object, properties: {{path: {{type: string}}, more: {{}}}}, required: [path]}}
    http: {{method: POST, url: "{endpoint}/{{{{ args.path }}}}"}}
""",
}


def write(directory: Path, *, api: str, endpoint: str) -> None:
    """Write the configuration into a directory."""
    directory.mkdir()
    (directory / "runner.yaml").write_text(RUNNER.format(api=api))
    for name, text in AGENTS.items():
        (directory / f"{name}.yaml").write_text(text.format(endpoint=endpoint))
