"""Which webhooks are believed."""

import base64
import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from runner.api.webhook import WebhookEvent, is_secret, verify
from runner.errors import WebhookRejectedError

NOW = 1_795_000_000.0
SECRET = "whsec_bWFwbGUtZGVudGFsLXNlY3JldC0x"
OTHER = "whsec_YW5vdGhlci1zZWNyZXQtYWx0b2dldGhlcg=="
EVENT: dict[str, Any] = {
    "id": "evt_1",
    "type": "realtime.call.incoming",
    "created_at": 1,
    "data": {"call_id": "rtc_1"},
}


def sign(body: bytes, *, secret: str = SECRET, at: float = NOW, webhook_id: str = "wh_1") -> dict[str, str]:
    text = body.decode(errors="replace")
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(at)),
        "webhook-signature": Webhook(secret).sign(webhook_id, datetime.fromtimestamp(int(at), UTC), text),
    }


def encoded(event: Any) -> bytes:
    return json.dumps(event).encode()


def rejection(body: bytes, headers: dict[str, str], secrets: tuple[str, ...] = (SECRET,)) -> str:
    with pytest.raises(WebhookRejectedError) as caught:
        verify(body, headers, secrets, NOW)
    return str(caught.value)


def test_an_event_is_given_whole() -> None:
    body = encoded(EVENT)
    assert verify(body, sign(body), [SECRET], NOW) == WebhookEvent(
        webhook_id="wh_1", type="realtime.call.incoming", body=EVENT
    )


@pytest.mark.parametrize("secrets", [(SECRET, OTHER), (OTHER, SECRET), ("whsec_%%%", SECRET)])
def test_any_of_several_secrets_will_do(secrets: tuple[str, ...]) -> None:
    body = encoded(EVENT)
    assert verify(body, sign(body), secrets, NOW).body == EVENT


def test_any_of_several_candidates_will_do() -> None:
    body = encoded(EVENT)
    headers = sign(body)
    right = headers["webhook-signature"]
    headers["webhook-signature"] = (
        f"v1a,AAAA nonsense v1,==  {sign(body, secret=OTHER)['webhook-signature']} {right}"
    )
    assert verify(body, headers, [SECRET], NOW).webhook_id == "wh_1"


def test_header_names_match_in_any_case() -> None:
    body = encoded(EVENT)
    assert verify(body, {k.upper(): v for k, v in sign(body).items()}, [SECRET], NOW).webhook_id == "wh_1"


@pytest.mark.parametrize("off_s", [-300, 0, 300])
def test_a_clock_may_be_off_by_five_minutes(off_s: int) -> None:
    body = encoded(EVENT)
    assert verify(body, sign(body, at=NOW + off_s), [SECRET], NOW).webhook_id == "wh_1"


@pytest.mark.parametrize("off_s", [-301, 301])
def test_a_clock_may_not_be_off_by_more(off_s: int) -> None:
    body = encoded(EVENT)
    assert (
        rejection(body, sign(body, at=NOW + off_s)) == "webhook-timestamp is more than 300 seconds from now"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"webhook-id": ""}, "webhook-id is missing"),
        ({"webhook-id": "a b"}, "webhook-id is not a valid id"),
        ({"webhook-id": "a" * 201}, "webhook-id is not a valid id"),
        ({"webhook-id": "wh_2"}, "no signature matches the body"),
        ({"webhook-timestamp": ""}, "webhook-timestamp is missing"),
        ({"webhook-timestamp": "nan"}, "webhook-timestamp is not a whole number of seconds"),
        ({"webhook-timestamp": "inf"}, "webhook-timestamp is not a whole number of seconds"),
        ({"webhook-timestamp": "1e9"}, "webhook-timestamp is not a whole number of seconds"),
        ({"webhook-timestamp": "-1"}, "webhook-timestamp is not a whole number of seconds"),
        ({"webhook-timestamp": "١٧٩٥"}, "webhook-timestamp is not a whole number of seconds"),
        ({"webhook-timestamp": "9" * 400}, "webhook-timestamp is not a whole number of seconds"),
        ({"webhook-timestamp": "999999999999"}, "webhook-timestamp is more than 300 seconds from now"),
        ({"webhook-timestamp": str(int(NOW) + 1)}, "no signature matches the body"),
        ({"webhook-signature": ""}, "webhook-signature is missing"),
        ({"webhook-signature": "v1"}, "no signature matches the body"),
        ({"webhook-signature": "v1,a,b"}, "no signature matches the body"),
        ({"webhook-signature": "v1,a"}, "no signature matches the body"),
        ({"webhook-signature": "v1,%%%"}, "no signature matches the body"),
        ({"webhook-signature": "v1,\udce9"}, "no signature matches the body"),
        ({"webhook-signature": " "}, "no signature matches the body"),
    ],
)
def test_a_header_that_is_wrong_is_rejected(change: dict[str, str], message: str) -> None:
    body = encoded(EVENT)
    assert rejection(body, sign(body) | change) == message


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_header_that_is_not_there_is_rejected(name: str) -> None:
    body = encoded(EVENT)
    headers = sign(body)
    del headers[name]
    assert rejection(body, headers) == f"{name} is missing"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body is not JSON"),
        (b"{", "the body is not JSON"),
        (b"\xff", "the body is not UTF-8"),
        (b"[" * 100_000, "the body is not JSON"),
        (b"1" * 10_000, "the body is not JSON"),
        (b"[]", "the body is not a JSON object"),
        (b"null", "the body is not a JSON object"),
        (b"{}", "the event has no type"),
        (b'{"type": 1}', "the event has no type"),
    ],
)
def test_a_signed_body_that_is_no_event_is_rejected(body: bytes, message: str) -> None:
    assert rejection(body, sign(body)) == message


@pytest.mark.parametrize("secrets", [(), (OTHER,), ("",), ("whsec_",), ("whsec_%%%",), ("whsec_é",)])
def test_without_the_right_secret_nothing_is_believed(secrets: tuple[str, ...]) -> None:
    body = encoded(EVENT)
    assert rejection(body, sign(body), secrets) == "no signature matches the body"


def test_one_byte_more_is_another_body() -> None:
    body = encoded(EVENT)
    assert rejection(body + b" ", sign(body)) == "no signature matches the body"


@pytest.mark.parametrize(
    ("secret", "usable"),
    [
        (SECRET, True),
        (OTHER, True),
        (OTHER.rstrip("="), True),
        ("whsec_" + base64.b64encode(b"x" * 16).decode(), True),
        ("whsec_" + base64.b64encode(b"x" * 15).decode(), False),
        ("whsec_YWJj", False),
        (OTHER.removeprefix("whsec_"), True),
        ("", False),
        ("whsec_", False),
        ("whsec_%", False),
        ("whsec_abcd%%%%", False),
        ("whsec_a", False),
        ("whsec_é", False),
        ("sk-proj-abcd", False),
    ],
)
def test_a_secret_is_base64_of_enough_bytes(secret: str, usable: bool) -> None:
    assert is_secret(secret) is usable


def believed_or_rejected(body: bytes, headers: dict[str, str]) -> None:
    with contextlib.suppress(WebhookRejectedError):
        verify(body, headers, [SECRET], NOW)


_NAMES = st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature", "Webhook-Id", "x"])
_TEXTS = st.text(st.characters(codec=None), max_size=40) | st.sampled_from(
    ["v1,", "v1,a b", "nan", str(int(NOW))]
)


@given(body=st.binary(max_size=200), headers=st.dictionaries(_NAMES, _TEXTS))
def test_whatever_comes_unsigned_is_rejected_and_nothing_else(body: bytes, headers: dict[str, str]) -> None:
    with pytest.raises(WebhookRejectedError):
        verify(body, headers, [SECRET], NOW)


@given(body=st.binary(max_size=200))
def test_whatever_bytes_are_signed_are_read_or_rejected(body: bytes) -> None:
    believed_or_rejected(body, sign(body))
