"""Client credentials: what is asked for, and what each reply of a token endpoint means."""

import base64
import json

import pytest

from runner.call.templates.template import TemplateFailure, compile_template
from runner.call.tools.oauth import ClientAuth, NoToken, Token, token_of_reply, token_request, with_token
from runner.call.tools.tool_request import build_request
from runner.model.http import Failure, Grant, HttpReply, HttpRequest
from runner.model.tool import ClientCredentials, HttpBinding
from runner.model.values import Json, JsonObject

NOW = 1_795_000_000.0
GRANT = Grant(
    token_url="https://login.maple.example/token", client_id="phone agents", client_secret="s:e/c+r%t"
)


def answered(body: Json, status: int = 200) -> HttpReply:
    return HttpReply(status=status, body=json.dumps(body).encode(), content_type="application/json")


def refusal(reply: HttpReply) -> tuple[Failure | None, str, bool]:
    found = token_of_reply(reply, NOW)
    assert isinstance(found, NoToken)
    assert found.reply.status is None
    return found.reply.failure, found.reply.detail, found.asks_otherwise


def test_credentials_travel_as_basic_authentication_each_encoded_as_in_a_form() -> None:
    request = token_request(GRANT, ClientAuth.BASIC, 7.0)
    headers = dict(request.headers)
    scheme, _, credentials = headers.pop("Authorization").partition(" ")
    assert (scheme, base64.b64decode(credentials)) == ("Basic", b"phone+agents:s%3Ae%2Fc%2Br%25t")
    assert headers == {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
    assert (request.method, request.url, request.timeout_s) == ("POST", GRANT.token_url, 7.0)
    assert request.body == b"grant_type=client_credentials"


def test_credentials_travel_in_the_body_where_the_endpoint_wants_them_there() -> None:
    request = token_request(GRANT, ClientAuth.BODY, 7.0)
    assert "Authorization" not in dict(request.headers)
    assert request.body == (
        b"grant_type=client_credentials&client_id=phone+agents&client_secret=s%3Ae%2Fc%2Br%25t"
    )


def test_scopes_are_one_text_and_the_audience_is_named() -> None:
    grant = Grant(
        token_url="https://login.maple.example/token",
        client_id="a",
        client_secret="b",
        scopes=("orders.read", "orders.write"),
        audience="https://api.maple.example",
    )
    assert token_request(grant, ClientAuth.BASIC, 7.0).body == (
        b"grant_type=client_credentials&scope=orders.read+orders.write&audience=https%3A%2F%2Fapi.maple.example"
    )


@pytest.mark.parametrize(
    ("answer", "life_s"),
    [
        ({"expires_in": 3600}, 3570.0),  # half a minute early
        ({"expires_in": 100}, 90.0),  # a tenth of a short life early
        ({"expires_in": "3600"}, 3570.0),
        ({"expires_in": 1.5}, 1.35),
        ({"expires_in": 0}, 0.0),
        ({"token_type": "bearer", "expires_in": 300, "scope": "x"}, 270.0),
    ],
)
def test_a_token_is_used_until_shortly_before_it_expires(answer: JsonObject, life_s: float) -> None:
    assert token_of_reply(answered({"access_token": "abc", "token_type": "Bearer", **answer}), NOW) == Token(
        value="abc", expires_at=NOW + life_s
    )


ODD_LIVES: tuple[Json, ...] = (None, -1, True, "soon", "", [], {})


@pytest.mark.parametrize("odd", [{}, *({"expires_in": odd} for odd in ODD_LIVES)])
def test_a_token_whose_life_is_not_told_is_used_until_it_is_refused(odd: JsonObject) -> None:
    token = token_of_reply(answered({"access_token": "abc", **odd}), NOW)
    assert token == Token(value="abc")
    assert token.is_fresh(NOW + 10**9)


def test_a_token_is_fresh_up_to_its_end() -> None:
    token = Token(value="abc", expires_at=NOW)
    assert (token.is_fresh(NOW - 0.001), token.is_fresh(NOW)) == (True, False)


@pytest.mark.parametrize(
    ("reply", "detail"),
    [
        (answered({"error": "server_error"}, 503), "the token endpoint answered 503"),
        (
            answered({"error": "invalid_scope", "hint": "s:e/c"}, 400),
            "the token endpoint answered 400 (invalid_scope)",
        ),
        (HttpReply(status=302), "the token endpoint answered 302"),
        (
            HttpReply(status=200, body=b"<html>", content_type="text/html"),
            "the token endpoint's reply is not JSON",
        ),
        (HttpReply(status=200), "the token endpoint's reply is not JSON"),
        (HttpReply(status=200, body=b"[" * 9999), "the token endpoint's reply is not JSON"),
        *(
            (answered(odd), 'the token endpoint\'s reply has no "access_token" that could be sent')
            for odd in (
                None,
                ["abc"],
                {},
                {"access_token": None},
                {"access_token": 7},
                {"access_token": ""},
                {"access_token": "a b"},
                {"access_token": "abc\r\nX-Evil: 1"},
                {"access_token": "ä"},
            )
        ),
        (
            answered({"access_token": "abc", "token_type": "mac"}),
            'the token endpoint issues tokens that are not of the type "Bearer"',
        ),
    ],
)
def test_a_reply_without_a_token_is_a_failure_in_few_words_of_ours(reply: HttpReply, detail: str) -> None:
    assert refusal(reply) == (Failure.UNAUTHORIZED, detail, False)


@pytest.mark.parametrize(
    ("reply", "detail"),
    [
        (HttpReply(status=401), "the token endpoint answered 401"),
        (HttpReply(status=401, body=b"\xff"), "the token endpoint answered 401"),
        (answered({"error": ["invalid_client"]}, 400), "the token endpoint answered 400"),
        (answered({"error": "s:e/c+r%t"}, 400), "the token endpoint answered 400"),
        (answered({"error": "invalid_client"}, 401), "the token endpoint answered 401 (invalid_client)"),
        (answered({"error": "invalid_request"}, 400), "the token endpoint answered 400 (invalid_request)"),
    ],
)
def test_credentials_that_were_not_found_may_be_looked_for_elsewhere(reply: HttpReply, detail: str) -> None:
    assert refusal(reply) == (Failure.UNAUTHORIZED, detail, True)


@pytest.mark.parametrize(
    "failure", [Failure.TIMEOUT, Failure.CONNECTION, Failure.FORBIDDEN, Failure.TOO_LARGE]
)
def test_a_token_endpoint_that_cannot_be_reached_fails_as_the_tool_s_own_would(failure: Failure) -> None:
    reply = HttpReply(
        status=200 if failure is Failure.TOO_LARGE else None, failure=failure, detail="so and so"
    )
    assert refusal(reply) == (failure, "for a token: so and so", False)


def test_a_request_with_its_token_is_otherwise_the_same() -> None:
    request = HttpRequest(
        method="GET", url="https://a.example", headers=(("X-A", "1"),), body=b"x", oauth=GRANT
    )
    assert with_token(request, Token(value="abc"), 3.0) == HttpRequest(
        method="GET",
        url="https://a.example",
        headers=(("X-A", "1"), ("Authorization", "Bearer abc")),
        body=b"x",
        timeout_s=3.0,
    )


def test_secrets_and_tokens_are_in_no_repr() -> None:
    request = HttpRequest(method="GET", url="https://a.example", oauth=GRANT)
    shown = f"{request!r} {GRANT!r} {Token(value='abc-token')!r}"
    assert "s:e/c" not in shown
    assert "phone agents" not in shown
    assert "abc-token" not in shown


BINDING = HttpBinding(
    method="GET",
    url=compile_template("https://a.example"),
    auth=ClientCredentials(
        token_url="https://login.maple.example/token",
        client_id=compile_template("phone-agents"),
        client_secret=compile_template("{{ secrets.MAPLE }}"),
        scopes=("orders.read",),
        audience="maple",
    ),
)


def requested(secret: str) -> HttpRequest:
    return build_request(
        BINDING, {"secrets": {"MAPLE": secret}}, call_id="c", tool_call_id="t", agent_id="a", now=NOW
    )


def test_a_request_carries_its_grant_with_the_secret_as_it_is_now() -> None:
    assert requested("one").oauth == Grant(
        token_url="https://login.maple.example/token",
        client_id="phone-agents",
        client_secret="one",
        scopes=("orders.read",),
        audience="maple",
    )
    assert requested("two").oauth != requested("one").oauth
    assert "Authorization" not in dict(requested("one").headers)


def test_an_empty_secret_is_not_sent() -> None:
    with pytest.raises(TemplateFailure, match=r'^what "auth" sends is empty$'):
        requested(" ")
