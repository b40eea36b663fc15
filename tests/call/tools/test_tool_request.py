"""Requests of tools: query, headers, bodies, credentials, signature, and when another attempt is made."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from runner.call.templates.template import TemplateFailure, compile_template
from runner.call.tools.tool_request import build_request, next_delay
from runner.model.http import Failure, HttpReply, HttpRequest
from runner.model.template import Templated
from runner.model.tool import ApiKey, Basic, Bearer, Body, BodyKind, HttpBinding, KeyIn, Retries
from runner.model.values import Json, JsonObject

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ARGS: JsonObject = {"day": "2026-11-27", "slots": 2, "vip": True, "tags": ["a b", None, 3], "nothing": None}
SECRETS = {"TOKEN": "t0ken", "PASSWORD": "pä:ss", "EMPTY": "", "HOOK": SECRET, "LINES": "a\r\nX-Evil: 1\n"}
t = compile_template


def request(
    names: JsonObject = ARGS, method: str = "GET", url: str = "https://api.example/slots", **fields: Json
) -> HttpRequest:
    binding = HttpBinding(method=method, url=t(url), **fields)
    return build_request(
        binding,
        {"args": names, "secrets": SECRETS},
        call_id="rtc_1",
        tool_call_id="call_2",
        agent_id="front-desk",
        now=1795464000.9,
    )


def header(made: HttpRequest, name: str) -> str | None:
    found = [value for key, value in made.headers if key.lower() == name.lower()]
    assert len(found) < 2
    return found[0] if found else None


def test_every_request_says_which_call_it_belongs_to() -> None:
    made = request()
    assert made.method == "GET"
    assert made.url == "https://api.example/slots"
    assert made.body is None
    assert dict(made.headers) == {
        "Idempotency-Key": "call_2",
        "X-Call-Id": "rtc_1",
        "X-Agent": "front-desk",
        "traceparent": "00-9df7377635cbdfdeb094c2cd0ca9a48b-dfc6a3e4bdbd7f6e-01",
    }


def test_one_trace_is_one_call_and_one_span_one_tool_call() -> None:
    binding = HttpBinding(method="GET", url=t("https://api.example/"))

    def trace(call_id: str, tool_call_id: str) -> list[str]:
        made = build_request(binding, {}, call_id=call_id, tool_call_id=tool_call_id, agent_id="a", now=0)
        parent = header(made, "traceparent")
        assert parent is not None
        assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", parent)
        return parent.split("-")

    first, second, other = trace("rtc_1", "call_1"), trace("rtc_1", "call_2"), trace("rtc_2", "call_1")
    assert first[1] == second[1] != other[1]
    assert first[2] != second[2] != other[2] != first[2]


@pytest.mark.parametrize(
    ("url", "query", "made"),
    [
        ("https://a/x", {"day": t("{{ args.day }}")}, "https://a/x?day=2026-11-27"),
        ("https://a/x", {"q": t("a&b=c #é")}, "https://a/x?q=a%26b%3Dc%20%23%C3%A9"),
        ("https://a/x", {"a b&": t("1")}, "https://a/x?a%20b%26=1"),
        ("https://a/x?k=1", {"l": t("2")}, "https://a/x?k=1&l=2"),
        ("https://a/x?", {"l": t("2")}, "https://a/x?l=2"),
        (
            "https://a/x",
            {"gone": t("{{ args.nothing }}"), "made-up": t("{{ args.x.y }}"), "null": None},
            "https://a/x",
        ),
        ("https://a/x", {"empty": t("")}, "https://a/x?empty="),
        ("https://a/x", {"tags": t("{{ args.tags }}")}, "https://a/x?tags=a%20b&tags=3"),
        (
            "https://a/x",
            {"tags": [t("{{ args.day }}"), t("{{ args.nothing }}"), t("b")]},
            "https://a/x?tags=2026-11-27&tags=b",
        ),
        (
            "https://a/x",
            {"vip": t("{{ args.vip }}"), "no": False, "n": 3},
            "https://a/x?vip=true&no=false&n=3",
        ),
    ],
)
def test_the_query_repeats_lists_and_leaves_nulls_out(
    url: str, query: Mapping[str, Templated], made: str
) -> None:
    assert request(url=url, query=query).url == made


@pytest.mark.parametrize(
    ("body", "content_type", "content"),
    [
        (
            Body(kind=BodyKind.JSON, is_arguments=True),
            "application/json",
            '{"day":"2026-11-27","slots":2,"vip":true,"tags":["a b",null,3],"nothing":null}',
        ),
        (
            Body(
                kind=BodyKind.JSON,
                content={
                    "n": t("{{ args.slots }}"),
                    "s": t("{{ args.slots }} é"),
                    "x": t("{{ args.x }}"),
                    "l": [t("{{ args.vip }}"), 1.5, None],
                },
            ),
            "application/json",
            '{"n":2,"s":"2 é","x":null,"l":[true,1.5,null]}',
        ),
        (Body(kind=BodyKind.JSON, content=t("{{ args.tags }}")), "application/json", '["a b",null,3]'),
        (
            Body(
                kind=BodyKind.FORM,
                content={
                    "day": t("{{ args.day }}"),
                    "tags": t("{{ args.tags }}"),
                    "x": t("{{ args.x }}"),
                    "a&": t("1 é&="),
                },
            ),
            "application/x-www-form-urlencoded",
            "day=2026-11-27&tags=a+b&tags=3&a%26=1+%C3%A9%26%3D",
        ),
        (
            Body(kind=BodyKind.TEXT, content=t("On {{ args.day }} é")),
            "text/plain; charset=utf-8",
            "On 2026-11-27 é",
        ),
        (
            Body(kind=BodyKind.TEXT, content=t("{{ args.tags }}")),
            "text/plain; charset=utf-8",
            '["a b",null,3]',
        ),
    ],
)
def test_a_body_is_written_with_its_content_type(body: Body, content_type: str, content: str) -> None:
    made = request(method="POST", body=body)
    assert made.body is not None
    assert made.body.decode() == content
    assert header(made, "Content-Type") == content_type


def test_a_declared_content_type_replaces_ours() -> None:
    made = request(
        method="POST",
        body=Body(kind=BodyKind.TEXT, content=t("<a/>")),
        headers={"content-type": t("text/xml")},
    )
    assert [value for name, value in made.headers if name.lower() == "content-type"] == ["text/xml"]


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ args.day }}", "2026-11-27"),
        ("a\r\nX-Evil: 1", "a X-Evil: 1"),
        ("{{ secrets.LINES }}", "a X-Evil: 1"),
        ("a\x00\x0b\x7fb\tc ", "a b\tc"),
        ("é 😀", "é 😀"),
        ("{{ args.vip }}", "true"),
        ("{{ args.nothing }}", None),
        ("{{ args.x.y }}", None),
        ("-{{ args.x }}", "-"),
    ],
)
def test_a_header_is_one_line_and_a_null_is_not_sent(template: str, value: str | None) -> None:
    assert header(request(headers={"X-A": t(template)}), "X-A") == value


@pytest.mark.parametrize(
    ("auth", "name", "value"),
    [
        (Bearer(token=t("{{ secrets.TOKEN }}")), "Authorization", "Bearer t0ken"),
        (
            Basic(username=t("maple"), password=t("{{ secrets.PASSWORD }}")),
            "Authorization",
            "Basic bWFwbGU6cMOkOnNz",
        ),
        (Basic(username=t("maple"), password=t("{{ secrets.EMPTY }}")), "Authorization", "Basic bWFwbGU6"),
        (ApiKey(name="X-Api-Key", value=t("{{ secrets.TOKEN }}")), "X-Api-Key", "t0ken"),
    ],
)
def test_credentials_travel_in_a_header(auth: object, name: str, value: str) -> None:
    made = request(auth=auth)
    assert header(made, name) == value
    assert made.url == "https://api.example/slots"


def test_an_api_key_may_travel_in_the_query() -> None:
    made = request(
        query={"a": t("1")}, auth=ApiKey(name="key", value=t("{{ secrets.TOKEN }}"), location=KeyIn.QUERY)
    )
    assert made.url == "https://api.example/slots?a=1&key=t0ken"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"auth": Bearer(token=t("{{ secrets.EMPTY }}"))}, 'what "auth" sends is empty'),
        ({"auth": ApiKey(name="X", value=t("{{ secrets.GONE }}"))}, 'what "auth" sends is empty'),
        ({"auth": Basic(username=t("a:b"), password=t("c"))}, 'the user name of "basic" has a colon'),
        (
            {"sign": t("whsec_not base64é")},
            'the secret of "sign" is not a Standard Webhooks secret (whsec_…)',
        ),
        ({"sign": t("")}, 'the secret of "sign" is not a Standard Webhooks secret (whsec_…)'),
        (
            {"url": "https://a/{{ args.x }}"},
            'the template "https://a/{{ args.x }}" failed: a part of the path would be empty',
        ),
        ({"query": {"a": t("{{ 1 / 0 }}")}}, 'the template "{{ 1 / 0 }}" failed: division by zero'),
    ],
)
def test_a_request_that_cannot_be_made_fails_without_naming_a_secret(
    fields: dict[str, Any], error: str
) -> None:
    with pytest.raises(TemplateFailure) as caught:
        request(**fields)
    assert str(caught.value) == error


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_signature_is_one_of_standard_webhooks(method: str) -> None:
    body = Body(kind=BodyKind.JSON, content={"a": t("é")}) if method == "POST" else None
    made = request(method=method, body=body, sign=t("{{ secrets.HOOK }}"))
    assert header(made, "webhook-id") == "call_2"
    assert header(made, "webhook-timestamp") == "1795464000"
    signature = header(made, "webhook-signature")
    expected = Webhook(SECRET).sign(
        "call_2", datetime.fromtimestamp(1795464000, UTC), (made.body or b"").decode()
    )
    assert signature == expected


def test_secrets_stay_out_of_the_text_of_a_request() -> None:
    made = request(
        auth=Bearer(token=t("{{ secrets.TOKEN }}")),
        method="POST",
        body=Body(kind=BodyKind.TEXT, content=t("{{ secrets.TOKEN }}")),
    )
    assert "t0ken" not in repr(made)


@pytest.mark.parametrize(
    ("reply", "delays"),
    [
        (HttpReply(status=503), [0.5, 1.0, 2.0, None, None]),
        (HttpReply(failure=Failure.TIMEOUT), [0.5, 1.0, 2.0, None, None]),
        (HttpReply(failure=Failure.CONNECTION), [None] * 5),
        (HttpReply(failure=Failure.FORBIDDEN), [None] * 5),
        (HttpReply(status=503, failure=Failure.TOO_LARGE), [None] * 5),
        (HttpReply(status=500), [None] * 5),
        (HttpReply(status=200), [None] * 5),
    ],
)
def test_only_what_is_declared_is_tried_again_each_time_later(
    reply: HttpReply, delays: list[float | None]
) -> None:
    retries = Retries(attempts=4, backoff_s=0.5, on=frozenset({503, "timeout"}))
    assert [next_delay(retries, attempt, reply) for attempt in (1, 2, 3, 4, 5)] == delays


def test_a_lost_connection_is_tried_again_where_that_is_declared() -> None:
    retries = Retries(attempts=2, backoff_s=0.2, on=frozenset({"connection"}))
    assert next_delay(retries, 1, HttpReply(failure=Failure.CONNECTION)) == 0.2
    assert next_delay(retries, 1, HttpReply(failure=Failure.BROKEN)) == 0.2
    assert next_delay(Retries(), 1, HttpReply(failure=Failure.CONNECTION)) is None


TEXTS = st.text(max_size=20) | st.sampled_from(["a&b", "a=b", "\r\n", "+", "%", "#", "{{ 1 }}"])
ANY: dict[str, Json] = {
    "url": "https://api.example/{{ 'p' ~ args.a }}",
    "query": {"q": t("{{ args.a }}"), "r": t("x{{ args.b }}")},
    "headers": {"X-A": t("{{ args.a }}"), "X-B": t("b{{ args.b }}")},
    "body": Body(kind=BodyKind.FORM, content={"f": t("{{ args.a }}"), "g": t("{{ args.b }}")}),
}


@given(TEXTS, TEXTS)
def test_whatever_the_values_a_request_keeps_its_parts(a: str, b: str) -> None:
    made = request({"a": a, "b": b}, method="POST", **ANY)
    parts = urlsplit(made.url)
    assert (parts.netloc, parts.fragment) == ("api.example", "")
    assert parse_qsl(parts.query, keep_blank_values=True) == [("q", a), ("r", f"x{b}")]
    assert made.body is not None
    assert parse_qsl(made.body.decode(), keep_blank_values=True) == [("f", a), ("g", b)]
    for _, value in made.headers:
        assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    )
)
def test_the_arguments_arrive_as_they_were_given(value: Json) -> None:
    made = request({"v": value}, method="POST", body=Body(kind=BodyKind.JSON, is_arguments=True))
    assert made.body is not None
    assert json.loads(made.body) == {"v": value}
