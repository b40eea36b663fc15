"""Who may ask: tokens, console sessions, failed attempts, hosts and origins. No server, no clock."""

import jwt
import pytest

from runner.model.settings import May
from runner.serve.addresses import ClientAddress
from runner.serve.admin.access import COOKIE, SESSION_S, Access, CurrentToken, Identity
from runner.serve.admin.problem import AdminProblem
from tests.clock import NOW

LEAD = "lead-" + "a" * 40
PAGER = "pager-" + "b" * 40
HOST = {"Host": "127.0.0.1:8081"}


def access(is_dev: bool = False, **tokens: str) -> Access:
    values = tokens or {"lead": LEAD, "pager": PAGER}
    found = {
        name: CurrentToken(value=value, may=May.WATCH if name == "pager" else May.STEER)
        for name, value in values.items()
    }
    return Access(lambda: found, hosts=frozenset({"console.maple.example"}), is_dev=is_dev)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def at(address: str, proxy: str | None = None) -> ClientAddress:
    return ClientAddress(address=address, proxy=proxy)


def refused(problem: pytest.ExceptionInfo[AdminProblem]) -> tuple[int, str, str]:
    return problem.value.status, problem.value.reason, problem.value.detail


def test_a_token_is_known_by_its_name() -> None:
    assert access().identify(bearer(LEAD), None, at("10.0.0.1"), NOW) == Identity(by="lead", may=May.STEER)
    assert access().identify(bearer(PAGER), None, at("10.0.0.1"), NOW) == Identity(by="pager", may=May.WATCH)


@pytest.mark.parametrize(
    ("headers", "detail"),
    [
        ({}, "send a token as Authorization: Bearer …, or sign in at /console/"),
        ({"Authorization": f"Basic {LEAD}"}, "write the token as Authorization: Bearer …"),
        (bearer(""), "the token is not valid"),
        (bearer(LEAD[:-1]), "the token is not valid"),
        (bearer(LEAD + "\udce4"), "the token is not valid"),
    ],
)
def test_without_a_valid_token_nobody_is_known(headers: dict[str, str], detail: str) -> None:
    with pytest.raises(AdminProblem) as problem:
        access().identify(headers, None, at("10.0.0.1"), NOW)
    assert refused(problem) == (401, "token", detail)
    assert problem.value.headers == {"WWW-Authenticate": 'Bearer realm="phone-agents"'}


def test_a_token_that_has_become_too_short_opens_nothing() -> None:
    with pytest.raises(AdminProblem, match="not valid"):
        access(lead="short").identify(bearer("short"), None, at("10.0.0.1"), NOW)


def test_after_ten_wrong_tokens_an_address_waits_a_minute() -> None:
    guarded = access()
    for guess in range(10):
        with pytest.raises(AdminProblem, match="not valid"):
            guarded.identify(bearer(f"guess {guess}"), None, at("10.0.0.1"), NOW + guess)
    with pytest.raises(AdminProblem) as problem:
        guarded.identify(bearer(LEAD), None, at("10.0.0.1"), NOW + 10)
    assert refused(problem) == (
        429,
        "too-many-attempts",
        "too many failed attempts from this address; wait a minute",
    )
    assert problem.value.headers == {"Retry-After": "51"}
    assert guarded.identify(bearer(LEAD), None, at("10.0.0.2"), NOW + 10).by == "lead"
    assert guarded.identify(bearer(LEAD), None, at("10.0.0.1"), NOW + 60).by == "lead"


def test_a_network_of_ipv6_is_one_address() -> None:
    guarded = access()
    for guess in range(10):
        with pytest.raises(AdminProblem, match="not valid"):
            guarded.identify(bearer("guess"), None, at(f"2001:db8::{guess}"), NOW)
    with pytest.raises(AdminProblem, match="too many"):
        guarded.identify(bearer(LEAD), None, at("2001:db8::ffff"), NOW)


def test_whoever_guesses_behind_a_proxy_locks_out_nobody_else_there() -> None:
    guarded = access()
    for _ in range(10):
        with pytest.raises(AdminProblem, match="not valid"):
            guarded.identify(bearer("guess"), None, at("203.0.113.9", "10.0.0.1"), NOW)
    with pytest.raises(AdminProblem, match="too many"):
        guarded.identify(bearer(LEAD), None, at("203.0.113.9", "10.0.0.1"), NOW)
    assert guarded.identify(bearer(LEAD), None, at("203.0.113.10", "10.0.0.1"), NOW).by == "lead"


def test_a_proxy_that_makes_up_addresses_guesses_no_more_than_a_hundred_times() -> None:
    guarded = access()
    for guess in range(100):
        with pytest.raises(AdminProblem, match="not valid"):
            guarded.identify(bearer("guess"), None, at(f"203.0.113.{guess}", "10.0.0.1"), NOW)
    with pytest.raises(AdminProblem, match="too many"):
        guarded.identify(bearer(LEAD), None, at("203.0.113.200", "10.0.0.1"), NOW)
    assert guarded.identify(bearer(LEAD), None, at("203.0.113.200", "10.0.0.2"), NOW).by == "lead"


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "source"),
    [
        ("10.0.0.1", "", at("10.0.0.1")),
        ("10.0.0.1", "203.0.113.9", at("203.0.113.9", "10.0.0.1")),
        ("::1", "10.9.9.9, 2001:db8::1", at("2001:db8::1", "::1")),
        ("10.0.0.1", "203.0.113.9, somebody", at("10.0.0.1")),
        # Whoever comes from the public network says of itself what it likes.
        ("9.9.9.9", "203.0.113.9", at("9.9.9.9")),
        ("", "203.0.113.9", at("")),
    ],
)
def test_a_proxy_of_ones_own_says_where_a_request_comes_from(
    peer: str, forwarded_for: str, source: ClientAddress
) -> None:
    assert ClientAddress.of(peer, forwarded_for) == source


def test_a_console_session_lasts_twelve_hours() -> None:
    guarded = access()
    cookie, session = guarded.session(guarded.by_token(PAGER, at("10.0.0.1"), NOW), NOW)
    assert session == Identity(by="pager", may=May.WATCH, expires_at=NOW + SESSION_S)
    assert guarded.identify({}, cookie, at("10.0.0.1"), NOW + SESSION_S - 1) == session
    with pytest.raises(AdminProblem, match="the console session is over; sign in again"):
        guarded.identify({}, cookie, at("10.0.0.1"), NOW + SESSION_S)


def test_a_console_session_is_good_at_every_runner_until_its_token_rotates() -> None:
    cookie, _ = access().session(Identity(by="lead", may=May.STEER), NOW)
    assert access().identify({}, cookie, at(""), NOW).by == "lead"
    with pytest.raises(AdminProblem, match="the console session is over"):
        access(lead="rotated-" + "c" * 40).identify({}, cookie, at(""), NOW)
    with pytest.raises(AdminProblem, match="the console session is over"):
        access(pager=PAGER).identify({}, cookie, at(""), NOW)


def forged(key: bytes | str, algorithm: str = "HS256", kid: str = "lead", **claims: object) -> str:
    whole = {"sub": "lead", "aud": "phone-agents-console", "iat": NOW, "exp": int(NOW) + 99, **claims}
    return jwt.encode(whole, key, algorithm=algorithm, headers={"kid": kid})


@pytest.mark.parametrize(
    "cookie",
    [
        "",
        "a.b.c",
        forged(LEAD.encode()),
        forged("x" * 64),
        forged("", algorithm="none"),
        forged("x" * 64, kid="nobody"),
    ],
)
def test_a_forged_session_is_none(cookie: str) -> None:
    with pytest.raises(AdminProblem, match="the console session is over"):
        access().identify({}, cookie, at(""), NOW)


def test_a_session_says_nothing_of_another_token() -> None:
    """Signed for one name and presented as another's."""
    cookie, _ = access().session(Identity(by="pager", may=May.WATCH), NOW)
    header, claims, signature = cookie.split(".")
    other = jwt.encode({}, "x" * 64, algorithm="HS256", headers={"kid": "lead"}).split(".")[0]
    with pytest.raises(AdminProblem, match="the console session is over"):
        access().identify({}, f"{other}.{claims}.{signature}", at(""), NOW)
    assert access().identify({}, f"{header}.{claims}.{signature}", at(""), NOW).by == "pager"


def test_a_developer_needs_no_token_and_a_wrong_one_is_wrong_all_the_same() -> None:
    assert access(is_dev=True).identify({}, None, at("127.0.0.1"), NOW) == Identity(by="dev", may=May.STEER)
    with pytest.raises(AdminProblem, match="not valid"):
        access(is_dev=True).identify(bearer("guess"), None, at("127.0.0.1"), NOW)


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("127.0.0.1:8081", True),
        ("[::1]:8081", True),
        ("10.0.0.7", True),
        ("localhost:8081", True),
        ("console.maple.example", True),
        ("Console.Maple.Example:443", True),
        ("attacker.example:8081", False),
        ("console.maple.example.attacker.example", False),
        ("127.0.0.1.attacker.example", False),
        ("localhost.attacker.example", False),
        ("[::1", False),
        ("", False),
        (None, False),
    ],
)
def test_a_name_that_is_not_ours_is_refused(host: str | None, is_ours: bool) -> None:
    if is_ours:
        access().check_host(host)
        return
    with pytest.raises(AdminProblem) as problem:
        access().check_host(host)
    assert problem.value.status == 421


SESSION = {"Cookie": f"{COOKIE}=x", **HOST}


@pytest.mark.parametrize(
    ("method", "headers", "may"),
    [
        ("POST", {"Sec-Fetch-Site": "same-origin"}, True),
        # Another port of the same host: the browser calls it the same site, and sends the cookie.
        ("POST", {"Sec-Fetch-Site": "same-site"}, False),
        ("POST", {"Sec-Fetch-Site": "cross-site"}, False),
        ("POST", {"Sec-Fetch-Site": "none"}, False),
        ("POST", {"Origin": "http://127.0.0.1:8081"}, True),
        ("POST", {"Origin": "http://127.0.0.1:8082"}, False),
        ("POST", {"Origin": "null"}, False),
        ("POST", {"Origin": "http://[::1"}, False),
        ("POST", {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:8081"}, False),
        ("POST", {}, False),
        ("GET", {}, True),
        ("GET", {"Sec-Fetch-Site": "same-origin"}, True),
        ("GET", {"Sec-Fetch-Site": "none"}, True),
        ("GET", {"Sec-Fetch-Site": "same-site"}, False),
        ("GET", {"Sec-Fetch-Site": "cross-site"}, False),
    ],
)
@pytest.mark.parametrize("is_dev", [False, True])
def test_a_browser_is_believed_only_for_our_own_pages(
    method: str, headers: dict[str, str], may: bool, is_dev: bool
) -> None:
    guarded = access(is_dev=is_dev)
    if may:
        guarded.check_origin(method, {**SESSION, **headers}, by_browser=True)
        return
    with pytest.raises(AdminProblem) as problem:
        guarded.check_origin(method, {**SESSION, **headers}, by_browser=True)
    assert refused(problem) == (
        403,
        "cross-site",
        "the request comes from another site, or does not say from where",
    )


def test_a_program_of_a_developer_need_not_say_where_it_comes_from() -> None:
    access(is_dev=True).check_origin("POST", HOST, by_browser=True)
    with pytest.raises(AdminProblem):
        access().check_origin("POST", HOST, by_browser=True)
    with pytest.raises(AdminProblem):
        access(is_dev=True).check_origin("POST", {**HOST, "Origin": "http://a.example"}, by_browser=True)
