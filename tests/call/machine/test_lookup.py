"""The lookup's request names what there is before the call, and any reply at all makes an answer."""

import json
from typing import Any

import pytest

from runner.call.machine.lookup import MAX_BYTES, LookedUp, lookup_request, read_answer
from runner.call.templates.template import TemplateFailure, compile_template
from runner.model.agent import Agent, Lookup
from runner.model.call import Address, IncomingCall
from runner.model.http import Failure, HttpReply
from runner.model.tool import Bearer, HttpBinding
from runner.model.values import Json, Place

NOW = 1_795_000_000.0
CALLER = Address(uri="sip:+14155550100@carrier.example", number="+14155550100")
CALL = IncomingCall(
    id="rtc_1", caller=CALLER, called=Address(uri=""), called_found_in="To", created_at=NOW - 1
)
DEFAULT = {"name": None}


def lookup(url: str = "https://crm.example/{{ call.from.number }}", **http: Any) -> Lookup:
    binding = HttpBinding(method="GET", url=compile_template(url), **http)
    return Lookup(http=binding, default=DEFAULT)


def agent(**variables: str) -> Agent:
    return Agent(
        id="desk",
        model="gpt-realtime-2.1",
        instructions=compile_template("Be kind."),
        vars={name: compile_template(value) for name, value in variables.items()},
        place=Place("desk.yaml", 1, 1),
    )


def test_the_request_is_that_of_a_tool_with_the_calls_id_as_its_key() -> None:
    asked = lookup(
        "https://crm.example/{{ vars.shop }}/{{ call.from.number }}",
        query={"at": compile_template("{{ now }}")},
        auth=Bearer(token=compile_template("{{ secrets.CRM }}")),
    )
    request = lookup_request(asked, call=CALL, agent=agent(shop="a b"), secrets={"CRM": "s3cret"}, now=NOW)
    assert (request.method, request.body) == ("GET", None)
    assert request.url == "https://crm.example/a%20b/%2B14155550100?at=2026-11-18T11%3A06%3A40Z"
    headers = dict(request.headers)
    assert headers.pop("traceparent").startswith("00-")
    assert headers == {
        "Authorization": "Bearer s3cret",
        "Idempotency-Key": "rtc_1",
        "X-Call-Id": "rtc_1",
        "X-Agent": "desk",
    }


def test_a_variable_that_waits_for_the_answer_is_null_and_harms_no_other() -> None:
    asked = lookup("https://crm.example/x", query={"a": compile_template("{{ vars.late }}{{ vars.shop }}")})
    variables = agent(late="{{ lookup.visits + 1 }}", shop="maple")
    assert lookup_request(asked, call=CALL, agent=variables, secrets={}, now=NOW).url == (
        "https://crm.example/x?a=maple"
    )


def test_a_request_that_cannot_be_made_says_so() -> None:
    with pytest.raises(TemplateFailure):
        lookup_request(
            lookup("https://crm.example/{{ 1 // 0 }}"), call=CALL, agent=agent(), secrets={}, now=NOW
        )


def reply(body: bytes | str, status: int = 200, content_type: str = "application/json") -> HttpReply:
    content = body if isinstance(body, bytes) else body.encode()
    return HttpReply(status=status, body=content, content_type=content_type, took_s=0.25)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ('{"name": "Ada"}', {"name": "Ada"}),
        ("[1, 2.5]", [1, 2.5]),
        ("null", None),
        ('"text"', "text"),
        ("7", 7),
        ('{"a\\u0000": ["b\\u0000c", {"d": "\\ud83d"}]}', {"a": ["bc", {"d": "?"}]}),
        ("\ufeff{}", {}),
    ],
)
def test_any_json_is_an_answer_without_what_the_api_refuses(body: str, value: Json) -> None:
    assert read_answer(lookup(), reply(body), 0.25) == LookedUp(value=value, took_s=0.25)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (reply("Hello"), "the endpoint answered 200, but its reply is not JSON"),
        (reply("<html>", content_type="text/html"), "the endpoint answered 200, but its reply is not JSON"),
        (reply('{"name": NaN}'), "the endpoint answered 200, but its reply is not JSON"),
        (reply("9" * 5000), "the endpoint answered 200, but its reply is not JSON"),
        (reply("[" * 60_000), "the endpoint answered 200, but its reply is nested deeper than 64 levels"),
        (
            reply("[" * 65 + "]" * 65),
            "the endpoint answered 200, but its reply is nested deeper than 64 levels",
        ),
        (reply("", 204), "the endpoint answered 204, but its reply is empty"),
        (reply(b"\xff\xfe\x00", content_type=""), "the endpoint answered 200, but its reply is not JSON"),
        (reply(json.dumps("x" * MAX_BYTES)), "the endpoint's reply is longer than 65536 bytes"),
        (reply('{"error": 1}', 500), "the endpoint answered 500 Internal Server Error"),
        (reply("{}", 302), "the endpoint answered 302 Found, a redirect, which is not followed"),
        (HttpReply(failure=Failure.TIMEOUT, took_s=0.25), "the endpoint did not answer in time"),
        (HttpReply(failure=Failure.CONNECTION, took_s=0.25), "the endpoint could not be reached"),
        (
            HttpReply(failure=Failure.FORBIDDEN, took_s=0.25),
            "the endpoint's address is one that tools may not reach",
        ),
        (
            HttpReply(status=200, failure=Failure.TOO_LARGE, took_s=0.25),
            "the endpoint's reply is too large",
        ),
    ],
)
def test_everything_else_gives_the_default_and_says_why(given: HttpReply, reason: str) -> None:
    assert read_answer(lookup(), given, 0.25) == LookedUp(
        value=DEFAULT, took_s=0.25, fault=f"the lookup gave its default: {reason}"
    )
