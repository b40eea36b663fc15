"""The admin listener as strangers meet it: a real runner, real requests."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runner.errors import CannotRunError
from runner.serve.admin.access import COOKIE
from runner.serve.admin.app import MOST_BODY_BYTES
from runner.serve.admin.document import document
from runner.standin.script import greets
from tests.patience import PATIENCE_S
from tests.serve.admin.lab import LEAD, PAGER, AdminLab, started

SAME = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[AdminLab]:
    async with started(tmp_path) as lab:
        yield lab


async def signed_in(lab: AdminLab, token: str = LEAD) -> dict[str, str]:
    """The header that a browser sends from then on."""
    reply = await lab.ask("POST", "/console/sign-in", token=None, body={"token": token}, headers=SAME)
    assert reply.status == 200, reply.text
    return {"Cookie": reply.headers["Set-Cookie"].partition(";")[0]}


def path_of(template: str) -> str:
    return template.replace("{id}", "rtc_1")


async def test_nothing_but_signing_in_is_open(lab: AdminLab) -> None:
    found = {}
    for operation in document().operations.values():
        reply = await lab.ask(operation.method.upper(), path_of(operation.path), token=None, headers=SAME)
        found[operation.id] = reply.status
    open_ones = {"signIn": 400, "signOut": 204}
    assert found == {name: open_ones.get(name, 401) for name in document().operations}


async def test_whoever_may_watch_can_do_nothing_but_that(lab: AdminLab) -> None:
    found = {}
    for operation in document().operations.values():
        if operation.id == "followEvents":
            continue
        reply = await lab.ask(operation.method.upper(), path_of(operation.path), token=PAGER, headers=SAME)
        found[operation.id] = reply.status
    acts = {
        name for name, each in document().operations.items() if each.method == "post" and not each.is_open
    }
    assert len(acts) == 12
    assert {name for name, status in found.items() if status == 403} == acts


async def test_a_watcher_is_told_why(lab: AdminLab) -> None:
    reply = await lab.ask("POST", "/admin/calls/rtc_1/hangup", token=PAGER, body={})
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.json == {
        "type": "about:blank",
        "title": "Forbidden",
        "status": 403,
        "detail": 'the token "pager" may only watch',
        "reason": "forbidden",
    }


async def test_guessing_ends_after_ten_attempts(lab: AdminLab) -> None:
    statuses = [(await lab.ask("GET", "/admin/calls", token=f"guess {n}")).status for n in range(11)]
    assert statuses == [401] * 10 + [429]
    reply = await lab.ask("POST", "/console/sign-in", token=None, body={"token": LEAD}, headers=SAME)
    assert (reply.status, reply.json["reason"]) == (429, "too-many-attempts")
    # Somebody else, whom a proxy on this machine has seen.
    assert (await lab.ask("GET", "/admin/calls", headers={"X-Forwarded-For": "203.0.113.9"})).status == 200


async def test_a_console_session_is_begun_used_and_ended(lab: AdminLab) -> None:
    reply = await lab.ask("POST", "/console/sign-in", token=None, body={"token": LEAD}, headers=SAME)
    assert {key: reply.json[key] for key in ("by", "may")} == {"by": "lead", "may": "steer"}
    cookie, *attributes = reply.headers["Set-Cookie"].split("; ")
    assert cookie.startswith(f"{COOKIE}=")
    assert sorted(attributes) == ["HttpOnly", "Max-Age=43200", "Path=/", "SameSite=Strict", "Secure"]
    headers = {"Cookie": cookie}
    session = await lab.get("/console/session", token=None, headers=headers)
    assert session == reply.json
    assert (await lab.ask("GET", "/admin/calls", token=None, headers=headers)).status == 200
    out = await lab.ask("POST", "/console/sign-out", token=None, headers={**headers, **SAME})
    assert out.status == 204
    assert out.headers["Set-Cookie"].startswith(f'{COOKIE}="";')


async def test_a_wrong_token_signs_nobody_in(lab: AdminLab, caplog: pytest.LogCaptureFixture) -> None:
    reply = await lab.ask(
        "POST", "/console/sign-in", token=None, body={"token": "x\r\nlevel=error"}, headers=SAME
    )
    assert (reply.status, reply.json["reason"]) == (401, "token")
    assert "Set-Cookie" not in reply.headers
    assert [(r.message, r.levelno) for r in caplog.records if "sign-in" in r.message] == [
        ("console sign-in failed", logging.WARNING)
    ]
    assert not [record for record in caplog.records if "level=error" in str(record.__dict__)]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": ""}, 403),
        ({}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 404),
    ],
)
async def test_another_port_of_the_same_host_steers_nothing(
    lab: AdminLab, headers: dict[str, str], status: int
) -> None:
    """The browser sends the cookie there too: SameSite knows no ports."""
    cookie = await signed_in(lab)
    reply = await lab.ask(
        "POST", "/admin/calls/rtc_1/hangup", token=None, body={}, headers={**cookie, **headers}
    )
    assert reply.status == status


async def test_a_form_of_another_page_steers_nothing(lab: AdminLab) -> None:
    cookie = await signed_in(lab)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        for data in (b"{}", None):
            headers = {**cookie, "Sec-Fetch-Site": "same-origin", "Content-Type": kind}
            reply = await lab.ask("POST", "/admin/calls/rtc_1/hangup", token=None, data=data, headers=headers)
            assert (reply.status, reply.json["reason"]) == (415, "media-type")


async def test_nobody_is_signed_in_by_another_site(lab: AdminLab) -> None:
    reply = await lab.ask(
        "POST", "/console/sign-in", token=None, body={"token": LEAD}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert reply.status == 403


@pytest.mark.parametrize("path", ["/admin/calls", "/console/", "/metrics", "/console/session"])
async def test_a_name_that_was_pointed_at_us_is_refused(lab: AdminLab, path: str) -> None:
    """DNS rebinding: the page's own name, our address."""
    reply = await lab.ask("GET", path, headers={"Host": "attacker.example"})
    assert (reply.status, reply.json["reason"]) == (421, "host")


async def test_no_other_site_may_read(lab: AdminLab) -> None:
    headers = {"Origin": "https://attacker.example", "Access-Control-Request-Method": "POST"}
    asked = await lab.ask("OPTIONS", "/admin/calls/rtc_1/hangup", headers=headers)
    assert asked.status == 405
    read = await lab.ask("GET", "/admin/calls", headers={"Origin": "https://attacker.example"})
    for reply in (asked, read):
        assert not [name for name in reply.headers if name.startswith("Access-Control")]
        assert reply.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["Cache-Control"] == "no-store"
        assert reply.headers["Referrer-Policy"] == "no-referrer"
        # Nor show anything of it in a frame.
        assert reply.headers["X-Frame-Options"] == "DENY"
        assert reply.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


async def test_pages_run_under_a_policy_without_exceptions(lab: AdminLab) -> None:
    reply = await lab.ask("GET", "/console/", token=None)
    assert reply.status in {200, 404}
    policy = reply.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert {"default-src 'none'", "frame-ancestors 'none'", "form-action 'none'"} <= set(policy.split("; "))
    if reply.status == 200:
        assert "require-trusted-types-for 'script'" in policy
    for path in ("/console/../runner.py", "/console/%2e%2e/serve/runner.py", "/console//etc/passwd.js"):
        reply = await lab.ask("GET", path, token=None)
        assert "import" not in reply.text or "<!doctype html>" in reply.text


@pytest.mark.parametrize("key", ["a\tb", "a b", "x" * 65, "ä", "", "a/b", "a;b"])
async def test_an_idempotency_key_holds_nothing_but_a_name(lab: AdminLab, key: str) -> None:
    reply = await lab.ask("POST", "/admin/calls/rtc_1/hangup", body={}, headers={"Idempotency-Key": key})
    assert reply.status == 400
    assert [(each["in"], each["at"]) for each in reply.json["errors"]] == [("header", "Idempotency-Key")]


async def test_a_body_is_not_read_beyond_its_bound(lab: AdminLab) -> None:
    reply = await lab.ask("POST", "/admin/calls/rtc_1/note", body={"text": "x" * MOST_BODY_BYTES})
    assert (reply.status, reply.json["reason"]) == (413, "too-large")
    assert reply.json["detail"] == "the body is longer than 65536 bytes"


async def test_what_strangers_send_makes_no_line_of_the_log(
    lab: AdminLab, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        await lab.ask("GET", "/admin/calls/%0d%0aSet-Cookie:%20a=b", token="x")
        await lab.ask("GET", "/admin/calls/%0d%0aSet-Cookie:%20a=b")
        await lab.ask("GET", "/admin/events?call=%0aevent:%20ended")
    for record in caplog.records:
        assert "\n" not in record.getMessage()
        assert "Set-Cookie" not in str(record.__dict__)


async def test_no_header_is_made_of_what_was_asked_for(lab: AdminLab) -> None:
    reply = await lab.ask("GET", "/admin/records?q=%0d%0aSet-Cookie:%20a=b&agent=%22%3E")
    assert reply.status == 200
    assert "Set-Cookie" not in reply.headers


async def test_metrics_are_here_and_not_at_the_public_port(lab: AdminLab) -> None:
    call = await lab.ring(greets())
    await lab.api.until(lambda: "output_audio_buffer.stopped" in call.sent_types())
    shown = (await lab.ask("GET", "/metrics", token=None)).text
    assert "phone_agents_live_calls 1" in shown
    # Whoever reads them learns nothing of anybody.
    assert [private for private in (call.id, "4155550100", "Hello", LEAD) if private in shown] == []
    async with lab.session.get(lab.runner.url + "/metrics") as response:
        assert response.status == 404


async def test_a_developer_asks_without_a_token_from_this_machine_only(tmp_path: Path) -> None:
    async with started(tmp_path, is_dev=True) as lab:
        assert (await lab.get("/console/session", token=None)) == {
            "by": "dev",
            "may": "steer",
            "expires_at": None,
        }
        reply = await lab.ask("POST", "/admin/calls/rtc_1/hangup", token=None, body={})
        assert reply.status == 404
        headers = {"Origin": "http://127.0.0.1:3000"}
        reply = await lab.ask("POST", "/admin/calls/rtc_1/hangup", token=None, body={}, headers=headers)
        assert reply.status == 403
    with pytest.raises(CannotRunError) as error:
        async with started(tmp_path, is_dev=True, host="0.0.0.0"):
            pass
    assert str(error.value) == (
        '--dev asks for no token, and server.admin.host is "0.0.0.0"; listen at 127.0.0.1'
    )


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (
            {"lead": "x" * 31, "pager": PAGER},
            'environment variable LEAD holds 31 characters, and admin token "lead" needs at least 32;'
            " make one with: openssl rand -hex 32",
        ),
        (
            {"lead": LEAD, "pager": LEAD},
            'the admin tokens "lead" and "pager" are the same; give each its own',
        ),
    ],
)
async def test_a_token_that_is_guessed_keeps_the_runner_from_starting(
    tmp_path: Path, tokens: dict[str, str], message: str
) -> None:
    with pytest.raises(CannotRunError) as error:
        async with started(tmp_path, tokens=tokens):
            pass
    assert str(error.value) == message


async def test_a_stream_ends_with_the_token_that_opened_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.serve.admin.streams.ASK_AGAIN_S", 0.05)
    tokens = {"lead": LEAD, "pager": PAGER}
    async with started(tmp_path, tokens=tokens) as lab, lab.follow() as stream:
        await stream.next("snapshot")
        monkeypatch.setattr(
            type(lab.runner._secrets), "admin_tokens", lambda _: {"lead": "rotated" * 9, "pager": PAGER}
        )
        async with asyncio.timeout(PATIENCE_S):
            assert [event.name for event in await stream.to_the_end()] == []


async def test_streams_are_counted(lab: AdminLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.serve.admin.calls.MOST_STREAMS", 1)
    async with lab.follow() as stream:
        await stream.next("snapshot")
        reply = await lab.ask("GET", "/admin/events")
        assert (reply.status, reply.json["reason"]) == (503, "too-many-streams")
    # Whoever leaves gives the place back, though nothing was to be sent.
    async with asyncio.timeout(PATIENCE_S):
        while (await lab.ask("GET", "/admin/events?call=rtc_1")).status != 404:  # noqa: ASYNC110 - HTTP tells nobody
            await asyncio.sleep(0.05)
        while True:
            try:
                async with lab.follow() as stream:
                    await stream.next("snapshot")
                    return
            except AssertionError:
                await asyncio.sleep(0.05)


async def test_a_request_that_does_not_fit_is_told_what_would(lab: AdminLab) -> None:
    reply = await lab.ask("POST", "/admin/calls/rtc_1/say", body={"say": "", "whisper": True})
    assert reply.status == 400
    assert json.loads(reply.text)["errors"] == [
        {"in": "body", "at": "", "message": 'there is no key "whisper"; there is "say", "when"'},
        {
            "in": "body",
            "at": "/say",
            "message": '/say is "", it must be text, at least 1 characters long, at most 4000 characters'
            " long, matching [^ \\t\\r\\n]",
        },
    ]
    reply = await lab.ask("GET", "/admin/calls?limit=many&size=3")
    assert [each["message"] for each in reply.json["errors"]] == [
        'there is no parameter "size"; there is "agent", "limit", "q"',
        '"limit" is "many", it must be a whole number, at least 1, at most 5000',
    ]
