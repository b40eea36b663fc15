"""The token of a page is taken when all of it is right, and refused with the reason when it is not."""

import base64
import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.call.browser.token import BrowserToken, read_token
from runner.errors import TokenRefusedError

NOW = 1_767_614_400.0
SECRET = "a secret that is long enough for a hash of 256 bits, and for one of 512"
CLAIMS = {"aud": "phone-agents", "exp": NOW + 60, "sub": "user-1", "jti": "t1", "agent": "front-desk"}


def token(secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    said = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not None}
    return jwt.PyJWS().encode(json.dumps(said).encode(), secret, algorithm=algorithm)


def test_a_token_says_who_calls_whom() -> None:
    assert read_token(token(vars={"plan": "gold"}), SECRET, NOW) == BrowserToken(
        subject="user-1", id="t1", agents=("front-desk",), expires_at=NOW + 60, vars={"plan": "gold"}
    )


def test_a_token_may_name_several_agents_and_audiences() -> None:
    expires_at = int(NOW) + 60
    text = token(agent=None, agents=["a", "b"], aud=["other", "phone-agents"], exp=expires_at)
    read = read_token(text, SECRET, NOW)
    assert (read.agents, read.expires_at) == (("a", "b"), expires_at)


@pytest.mark.parametrize(
    ("text", "code", "detail"),
    [
        ("", "token_missing", "there is no token; send it as a bearer token"),
        ("x" * 9000, "token_malformed", "the token has more than 4000 characters"),
        ("hello", "token_malformed", "the token is not a JWT"),
        ("a.b.c", "token_malformed", "the token is not a JWT"),
        (token(secret=SECRET + "!"), "token_signature", "the token is signed with another secret"),
        (token(algorithm="HS512"), "token_algorithm", "the token is not signed with HS256"),
        (
            jwt.PyJWS().encode(b"{}", "", algorithm="none"),
            "token_algorithm",
            "the token is not signed with HS256",
        ),
        (token(aud="console"), "token_audience", 'the token\'s "aud" is not "phone-agents"'),
        (token(aud=None), "token_audience", 'the token\'s "aud" is not "phone-agents"'),
        (token(exp=None), "token_expiry", 'the token has no "exp"'),
        (token(exp="soon"), "token_expiry", 'the token\'s "exp" is not a time in seconds'),
        (token(exp=True), "token_expiry", 'the token\'s "exp" is not a time in seconds'),
        (token(exp=1e10), "token_expiry", 'the token\'s "exp" is not a time in seconds'),
        (token(exp=NOW), "token_expired", "the token has expired"),
        (token(exp=NOW + 631), "token_expiry", "the token expires more than 10 minutes from now"),
        (token(nbf=NOW + 31), "token_not_yet", "the token is not valid yet"),
        (token(sub=None), "token_claims", 'the token has no "sub" of 1 to 200 characters'),
        (token(sub=""), "token_claims", 'the token has no "sub" of 1 to 200 characters'),
        (token(sub=5), "token_claims", 'the token has no "sub" of 1 to 200 characters'),
        (token(jti=5), "token_claims", 'the token has no "jti" of 1 to 200 characters'),
        (token(sub="a\nb"), "token_claims", 'the token has no "sub" of 1 to 200 characters'),
        (token(jti="x" * 201), "token_claims", 'the token has no "jti" of 1 to 200 characters'),
        (token(agent=None), "token_claims", 'the token names no agent in "agent" or "agents"'),
        (token(agent=None, agents=[]), "token_claims", 'the token names no agent in "agent" or "agents"'),
        (token(agent=None, agents=[1]), "token_claims", 'the token names no agent in "agent" or "agents"'),
        (
            token(agents=["b"]),
            "token_claims",
            'the token has "agent" and "agents"; keep one of them',
        ),
        (token(vars=[1]), "token_claims", 'the token\'s "vars" is not an object of names and values'),
    ],
)
def test_a_token_is_refused_with_its_reason(text: str, code: str, detail: str) -> None:
    with pytest.raises(TokenRefusedError) as refused:
        read_token(text, SECRET, NOW)
    assert (refused.value.code, str(refused.value)) == (code, detail)


def test_the_token_of_a_live_call_may_have_expired_but_is_signed_all_the_same() -> None:
    assert read_token(token(exp=NOW - 3600), SECRET, NOW, for_live_call=True).id == "t1"
    with pytest.raises(TokenRefusedError, match="another secret"):
        read_token(token(secret=SECRET + "!", exp=NOW - 3600), SECRET, NOW, for_live_call=True)


@given(
    st.text(max_size=60) | st.binary(max_size=60).map(lambda each: base64.urlsafe_b64encode(each).decode())
)
def test_rubbish_is_refused(text: str) -> None:
    with pytest.raises(TokenRefusedError):
        read_token(f"{token().split('.')[0]}.{text}.{text}", SECRET, NOW)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)


@given(st.dictionaries(st.sampled_from(["aud", "exp", "nbf", "sub", "jti", "agent", "agents", "vars"]), JSON))
def test_whatever_a_backend_signs_is_read_or_refused(claims: dict[str, Any]) -> None:
    signed = jwt.PyJWS().encode(json.dumps({**CLAIMS, **claims}).encode(), SECRET)
    try:
        read = read_token(signed, SECRET, NOW)
    except TokenRefusedError:
        return
    json.dumps(dict(read.vars), allow_nan=False)
