"""The stand-in makes calls of browsers' offers as strictly as the API does; the `openai` package gets one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from openai import AsyncOpenAI

from runner.standin.placed_call import RestReply
from runner.standin.server import StandIn
from runner.standin.web_calls import ANSWER, CallForm, read_form

OFFER = (Path(__file__).parents[1] / "data" / "offers" / "firefox.sdp").read_text()
SESSION = {"type": "realtime", "model": "gpt-realtime-2.1"}


def form(*parts: tuple[str, str, str]) -> tuple[str, bytes]:
    body = "".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\nContent-Type: {kind}\r\n\r\n{text}\r\n'
        for name, kind, text in parts
    )
    return "multipart/form-data; boundary=x", f"{body}--x--\r\n".encode()


GOOD = (("sdp", "application/sdp", OFFER), ("session", "application/json", '{"type": "realtime"}'))


def test_a_form_of_two_typed_parts_is_read() -> None:
    made = read_form(*form(*GOOD))
    assert isinstance(made, CallForm)
    assert (made.session, made.complaints) == ({"type": "realtime"}, ())
    assert made.sdp.splitlines() == OFFER.splitlines()


def test_what_the_api_might_take_and_nobody_should_send_is_told() -> None:
    made = read_form(
        *form(("sdp", "text/plain", OFFER), ("session", "text/plain", "{}"), ("x", "text/plain", ""))
    )
    assert isinstance(made, CallForm)
    assert made.complaints == (
        "create: unknown part 'x'",
        "create: the part 'sdp' is not application/sdp",
        "create: the part 'session' is not application/json",
    )


@pytest.mark.parametrize(
    ("content_type", "body", "message"),
    [
        ("application/json", b"{}", "the body must be multipart/form-data with a boundary"),
        (*form(GOOD[1]), "Missing required parameter: 'sdp'."),
        (*form(("sdp", "application/sdp", "hello")), "The SDP offer could not be parsed, or has no audio."),
        (*form(GOOD[0], ("session", "application/json", "{")), "'session' is not JSON."),
        ("multipart/form-data; boundary=x", b"", "Missing required parameter: 'sdp'."),
    ],
)
def test_another_body_is_refused(content_type: str, body: bytes, message: str) -> None:
    refused = read_form(content_type, body)
    assert isinstance(refused, RestReply)
    assert (refused.status, (refused.body or {})["error"]["message"]) == (400, message)


@pytest.fixture
async def api() -> AsyncIterator[StandIn]:
    async with StandIn() as made:
        yield made


async def test_the_openai_package_makes_a_call(api: StandIn) -> None:
    expected = api.expect_offer()
    async with AsyncOpenAI(api_key=api.api_key, base_url=api.base_url) as client:
        made = await client.realtime.calls.with_raw_response.create(sdp=OFFER, session=SESSION)  # type: ignore[arg-type] # checked by the API itself
    assert made.headers["Location"] == f"/v1/realtime/calls/{expected.id}"
    assert made.text == ANSWER
    assert expected.violations == []
    assert (expected.accept_body, expected.offer.splitlines()) == (SESSION, OFFER.splitlines())
