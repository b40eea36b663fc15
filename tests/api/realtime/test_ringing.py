"""What is read from the webhook that announces a call."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.webhooks import RealtimeCallIncomingWebhookEvent

from runner.api.realtime.ringing import ringing
from runner.api.webhook import WebhookEvent
from runner.errors import WebhookRejectedError
from runner.model.call import Headers, Ringing, SipOrigin

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


def event(body: dict[str, Any]) -> WebhookEvent:
    return WebhookEvent(webhook_id="wh_1", type=body["type"], body=body)


def with_data(**data: Any) -> dict[str, Any]:
    return {**INCOMING, "data": {**INCOMING["data"], **data}}


def test_an_incoming_call_is_read_whole() -> None:
    assert ringing(event(INCOMING)) == Ringing(
        call_id="rtc_u0_abc",
        created_at=1_794_999_999.0,
        origin=SipOrigin(
            headers=(
                ("From", '"Ada" <sip:+14155550100@pstn.example>;tag=x'),
                ("To", "<sip:proj_1@sip.api.openai.com>"),
                ("via", "a"),
                ("Via", "b"),
            )
        ),
    )


def test_the_sample_is_what_the_api_documents() -> None:
    RealtimeCallIncomingWebhookEvent.model_validate(INCOMING, strict=True)


@pytest.mark.parametrize("kind", ["live.transport.incoming", "live.call.incoming", "batch.completed", ""])
def test_an_event_of_another_type_announces_no_call(kind: str) -> None:
    assert ringing(event({**INCOMING, "type": kind})) is None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({**INCOMING, "created_at": None}, "created_at is not a time in seconds"),
        ({**INCOMING, "created_at": True}, "created_at is not a time in seconds"),
        ({**INCOMING, "created_at": "1"}, "created_at is not a time in seconds"),
        ({**INCOMING, "created_at": float("nan")}, "created_at is not a time in seconds"),
        ({**INCOMING, "created_at": 10**400}, "created_at is not a time in seconds"),
        ({**INCOMING, "created_at": 1e11}, "created_at is not a time in seconds"),
        ({**INCOMING, "created_at": 1_794_999_999_000}, "created_at is not a time in seconds"),
        ({**INCOMING, "created_at": -1}, "created_at is not a time in seconds"),
        ({**INCOMING, "data": []}, "the event has no data"),
        ({**INCOMING, "data": {}}, "call_id is missing"),
        (with_data(call_id=7), "call_id is missing"),
        (with_data(call_id="../../v1/files"), "call_id is not a valid id"),
        (with_data(call_id=".."), "call_id is not a valid id"),
        (with_data(call_id="rtc_1\n"), "call_id is not a valid id"),
        (with_data(call_id="r" * 201), "call_id is not a valid id"),
    ],
)
def test_an_announcement_that_is_none_is_rejected(body: dict[str, Any], message: str) -> None:
    with pytest.raises(WebhookRejectedError) as caught:
        ringing(event(body))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("sip_headers", "headers"),
    [
        (None, ()),
        ("From", ()),
        ({"name": "From", "value": "a"}, ()),
        ([1, None, [], {}, {"name": "From"}, {"name": 1, "value": "a"}, {"name": "To", "value": None}], ()),
        ([{"name": "", "value": ""}, {"name": "To", "value": "a", "more": 1}], (("", ""), ("To", "a"))),
    ],
)
def test_an_odd_sip_header_costs_itself_and_never_the_call(sip_headers: Any, headers: Headers) -> None:
    found = ringing(event(with_data(sip_headers=sip_headers)))
    assert found is not None
    assert (found.call_id, found.origin) == ("rtc_u0_abc", SipOrigin(headers=headers))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(
    body=st.fixed_dictionaries(
        {"type": st.just("realtime.call.incoming") | st.text()},
        optional={
            "created_at": _JSON,
            "data": st.fixed_dictionaries({}, optional={"call_id": _JSON, "sip_headers": _JSON}) | _JSON,
        },
    )
)
def test_whatever_event_is_sent_is_read_or_rejected(body: dict[str, Any]) -> None:
    with contextlib.suppress(WebhookRejectedError):
        ringing(event(body))
