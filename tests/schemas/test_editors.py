"""The schemas in the real yaml-language-server: what it suggests, shows and marks while somebody writes."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.config.checking.schema_files import KINDS, schema
from runner.config.problem import Problems
from runner.config.reading.yaml_text import read
from tests.schemas.language_server import LanguageServer, install, why_not

ROOT = Path(__file__).parents[2]
LACKING = why_not()
pytestmark = pytest.mark.skipif(LACKING is not None, reason=f"yaml-language-server: {LACKING}")


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[LanguageServer]:
    with LanguageServer(install(request.config.cache.mkdir("language-server")), ROOT) as started:
        yield started


def written(kind: str, text: str) -> str:
    """A file as people write it: the first line names the schema. Of an agent, the part that matters."""
    agent = "agent: a\nmodel: gpt-realtime-2.1\ninstructions: Be brief.\n" if kind == "agent" else ""
    return f"# yaml-language-server: $schema=../schemas/{kind}.schema.json\n{agent}{text}"


TOOL = "tools:\n  - name: t\n"
HTTP = TOOL + "    http:\n      url: https://api.maple.example\n      "
INPUT = "session:\n  audio:\n    input:\n      turn_detection:\n        "
SCENARIO = "- name: n\n  call: {to: '+18005550142'}\n"

KEYS = [
    (
        "agent",
        "¦",
        "description routes api voice session vars greeting lookup tools keys limits busy if_broken"
        " guardrails outcome on_end record",
    ),
    (
        "agent",
        "tools:\n  - ¦",
        "name description parameters http result while_waiting background idempotent when otherwise"
        " transfer hangup handoff static mcp openapi",
    ),
    ("agent", TOOL + "    transfer:\n      ¦", "destinations say fallback if_not_completed"),
    ("agent", HTTP + "¦", "method query headers json form text auth sign timeout retries"),
    ("agent", HTTP + "auth:\n        ¦", "bearer basic api_key oauth2"),
    ("agent", INPUT + "type: semantic_vad\n        ¦", "eagerness create_response interrupt_response"),
    (
        "agent",
        INPUT + "type: server_vad\n        ¦",
        "threshold prefix_padding_ms silence_duration_ms idle_timeout_ms create_response interrupt_response",
    ),
    ("agent", "routes:\n  - ¦", "to from headers during transport share priority"),
    ("agent", "routes:\n  - to:\n      ¦", "prefix country user host regex anonymous in not"),
    (
        "agent",
        "limits:\n  ¦",
        "max_duration wind_down silence max_cost max_tool_calls concurrent_calls calls_per_day ghost_after",
    ),
    ("runner", "server:\n  ¦", "host port drain_timeout max_call_age admin browser"),
    ("runner", "schedules:\n  office-hours:\n    ¦", "timezone open closed"),
    (
        "test",
        SCENARIO + "  steps:\n    - ¦",
        "caller expect interrupts model_says usage model_calls replies model_fails keys silence "
        "nothing_heard sideband_lost restart hands_off_refused person caller_hangs_up",
    ),
]


@pytest.mark.parametrize(("kind", "text", "keys"), KEYS)
def test_the_keys_that_may_stand_there_are_suggested_and_no_other(
    server: LanguageServer, kind: str, text: str, keys: str
) -> None:
    assert server.keys(written(kind, text)) == keys.split()


@pytest.mark.parametrize(
    ("kind", "text", "values"),
    [
        ("agent", HTTP + "method: ¦", ["GET", "POST", "PUT", "PATCH", "DELETE"]),
        ("agent", INPUT + "type: ¦", ["server_vad", "semantic_vad"]),
        ("agent", "limits:\n  max_duration: ¦", ["55m", "15m"]),
        ("agent", "guardrails:\n  - on: ¦", ["agent", "caller"]),
        ("runner", "egress:\n  private_networks: ¦", ["deny", "allow"]),
    ],
)
def test_the_values_that_may_stand_there_are_suggested(
    server: LanguageServer, kind: str, text: str, values: list[str]
) -> None:
    assert list(server.completions(written(kind, text))) == values


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, text, _ in KEYS])
def test_what_a_suggestion_inserts_is_yaml(server: LanguageServer, kind: str, text: str) -> None:
    taken = server.completions(written(kind, text))
    assert taken
    for label, document in taken.items():
        problems = Problems()
        read("x.yaml", document.encode(), problems)
        assert [str(problem) for problem in problems.sorted()] == [], label


@pytest.mark.parametrize(
    ("kind", "text", "shown"),
    [
        ("agent", "v¦oice: marin", "#### Voice\n\nThe voice that the caller hears."),
        (
            "agent",
            "gree¦ting: Hello.",
            "#### A sentence\n\nThe first sentence that the caller hears, `{tell: …}`, or"
            " `{wait: true}` if the caller is to speak first. Without it, the model opens in its own words.",
        ),
        (
            "agent",
            "tools:\n  - na¦me: t\n    hangup: {}",
            "#### Name\n\nThe tool's name for the model.",
        ),
        (
            "agent",
            HTTP + "time¦out: 5s",
            "#### Timeout\n\nHow long one attempt may take, connecting and reading included.",
        ),
        (
            "agent",
            INPUT + "type: semantic_vad\n        eager¦ness: low",
            "#### Eagerness\n\nHow soon the agent responds: `low` waits up to 8 s for more speech,"
            " `medium` 4 s, `high` 2 s. `auto` is `medium`.",
        ),
        (
            "agent",
            "routes:\n  - t¦o: +18005550142",
            "#### A number or address\n\nWho was called: the dialled number or address.",
        ),
        (
            "agent",
            "routes:\n  - fr¦om: {country: US}",
            "#### Numbers of a country\n\nWho calls.",
        ),
        (
            "agent",
            "limits: {max_dur¦ation: 15m}",
            "#### Maximum duration\n\nMaximum duration of a call; then it is ended."
            " The API itself ends a call after 60 minutes.",
        ),
        (
            "runner",
            "server: {drain_t¦imeout: 60s}",
            "#### Drain timeout\n\nHow long live calls may continue when the process is asked to stop.",
        ),
        (
            "runner",
            "schedules:\n  office-hours:\n    time¦zone: UTC\n    open: {}",
            "#### Time zone\n\nAn IANA time zone, such as America/New_York.",
        ),
        ("test", SCENARIO + "  steps:\n    - call¦er: Hello.", "#### Caller\n\nWhat the caller says."),
    ],
)
def test_what_a_key_means_is_shown_over_it(server: LanguageServer, kind: str, text: str, shown: str) -> None:
    assert server.hover(written(kind, text)) == shown


@pytest.mark.parametrize(
    ("kind", "text", "marked"),
    [
        ("agent", "greting: Hello.", [(5, 1, "Property greting is not allowed.")]),
        (
            "agent",
            "limits: {max_duration: 15}",
            [(5, 24, "write a number with a unit: 200ms, 5s, 15m or 2h")],
        ),
        (
            "agent",
            "limits: {max_duration: 15 m}",
            [(5, 24, "write a number with a unit: 200ms, 5s, 15m or 2h")],
        ),
        (
            "agent",
            INPUT + "type: semantic_vad\n        threshold: 0.5",
            [(10, 20, 'it belongs to server_vad; semantic_vad has "eagerness"')],
        ),
        (
            "agent",
            INPUT + "type: semantic",
            [(9, 15, 'Value must be "server_vad" | "semantic_vad".')],
        ),
        (
            "agent",
            "routes: [{to: {prefx: '+1800'}}]",
            [
                (
                    5,
                    15,
                    "write a number, an address, or one of {prefix: …}, {country: …}, {user: …}, {host: …},"
                    " {regex: …}, {anonymous: true}, {in: FILE}, {not: …}",
                )
            ],
        ),
        ("agent", "greeting: {say: Hello.}", [(5, 11, "write a sentence, {tell: …} or {wait: true}")]),
        (
            "agent",
            TOOL + "    http: {url: 'https://a.example'}\n    hangup: {}",
            [(8, 5, "Property hangup is not allowed.")],
        ),
        (
            "agent",
            HTTP + "json: {}\n      text: a",
            [(10, 13, "there is one body: keep json, form or text")],
        ),
        (
            "runner",
            "schedules: {s: {timezone: UTC, open: {monday: 09:00-17:00}}}",
            [(2, 39, "write a day or a range of days: mon, sat, mon-fri")],
        ),
        (
            "runner",
            "provider: {api_key: sk-123}",
            [(2, 21, "write {env: NAME} or {file: /run/secrets/name}, never the secret itself")],
        ),
        (
            "test",
            SCENARIO + "  steps: [{silence: 20}]",
            [(4, 21, "write a number with a unit: 200ms, 5s, 15m or 2h")],
        ),
    ],
)
def test_a_mistake_is_marked_where_it_stands(
    server: LanguageServer, kind: str, text: str, marked: list[tuple[int, int, str]]
) -> None:
    assert server.diagnostics(written(kind, text)) == marked


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("agent", "routes: [{to: +18005550142}, {to: 8005550142, from: {prefix: +1800}}]"),
        ("agent", "routes: [{to: {user: 1001}, headers: {X-Line: 7}}]"),
        ("agent", "keys: {until: 9}"),
        ("agent", HTTP + "headers: {X-Version: 2}"),
        ("runner", "schedules: {s: {timezone: UTC, open: {mon: 09:00-17:00}, closed: [2026-12-25]}}"),
        (
            "test",
            "- name: n\n  at: 2026-11-23T15:00:00-05:00\n  call: {to: +18005550142, from: 5550100}\n"
            "  steps: [{keys: 204518}, {caller: 204518}]",
        ),
    ],
)
def test_numbers_and_dates_need_no_quotes(server: LanguageServer, kind: str, text: str) -> None:
    assert server.diagnostics(written(kind, text)) == []


@pytest.mark.parametrize("path", sorted((ROOT / "agents").glob("*.yaml")), ids=lambda path: path.name)
def test_nothing_is_marked_in_the_examples(server: LanguageServer, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    kind = "runner" if path.name == "runner.yaml" else "test" if path.name.endswith(".test.yaml") else "agent"
    assert text.startswith(f"# yaml-language-server: $schema=../schemas/{kind}.schema.json\n")
    assert server.diagnostics(text, f"agents/{path.name}") == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_that_was_printed_serves_alone(server: LanguageServer, kind: str, tmp_path: Path) -> None:
    """`phone-agents schema KIND > FILE` needs no other file beside it."""
    alone = tmp_path / f"{kind}.schema.json"
    alone.write_text(json.dumps(schema(kind)), encoding="utf-8")
    modeline = f"# yaml-language-server: $schema={alone}\n"
    text, keys = next((text, keys) for found, text, keys in reversed(KEYS) if found == kind)
    document = re.sub(r"^.*\n", modeline, written(kind, text), count=1)
    assert server.keys(document) == keys.split()
