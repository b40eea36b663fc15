"""Which webhooks are believed, and what is read from them."""

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.webhooks import RealtimeCallIncomingWebhookEvent
from standardwebhooks import Webhook

from runner.call.reception.webhook import WebhookEvent, is_secret, verify
from runner.errors import WebhookRejectedError

NOW = 1_795_000_000.0
SECRET = "whsec_bWFwbGUtZGVudGFsLXNlY3JldC0x"
OTHER = "whsec_YW5vdGhlci1zZWNyZXQtYWx0b2dldGhlcg=="
INCOMING: dict[str, Any] = {
    "id": "evt_1",
    "object": "event",
    "type": "realtime.call.incoming",
    "created_at": 1_794_999_999,
    "data": {
        "call_id": "rtc_u0_abc",
        "sip_headers": [
            {"name": "From", "value": '"Ada" <sip:+14155550100@pstn.example>;tag=x'},
            {"name": "To", "value": "<sip:proj_1@sip.api.openai.com>"},
            {"name": "via", "value": "a"},
            {"name": "Via", "value": "b"},
        ],
    },
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


def with_data(**data: Any) -> dict[str, Any]:
    return {**INCOMING, "data": {**INCOMING["data"], **data}}


def rejection(body: bytes, headers: dict[str, str], secrets: tuple[str, ...] = (SECRET,)) -> str:
    with pytest.raises(WebhookRejectedError) as caught:
        verify(body, headers, secrets, NOW)
    return str(caught.value)


def test_an_incoming_call_is_read_whole() -> None:
    body = encoded(INCOMING)
    assert verify(body, sign(body), [SECRET], NOW) == WebhookEvent(
        webhook_id="wh_1",
        type="realtime.call.incoming",
        created_at=1_794_999_999.0,
        call_id="rtc_u0_abc",
        sip_headers=(
            ("From", '"Ada" <sip:+14155550100@pstn.example>;tag=x'),
            ("To", "<sip:proj_1@sip.api.openai.com>"),
            ("via", "a"),
            ("Via", "b"),
        ),
    )


def test_the_sample_is_what_the_api_documents() -> None:
    RealtimeCallIncomingWebhookEvent.model_validate(INCOMING, strict=True)


@pytest.mark.parametrize("secrets", [(SECRET, OTHER), (OTHER, SECRET), ("whsec_%%%", SECRET)])
def test_any_of_several_secrets_will_do(secrets: tuple[str, ...]) -> None:
    body = encoded(INCOMING)
    assert verify(body, sign(body), secrets, NOW).call_id == "rtc_u0_abc"


def test_any_of_several_candidates_will_do() -> None:
    body = encoded(INCOMING)
    headers = sign(body)
    right = headers["webhook-signature"]
    headers["webhook-signature"] = (
        f"v1a,AAAA nonsense v1,==  {sign(body, secret=OTHER)['webhook-signature']} {right}"
    )
    assert verify(body, headers, [SECRET], NOW).webhook_id == "wh_1"


def test_header_names_match_in_any_case() -> None:
    body = encoded(INCOMING)
    assert verify(body, {k.upper(): v for k, v in sign(body).items()}, [SECRET], NOW).webhook_id == "wh_1"


@pytest.mark.parametrize("off_s", [-300, 0, 300])
def test_a_clock_may_be_off_by_five_minutes(off_s: int) -> None:
    body = encoded(INCOMING)
    assert verify(body, sign(body, at=NOW + off_s), [SECRET], NOW).webhook_id == "wh_1"


@pytest.mark.parametrize("off_s", [-301, 301])
def test_a_clock_may_not_be_off_by_more(off_s: int) -> None:
    body = encoded(INCOMING)
    assert (
        rejection(body, sign(body, at=NOW + off_s)) == "webhook-timestamp is more than 300 seconds from now"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"webhook-id": ""}, "webhook-id is missing"),
        ({"webhook-id": "a b"}, "webhook-id has characters or a length that no id has"),
        ({"webhook-id": "a" * 201}, "webhook-id has characters or a length that no id has"),
        ({"webhook-id": "wh_2"}, "no signature fits the body"),
        ({"webhook-timestamp": ""}, "webhook-timestamp is missing"),
        ({"webhook-timestamp": "nan"}, "webhook-timestamp is not a whole number of seconds"),
        ({"webhook-timestamp": "inf"}, "webhook-timestamp is not a whole number of seconds"),
        ({"webhook-timestamp": "1e9"}, "webhook-timestamp is not a whole number of seconds"),
        ({"webhook-timestamp": "-1"}, "webhook-timestamp is not a whole number of seconds"),
        ({"webhook-timestamp": "١٧٩٥"}, "webhook-timestamp is not a whole number of seconds"),
        ({"webhook-timestamp": "9" * 400}, "webhook-timestamp is not a whole number of seconds"),
        ({"webhook-timestamp": "999999999999"}, "webhook-timestamp is more than 300 seconds from now"),
        ({"webhook-timestamp": str(int(NOW) + 1)}, "no signature fits the body"),
        ({"webhook-signature": ""}, "webhook-signature is missing"),
        ({"webhook-signature": "v1"}, "no signature fits the body"),
        ({"webhook-signature": "v1,a,b"}, "no signature fits the body"),
        ({"webhook-signature": "v1,a"}, "no signature fits the body"),
        ({"webhook-signature": "v1,%%%"}, "no signature fits the body"),
        ({"webhook-signature": "v1,\udce9"}, "no signature fits the body"),
        ({"webhook-signature": " "}, "no signature fits the body"),
    ],
)
def test_a_header_that_is_wrong_is_rejected(change: dict[str, str], message: str) -> None:
    body = encoded(INCOMING)
    assert rejection(body, sign(body) | change) == message


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_header_that_is_not_there_is_rejected(name: str) -> None:
    body = encoded(INCOMING)
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
        (encoded({**INCOMING, "created_at": None}), "created_at is not a time in seconds"),
        (encoded({**INCOMING, "created_at": True}), "created_at is not a time in seconds"),
        (encoded({**INCOMING, "created_at": "1"}), "created_at is not a time in seconds"),
        (encoded({**INCOMING, "created_at": float("nan")}), "created_at is not a time in seconds"),
        (encoded({**INCOMING, "created_at": 10**400}), "created_at is not a time in seconds"),
        (encoded({**INCOMING, "data": []}), "the event has no data"),
        (encoded({**INCOMING, "data": {}}), "call_id is missing"),
        (encoded(with_data(call_id=7)), "call_id is missing"),
        (encoded(with_data(call_id="../../v1/files")), "call_id has characters or a length that no id has"),
        (encoded(with_data(call_id="..")), "call_id has characters or a length that no id has"),
        (encoded(with_data(call_id="rtc_1\n")), "call_id has characters or a length that no id has"),
        (encoded(with_data(call_id="r" * 201)), "call_id has characters or a length that no id has"),
    ],
)
def test_a_signed_body_that_is_no_event_is_rejected(body: bytes, message: str) -> None:
    assert rejection(body, sign(body)) == message


@pytest.mark.parametrize("secrets", [(), (OTHER,), ("",), ("whsec_",), ("whsec_%%%",), ("whsec_é",)])
def test_without_the_right_secret_nothing_is_believed(secrets: tuple[str, ...]) -> None:
    body = encoded(INCOMING)
    assert rejection(body, sign(body), secrets) == "no signature fits the body"


def test_one_byte_more_is_another_body() -> None:
    body = encoded(INCOMING)
    assert rejection(body + b" ", sign(body)) == "no signature fits the body"


@pytest.mark.parametrize(
    ("sip_headers", "read"),
    [
        (None, ()),
        ("From", ()),
        ({"name": "From", "value": "a"}, ()),
        ([1, None, [], {}, {"name": "From"}, {"name": 1, "value": "a"}, {"name": "To", "value": None}], ()),
        ([{"name": "", "value": ""}, {"name": "To", "value": "a", "more": 1}], (("", ""), ("To", "a"))),
    ],
)
def test_an_odd_sip_header_costs_itself_and_never_the_call(sip_headers: Any, read: Any) -> None:
    body = encoded(with_data(sip_headers=sip_headers))
    event = verify(body, sign(body), [SECRET], NOW)
    assert (event.call_id, event.sip_headers) == ("rtc_u0_abc", read)


@pytest.mark.parametrize(
    ("created_at", "read"), [(5, 5.0), (5.5, 5.5), (None, NOW), ("x", NOW), (True, NOW), (10**400, NOW)]
)
def test_another_event_is_read_as_far_as_it_goes(created_at: Any, read: float) -> None:
    body = encoded({"type": "live.transport.incoming", "created_at": created_at, "data": 7})
    assert verify(body, sign(body), [SECRET], NOW) == WebhookEvent(
        webhook_id="wh_1", type="live.transport.incoming", created_at=read
    )


@pytest.mark.parametrize(
    ("secret", "usable"),
    [
        (SECRET, True),
        (OTHER, True),
        (OTHER.rstrip("="), True),
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
def test_a_secret_is_base64(secret: str, usable: bool) -> None:
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


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(body=st.binary(max_size=200))
def test_whatever_bytes_are_signed_are_read_or_rejected(body: bytes) -> None:
    believed_or_rejected(body, sign(body))


@given(
    event=st.fixed_dictionaries(
        {"type": st.just("realtime.call.incoming") | _JSON},
        optional={
            "created_at": _JSON,
            "data": st.fixed_dictionaries({}, optional={"call_id": _JSON, "sip_headers": _JSON}) | _JSON,
        },
    )
)
def test_whatever_event_is_signed_is_read_or_rejected(event: Any) -> None:
    body = encoded(event)
    believed_or_rejected(body, sign(body))
