"""Reads the token that a caller's page brings: who calls, which agents may answer, and until when.

The user's backend makes it, signed with `server.browser.secret`; the page cannot change it. Form: RFC 7519.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import jwt

from runner.errors import TokenRefusedError
from runner.model.call import MOST_SUBJECT
from runner.model.json_text import read_json
from runner.model.values import Instant, Json

AUDIENCE = "phone-agents"
LONGEST_S = 600.0
"""The longest life of a token: it is for one call that begins now."""
SKEW_S = 30.0
"""Tolerance between the clocks of two machines."""
MIN_SECRET_BYTES = 32
"""RFC 7518, 3.2: a key is at least as long as the hash."""
MOST_CHARS = 4000
"""It travels in a header, and a server takes no longer ones (`runner.serve.listener.MAX_HEADER_BYTES`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserToken:
    """The checked content of a token."""

    subject: str
    """The caller's id in the user's backend."""
    id: str
    """A token begins one call."""
    agents: tuple[str, ...]
    """The agents that the caller may speak with, at least one."""
    expires_at: Instant
    vars: Mapping[str, Json] = field(default_factory=dict)
    """Values for the agent's variables, which its templates may use."""


def read_token(text: str, secret: str, now: Instant, *, for_live_call: bool = False) -> BrowserToken:
    """Read and check a token. Raises TokenRefusedError with the reason.

    `for_live_call`: the token comes again for the call that it began, and may have expired since.
    """
    claims = _claims(text, secret)
    audience = claims.get("aud")
    if AUDIENCE not in (audience if isinstance(audience, list) else [audience]):
        raise TokenRefusedError("token_audience", f'the token\'s "aud" is not "{AUDIENCE}"')
    expires_at = _time(claims, "exp")
    if expires_at is None:
        raise TokenRefusedError("token_expiry", 'the token has no "exp"')
    if not for_live_call:
        _check_times(claims, expires_at, now)
    return BrowserToken(
        subject=_text(claims, "sub"),
        id=_text(claims, "jti"),
        agents=_agents(claims),
        expires_at=expires_at,
        vars=_variables(claims),
    )


def _claims(text: str, secret: str) -> Mapping[str, Json]:
    if not secret:
        raise TokenRefusedError("token_signature", "no secret is configured, so no token is valid")
    if not text:
        raise TokenRefusedError("token_missing", "there is no token; send it as a bearer token")
    if len(text) > MOST_CHARS:
        raise TokenRefusedError("token_malformed", f"the token has more than {MOST_CHARS} characters")
    unchecked = {"verify_exp": False, "verify_aud": False, "verify_iat": False, "verify_nbf": False}
    unchecked |= {"verify_sub": False, "verify_jti": False}
    try:
        # We choose the algorithm, never the token.
        claims = jwt.decode(text, secret, algorithms=["HS256"], options=unchecked)  # type: ignore[arg-type]
    except jwt.InvalidSignatureError:
        raise TokenRefusedError("token_signature", "the token is signed with another secret") from None
    except jwt.InvalidAlgorithmError:
        raise TokenRefusedError("token_algorithm", "the token is not signed with HS256") from None
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise TokenRefusedError("token_malformed", "the token is not a JWT") from None
    return claims


def _check_times(claims: Mapping[str, Json], expires_at: Instant, now: Instant) -> None:
    if expires_at <= now:
        raise TokenRefusedError("token_expired", "the token has expired")
    if expires_at > now + LONGEST_S + SKEW_S:
        message = f"the token expires more than {LONGEST_S / 60:g} minutes from now"
        raise TokenRefusedError("token_expiry", message)
    not_before = _time(claims, "nbf")
    if not_before is not None and not_before > now + SKEW_S:
        raise TokenRefusedError("token_not_yet", "the token is not valid yet")


def _time(claims: Mapping[str, Json], name: str) -> Instant | None:
    value = claims.get(name)
    if value is None:
        return None
    # Python's bool is an int, and its JSON reader accepts NaN and Infinity.
    if type(value) not in (int, float) or not 0 <= value < 10_000_000_000:
        raise TokenRefusedError("token_expiry", f'the token\'s "{name}" is not a time in seconds')
    return float(value)


def _text(claims: Mapping[str, Json], name: str) -> str:
    value = claims.get(name)
    is_right = isinstance(value, str) and 0 < len(value) <= MOST_SUBJECT and value.isprintable()
    if not is_right:
        raise TokenRefusedError(
            "token_claims", f'the token has no "{name}" of 1 to {MOST_SUBJECT} characters'
        )
    return str(value)


def _variables(claims: Mapping[str, Json]) -> Mapping[str, Json]:
    try:
        variables = read_json(json.dumps(claims.get("vars", {})))
    except (ValueError, RecursionError):
        variables = None
    if not isinstance(variables, Mapping):
        raise TokenRefusedError("token_claims", 'the token\'s "vars" is not an object of names and values')
    return variables


def _agents(claims: Mapping[str, Json]) -> tuple[str, ...]:
    if "agent" in claims and "agents" in claims:
        raise TokenRefusedError("token_claims", 'the token has "agent" and "agents"; keep one of them')
    named = claims["agents"] if "agents" in claims else [claims.get("agent")]
    if not isinstance(named, list) or not named or not all(isinstance(each, str) and each for each in named):
        raise TokenRefusedError("token_claims", 'the token names no agent in "agent" or "agents"')
    return tuple(named)
