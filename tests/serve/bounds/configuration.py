"""What the runner of these tests serves."""

import json
from functools import reduce
from pathlib import Path

ADMIN_TOKEN = "an-admin-token-that-is-long-enough-for-it"

NEIGHBOUR, STRANGER, LOOKS_UP, USES_MCP, LISTENS, DELIVERS, COMPUTES = (f"+1800555120{n}" for n in range(7))
DELIVERS_TO_MANY, DELIVERS_SLOWLY, ASKS, IS_REFUSED, NOBODY, DELIVERS_OFTEN = (
    f"+1800555121{n}" for n in range(6)
)
"""The numbers of the agents, and one that no agent has."""
SITE = "https://www.maple.example"
"""The origin of pages."""

RUNNER = """\
provider: {base_url: API}
store: STORE
server:
  admin: {port: 0, tokens: {shift: {env: ADMIN_TOKEN}}}
  browser: {secret: {env: ADMIN_TOKEN}, origins: ["SITE"], data_channel: open}
egress: {private_networks: allow}
defaults: {model: gpt-realtime-2.1, voice: marin, greeting: Hello.}
secrets: {CLIENT: {env: ADMIN_TOKEN}}
tools:
  fetch:
    description: Fetch something.
    parameters: {type: object, properties: {path: {type: string}, more: {}}, required: [path]}
    http: {method: POST, url: "ENDPOINT/{{ args.path }}", timeout: 20s}
    result: {max_chars: 100000}
  end_call:
    description: End the call.
    hangup: {say: Goodbye!}
"""

AGENTS = {
    "neighbour": """\
agent: neighbour
description: Is in a call of its own, whatever others send.
instructions: Be kind.
routes: [{to: "+18005551200"}]
tools:
  - name: next_slot
    description: Find the next free slot.
    http: {method: GET, url: "ENDPOINT/next-slot"}
""",
    "stranger": """\
agent: stranger
description: Is called by those who send too much.
instructions: Be kind.
routes: [{to: "+18005551201"}]
tools:
  - fetch
  - end_call
  - name: fetch_patiently
    description: Fetch something that takes its time.
    parameters: {type: object, properties: {path: {type: string}}, required: [path]}
    http: {method: POST, url: "ENDPOINT/{{ args.path }}", timeout: 60s}
    result: {max_chars: 100000}
  - name: to_a_person
    description: Put the caller through.
    transfer: {destinations: {desk: "tel:+14155550123"}}
  - name: to_other
    description: Hand the call over.
    handoff: {agent: other}
""",
    "other": """\
agent: other
description: Hands every call back.
instructions: Be kind.
tools:
  - name: to_stranger
    description: Hand the call back.
    handoff: {agent: stranger}
""",
    "looks-up": """\
agent: looks-up
description: Looks up who calls.
instructions: Be kind.
routes: [{to: "+18005551202"}]
lookup: {http: {method: GET, url: "ENDPOINT/lookup"}, timeout: 2s, default: {name: null}}
""",
    "uses-mcp": """\
agent: uses-mcp
description: Has the tools of a server.
instructions: Be kind.
routes: [{to: "+18005551203"}]
tools:
  - mcp: {server_label: crm, server_url: "https://crm.maple.example/mcp", require_approval: never}
""",
    "listens": """\
agent: listens
description: Listens to what is said.
instructions: Be kind.
routes: [{to: "+18005551204"}]
tools: [fetch]
guardrails:
  - {name: cards, on: caller, matches: '\\b(?:\\d[ -]?){13,16}\\b', then: hangup}
record: {redact: [payment_card, email, phone, ssn, args.path, result.items]}
session: {audio: {input: {transcription: {model: gpt-4o-transcribe}}}}
""",
    "computes": """\
agent: computes
description: Has tools that work.
instructions: Be kind.
routes: [{to: "+18005551206"}]
tools:
  - name: check
    description: Check a list.
    parameters:
      type: object
      properties:
        list: {type: array, items: {anyOf: [{type: string}, {type: boolean}, {type: array}, {type: integer}]}}
    http: {url: "ENDPOINT/check"}
  - name: select
    description: Select from many rows.
    http: {method: GET, url: "ENDPOINT/rows"}
    result: {select: "rows[?n == `1` || n == `2` || n == `3`]"}
  - name: sort
    description: Sort a list, again and again.
    parameters: {type: object, properties: {list: {type: array, items: {type: string}}}, required: [list]}
    http: {url: "ENDPOINT/sort", text: "{% for n in range(100) %}{{ args.list | sort | length }}{% endfor %}"}
  - name: repeat
    description: Write a text, again and again.
    parameters: {type: object, properties: {text: {type: string}}, required: [text]}
    http: {url: "ENDPOINT/repeat", text: "{% for n in range(100) %}{{ args.text }}{% endfor %}"}
TOKENS
HOSTS
""",
    "web": """\
agent: web
description: Is called by pages.
instructions: Be kind.
routes: [{transport: webrtc}]
record: {redact: [email, phone]}
session: {audio: {input: {transcription: {model: gpt-4o-transcribe}}}}
""",
    "delivers-to-many": """\
agent: delivers-to-many
description: Has much to do after the call.
instructions: Be kind.
routes: [{to: "+18005551210"}]
on_end:
RECEIVERS
""",
    "delivers-often": """\
agent: delivers-often
description: Has much to do after the call, all of it for one receiver.
instructions: Be kind.
routes: [{to: "+18005551215"}]
on_end:
RECEIVED
""",
    "delivers-slowly": """\
agent: delivers-slowly
description: Has something to do after the call that takes long.
instructions: Be kind.
routes: [{to: "+18005551211"}]
on_end: [{http: {url: "http://127.0.0.8:PORT/leased", timeout: 60s}}]
""",
    "is-refused": """\
agent: is-refused
description: Delivers to somebody who wants nothing.
instructions: Be kind.
routes: [{to: "+18005551213"}]
on_end: [{http: {url: "http://127.0.0.9:PORT/refused"}}]
""",
    "asks": """\
agent: asks
description: Asks about the call when it is over.
instructions: Be kind.
routes: [{to: "+18005551212"}]
outcome: {model: gpt-5-mini, schema: {type: object, properties: {booked: {type: boolean}}}}
""",
    "delivers": """\
agent: delivers
description: Has something to do after the call.
instructions: Be kind.
routes: [{to: "+18005551205"}]
on_end: [{http: {url: ENDPOINT/deliver}}]
""",
}

_TOKEN = """
  - name: with_token_{n}
    description: Needs a token.
    http:
      method: GET
      url: ENDPOINT/with-token
      timeout: 60s
      auth:
        oauth2: {{token_url: ENDPOINT/{path}, client_id: c{n}, client_secret: "{{{{ secrets.CLIENT }}}}"}}
"""
_HOST = """
  - name: {name}_{n}
    description: Asks another host.
    http: {{method: GET, url: "{url}/", timeout: 5s}}
"""


def write(directory: Path, *, api: str, endpoint: str, store: str, tls_port: int) -> None:
    """Write the configuration into a directory."""
    directory.mkdir()
    port = endpoint.rpartition(":")[2]
    hosts = [("ask_host", n, f"http://127.0.0.{n}:{port}") for n in range(2, 6)]
    hosts += [("ask_known", 0, f"http://a.known.example:{port}")]
    hosts += [("ask_dead", n, f"http://n{n}.unanswered.example") for n in range(8)]
    hosts += [("ask_tls", n, f"https://127.0.0.{n}:{tls_port}") for n in range(1, 8)]
    words = {
        "API": api,
        "SITE": SITE,
        "STORE": json.dumps(store),
        "TOKENS": "".join(_TOKEN.format(n=n, path="token" if n else "token-never") for n in range(4)).strip(
            "\n"
        ),
        "HOSTS": "".join(_HOST.format(name=name, n=n, url=url) for name, n, url in hosts).strip("\n"),
        "RECEIVED": "  - {http: {url: 'http://127.0.0.16:PORT/held'}}\n" * 8,
        "RECEIVERS": "".join(
            f"  - {{http: {{url: 'http://127.0.0.{n}:PORT/held'}}}}\n" for n in range(11, 16)
        ).rstrip(),
        "PORT": port,
        "ENDPOINT": endpoint,
    }
    for name, text in {"runner": RUNNER, **AGENTS}.items():
        filled = reduce(lambda filled, word: filled.replace(*word), words.items(), text)
        (directory / f"{name}.yaml").write_text(filled)
