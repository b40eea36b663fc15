"""The stand-in's webhooks are those of the API: signed, and with headers as carriers send them."""

import json

import pytest

from runner.api.realtime.ringing import ringing
from runner.api.webhook import verify
from runner.call.addresses.incoming import incoming_call
from runner.call.examples.example_call import project_address, sip_headers
from runner.errors import WebhookRejectedError
from runner.model.call import Ringing, SipOrigin
from runner.model.route import RoutingSettings
from runner.standin.webhook import call_incoming, new_secret
from tests.standin.openai_types import WEBHOOK, complaint

NOW = 1_700_000_000.0
ROUTING = RoutingSettings(project_prefix="proj_")
HEADERS = sip_headers(caller="+14155550100", called="+18005551212", call_id="rtc_1")


def test_the_runner_believes_it_with_the_right_secret_only() -> None:
    secret = new_secret()
    webhook = call_incoming(call_id="rtc_1", headers=HEADERS, secret=secret, now=NOW)
    event = verify(webhook.body, webhook.headers, [secret], NOW)
    found = ringing(event)
    assert found is not None
    assert (found.call_id, event.webhook_id) == ("rtc_1", "wh_rtc_1")
    with pytest.raises(WebhookRejectedError):
        verify(webhook.body, webhook.headers, [new_secret()], NOW)


def test_the_published_types_know_all_of_it() -> None:
    webhook = call_incoming(call_id="rtc_1", headers=HEADERS, secret=new_secret(), now=NOW)
    assert complaint(WEBHOOK, json.loads(webhook.body)) is None


@pytest.mark.parametrize(
    ("caller", "called", "seen_caller", "seen_called", "found_in"),
    [
        ("+14155550100", "+18005551212", "+14155550100", "+18005551212", "Diversion"),
        ("tel:+14155550100", "sip:desk@pbx.example", "+14155550100", None, "To"),
        ("sip:1001@pbx.example", "+18005551212", None, "+18005551212", "Diversion"),
    ],
)
def test_the_headers_are_read_as_a_carriers(
    caller: str, called: str, seen_caller: str | None, seen_called: str | None, found_in: str
) -> None:
    headers = sip_headers(caller=caller, called=called, call_id="rtc_1", project=project_address(ROUTING))
    call = incoming_call(
        Ringing(call_id="rtc_1", created_at=NOW, origin=SipOrigin(headers=tuple(headers))), ROUTING
    )
    assert (call.caller.number, call.called.number, call.called_found_in) == (
        seen_caller,
        seen_called,
        found_in,
    )


def test_an_anonymous_caller_is_one() -> None:
    headers = sip_headers(caller="anonymous", called="+18005551212", call_id="rtc_1")
    call = incoming_call(
        Ringing(call_id="rtc_1", created_at=NOW, origin=SipOrigin(headers=tuple(headers))), ROUTING
    )
    assert call.caller.anonymous
