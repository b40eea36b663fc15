"""What a reply, a clock or a list of models means: the sentence and the remedy."""

import json
from pathlib import Path

import pytest

from runner.config.load import load
from runner.doctor.finding import Finding, FindingState
from runner.doctor.voice_api import ApiReply, clock_finding, key_finding, model_findings, session_finding
from runner.doctor.webhook import complete_url, webhook_finding
from runner.model.http import Failure, HttpReply
from runner.model.settings import Configuration
from runner.serve.webhooks import IGNORED

BASE = "https://api.openai.com/v1"
KEY = "environment variable OPENAI_API_KEY"
HOOK = "https://calls.maple.example/webhooks/openai"


def reply(status: int, code: str = "", message: str = "") -> HttpReply:
    body = json.dumps({"error": {"code": code, "message": message}}) if message else ""
    return HttpReply(status=status, body=body.encode())


def line(finding: Finding) -> tuple[str, str, str, str]:
    return finding.state.value, finding.topic, finding.text, finding.remedy


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            ApiReply(reply=HttpReply(status=200, body=b'{"data": []}'), project="proj_1"),
            ("ok", "api key", "api.openai.com accepts it, project proj_1", ""),
        ),
        (
            ApiReply(reply=reply(401, "invalid_api_key", "Incorrect API key provided.")),
            (
                "error",
                "api key",
                "the voice API refuses it (401: Incorrect API key provided.)",
                f"put a valid key of the project whose webhooks arrive here into {KEY}",
            ),
        ),
        (
            ApiReply(reply=reply(403, "", "Missing scopes: model.read")),
            (
                "error",
                "api key",
                "it may not be used for this (403: Missing scopes: model.read)",
                "let the key read models and use Realtime, or make one without restrictions",
            ),
        ),
        (
            ApiReply(reply=reply(429, "insufficient_quota", "You exceeded your quota.")),
            (
                "error",
                "api key",
                "its project has no credit left (429: You exceeded your quota.)",
                "add credit to the project",
            ),
        ),
        (
            ApiReply(reply=reply(429, "rate_limit_exceeded", "Too many requests.")),
            (
                "warning",
                "api key",
                "its project asks too often (429: Too many requests.)",
                "try again in a minute",
            ),
        ),
        (
            ApiReply(reply=reply(404)),
            (
                "warning",
                "voice API",
                f"{BASE} has no list of models (404): whether it accepts the key is not known",
                f"is that its address? That of OpenAI is {BASE}; set provider.base_url or OPENAI_BASE_URL",
            ),
        ),
        (
            ApiReply(reply=reply(503)),
            ("error", "voice API", f"{BASE} fails (503)", "try again in a few minutes"),
        ),
        (
            ApiReply(reply=reply(302)),
            (
                "error",
                "voice API",
                f"{BASE} answers 302",
                "is that the address of the API, and not of a web page?",
            ),
        ),
        (
            ApiReply(reply=HttpReply(failure=Failure.TIMEOUT, detail="no reply within 10 s")),
            (
                "error",
                "voice API",
                f"{BASE}: no reply within 10 s",
                "is a proxy in between? Try again in a minute",
            ),
        ),
    ],
)
def test_what_the_api_makes_of_the_key(answer: ApiReply, expected: tuple[str, ...]) -> None:
    assert line(key_finding(answer, BASE, KEY)) == expected


@pytest.mark.parametrize(
    ("ahead_s", "state", "text"),
    [
        (0.4, FindingState.OK, "it agrees with the voice API's"),
        (-30.0, FindingState.OK, "it agrees with the voice API's"),
        (31.0, FindingState.WARNING, "this machine's clock is about 30 s ahead of the voice API's"),
        (-299.0, FindingState.WARNING, "this machine's clock is about 300 s behind the voice API's"),
        (300.0, FindingState.ERROR, "this machine's clock is about 300 s ahead of the voice API's"),
        (-86400.0, FindingState.ERROR, "this machine's clock is about 86400 s behind the voice API's"),
    ],
)
def test_a_clock_that_is_off(ahead_s: float, state: FindingState, text: str) -> None:
    finding = clock_finding(ahead_s)
    assert (finding.state, finding.text) == (state, text)
    assert finding.remedy == (
        ""
        if state is FindingState.OK
        else "set it, e.g. by NTP: from 300 s on webhooks are refused, and nobody answers"
    )


@pytest.fixture
def clinic(tmp_path: Path) -> Configuration:
    (tmp_path / "desk.yaml").write_text(
        "agent: desk\n"
        'routes: [{to: "+18005551212"}]\n'
        "model: gpt-realtime-2.1\n"
        "voice: marin\n"
        "instructions: Be kind.\n"
        "session: {audio: {input: {transcription: {model: gpt-4o-transcribe}}}}\n"
        "outcome: {model: gpt-5.4-mini, schema: {type: object, properties: {a: {type: string}}}}\n"
    )
    configuration = load(tmp_path).configuration
    assert configuration is not None
    return configuration


def test_models_that_the_project_has(clinic: Configuration) -> None:
    models = frozenset({"gpt-realtime-2.1", "gpt-4o-transcribe", "gpt-5.4-mini"})
    assert list(map(line, model_findings(clinic, models, is_own=True))) == [
        ("ok", "models", "gpt-realtime-2.1, gpt-4o-transcribe, gpt-5.4-mini", "")
    ]


@pytest.mark.parametrize(("is_own", "state"), [(True, "error"), (False, "warning")])
def test_a_model_that_the_project_has_not(clinic: Configuration, is_own: bool, state: str) -> None:
    models = frozenset({"gpt-realtime-2", "gpt-4o-transcribe"})
    found = [line(finding) for finding in model_findings(clinic, models, is_own=is_own)]
    assert found[0] == ("ok", "models", "gpt-4o-transcribe", "")
    assert found[1:] == [
        (
            state,
            "model",
            '"gpt-realtime-2.1" is not among the 2 models of the project (agent desk)',
            'have the project given access to it, or name another one; did you mean "gpt-realtime-2"?',
        ),
        (
            state,
            "model",
            '"gpt-5.4-mini" is not among the 2 models of the project (agent desk, outcome)',
            "have the project given access to it, or name another one",
        ),
    ]


def test_models_of_an_api_that_lists_none(clinic: Configuration) -> None:
    assert list(map(line, model_findings(clinic, None, is_own=False))) == [
        ("skipped", "models", "not looked up: gpt-realtime-2.1, gpt-4o-transcribe, gpt-5.4-mini", "")
    ]


@pytest.mark.parametrize(
    ("answered", "state", "text"),
    [
        (reply(200), "ok", "its session is accepted: gpt-realtime-2.1, voice marin"),
        (
            reply(400, "", "Invalid value: 'marin'."),
            "error",
            "the voice API refuses its session: Invalid value: 'marin'.",
        ),
        (reply(422), "error", "the voice API refuses its session: it does not say why"),
        (reply(404), "skipped", "its session was not checked: this API has no way to (404)"),
        (reply(500, "", "Oh no."), "warning", "its session was not checked: 500 Oh no."),
        (reply(403, "", "No access."), "error", "its session may not be begun: 403 No access."),
        (
            HttpReply(failure=Failure.TIMEOUT, detail="no reply"),
            "warning",
            "its session was not checked: no reply",
        ),
    ],
)
def test_whether_a_session_is_taken(
    clinic: Configuration, answered: HttpReply, state: str, text: str
) -> None:
    finding = session_finding(clinic.agents["desk"], answered)
    assert line(finding)[:3] == (state, "agent desk", text)
    assert bool(finding.remedy) == (state in {"error", "warning"})


@pytest.mark.parametrize(
    ("status", "text", "location", "state", "expected"),
    [
        (200, IGNORED, None, "ok", "reaches a runner that has the same secret"),
        (200, "Welcome to nginx!", None, "error", "is answered by another program (200)"),
        (204, "", None, "error", "is answered by another program (204)"),
        (400, "", None, "error", "refuses an event that is signed with our secret"),
        (404, "", None, "error", "has no webhook there (404)"),
        (405, "", None, "error", "has no webhook there (405)"),
        (401, "", None, "error", "does not let the request in (401)"),
        (308, "", "https://a.example", "error", "redirects to https://a.example, which the API does not follow"),  # noqa: E501 - a row of a table
        (302, "", None, "error", "redirects to another address, which the API does not follow"),
        (502, "", None, "error", "has no runner behind it (502)"),
        (418, "", None, "error", "answers 418"),
    ],
)  # fmt: skip
def test_what_the_public_address_answers(
    status: int, text: str, location: str | None, state: str, expected: str
) -> None:
    finding = webhook_finding(HOOK, status, text, location)
    assert (finding.state.value, finding.text) == (state, f"{HOOK} {expected}")
    assert bool(finding.remedy) == (state == "error")


def test_an_address_that_is_not_encrypted_is_a_warning() -> None:
    finding = webhook_finding("http://calls.maple.example/hook", 200, IGNORED, None)
    assert finding.state is FindingState.WARNING
    assert finding.remedy == "enter an https:// address at the API"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://calls.maple.example", HOOK),
        ("https://calls.maple.example/", HOOK),
        (HOOK, HOOK),
        ("https://calls.maple.example/hook?a=1", "https://calls.maple.example/hook?a=1"),
    ],
)
def test_an_address_of_a_host_is_meant_for_the_path_that_a_runner_serves(url: str, expected: str) -> None:
    assert complete_url(url) == expected
