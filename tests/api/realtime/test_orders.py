"""The requests about a call, as the API documents them, and what each of its replies means."""

import json
from email import message_from_bytes
from typing import Any

import pytest

from runner.api.port import Order
from runner.api.realtime import api
from runner.model.action import AnswerCall, HangUp, Refer, RejectCall
from runner.model.event import (
    AnswerReplied,
    CallEvent,
    CallGone,
    Decided,
    HangUpFailed,
    ReferAnswered,
    RejectReplied,
)
from runner.model.http import Failure, HttpReply
from tests.api.realtime.agents import an_agent

ANSWER = AnswerCall(agent=an_agent(), instructions="Be brief.")
REJECT = RejectCall(status=486)
REFER = Refer(target="tel:+14155550123")
ORDERS: tuple[Order, ...] = (ANSWER, REJECT, REFER, HangUp())


def replied(status: int, code: str | None = None, **more: str) -> HttpReply:
    error = {"error": {"type": "invalid_request_error", "code": code, **more}}
    return HttpReply(status=status, body=json.dumps(error).encode() if code else b"")


NO_REPLY = HttpReply(failure=Failure.TIMEOUT, detail="no reply in time")


@pytest.mark.parametrize(
    ("order", "path", "body", "timeout_s"),
    [
        (ANSWER, "accept", api.session_body(ANSWER.agent, "Be brief."), 6.0),
        (REJECT, "reject", {"status_code": 486}, 6.0),
        (REFER, "refer", {"target_uri": "tel:+14155550123"}, 10.0),
        (HangUp(), "hangup", None, 6.0),
    ],
)
def test_each_request_goes_where_the_api_documents_it(
    order: Order, path: str, body: Any, timeout_s: float
) -> None:
    request = api.request(order, "rtc_1")
    assert (request.method, request.url) == ("POST", f"/realtime/calls/rtc_1/{path}")
    assert (json.loads(request.body) if request.body else None) == body
    assert request.headers == ((("Content-Type", "application/json"),) if body else ())
    assert request.timeout_s == timeout_s


def test_an_id_is_one_segment_of_the_path_whatever_it_holds() -> None:
    request = api.request(HangUp(), "a/../b?c=d&e#f %é")
    assert request.url == "/realtime/calls/a%2F..%2Fb%3Fc%3Dd%26e%23f%20%25%C3%A9/hangup"


@pytest.mark.parametrize("status", [None, 408, 429, 500, 502, 503, 504])
def test_passing_trouble_is_tried_again_but_no_transfer_is_asked_for_twice(status: int | None) -> None:
    reply = NO_REPLY if status is None else HttpReply(status=status)
    assert [api.is_retryable(order, reply) for order in ORDERS] == [True, True, False, True]


def test_an_account_without_quota_is_not_asked_again_while_the_caller_waits() -> None:
    reply = replied(429, "insufficient_quota", message="You exceeded your current quota.")
    assert [api.is_retryable(order, reply) for order in ORDERS] == [False, True, False, True]
    assert api.answered(ANSWER, reply, unsettled=False) == AnswerReplied(
        decided=Decided.REFUSED,
        code="insufficient_quota",
        detail="the voice API answered 429 (insufficient_quota: You exceeded your current quota.);"
        " add credit to the API account",
    )


def test_a_403_to_a_transfer_is_about_the_transfer() -> None:
    reply = replied(403, "forbidden", message="Transfers are not allowed.")
    assert [api.refuses_key(order, reply) for order in ORDERS] == [True, True, False, True]
    assert all(api.refuses_key(order, replied(401)) for order in ORDERS)
    detail = "the voice API answered 403 (forbidden: Transfers are not allowed.)"
    assert api.answered(REFER, reply, unsettled=False) == ReferAnswered(ok=False, detail=detail)


@pytest.mark.parametrize("status", [200, 201, 301, 307, 400, 401, 403, 404, 409, 422])
def test_a_reply_that_would_be_the_same_again_is_taken(status: int) -> None:
    assert not any(api.is_retryable(order, HttpReply(status=status)) for order in ORDERS)


@pytest.mark.parametrize(
    ("reply", "unsettled", "decided", "code", "detail"),
    [
        (HttpReply(status=200), False, Decided.DONE, "", ""),
        (HttpReply(status=200, body=b"{}"), False, Decided.DONE, "", ""),
        (
            replied(404, "call_id_not_found"),
            False,
            Decided.GONE,
            "call_id_not_found",
            "the voice API answered 404 (call_id_not_found)",
        ),
        *(
            (
                replied(status, "decision_already_made"),
                unsettled,
                Decided.DONE_BEFORE if unsettled else Decided.TAKEN,
                "decision_already_made",
                f"the voice API answered {status} (decision_already_made)",
            )
            for status in (400, 409)
            for unsettled in (True, False)
        ),
        (
            replied(400, "invalid_value", message="Invalid value: 'loud'.\nSupported: low."),
            True,
            Decided.REFUSED,
            "invalid_value",
            "the voice API answered 400 (invalid_value: Invalid value: 'loud'. Supported: low.)",
        ),
        (
            replied(401, "invalid_api_key", message="Incorrect API key provided: sk-te**st."),
            False,
            Decided.UNAVAILABLE,
            "invalid_api_key",
            "the voice API answered 401 (invalid_api_key)",
        ),
        (HttpReply(status=302), False, Decided.REFUSED, "", "the voice API answered 302"),
        (
            replied(503, "overloaded"),
            False,
            Decided.UNAVAILABLE,
            "overloaded",
            "the voice API answered 503 (overloaded)",
        ),
        (
            NO_REPLY,
            False,
            Decided.UNAVAILABLE,
            "",
            "the voice API could not be reached (no reply in time)",
        ),
        (HttpReply(), False, Decided.UNAVAILABLE, "", "the voice API could not be reached (no reply)"),
    ],
)
def test_what_a_reply_to_a_decision_means(
    reply: HttpReply, unsettled: bool, decided: Decided, code: str, detail: str
) -> None:
    assert api.answered(ANSWER, reply, unsettled=unsettled) == AnswerReplied(
        decided=decided, code=code, detail=detail
    )
    assert api.answered(REJECT, reply, unsettled=unsettled) == RejectReplied(
        decided=decided, code=code, detail=detail
    )


@pytest.mark.parametrize(
    ("reply", "event"),
    [
        (HttpReply(status=200), ReferAnswered(ok=True)),
        (
            replied(404, "call_id_not_found"),
            ReferAnswered(ok=False, detail="the voice API answered 404 (call_id_not_found)"),
        ),
        (
            NO_REPLY,
            ReferAnswered(ok=False, detail="the voice API could not be reached (no reply in time)"),
        ),
    ],
)
def test_what_a_reply_to_a_transfer_means(reply: HttpReply, event: CallEvent) -> None:
    assert api.answered(REFER, reply, unsettled=False) == event


@pytest.mark.parametrize(
    ("reply", "event"),
    [
        (HttpReply(status=200), CallGone()),
        (replied(404, "call_id_not_found"), CallGone()),
        (HttpReply(status=503), HangUpFailed(detail="the voice API answered 503")),
        (NO_REPLY, HangUpFailed(detail="the voice API could not be reached (no reply in time)")),
        (HttpReply(status=400), HangUpFailed(detail="the voice API answered 400", final=True)),
    ],
)
def test_what_a_reply_to_a_hang_up_means(reply: HttpReply, event: CallEvent) -> None:
    assert api.answered(HangUp(), reply, unsettled=True) == event


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"[]", b'{"error": 1}', b'{"error": {"code": 5}}', b"[" * 99_999]
)
def test_an_error_page_of_a_proxy_is_only_its_status(content: bytes) -> None:
    reply = HttpReply(status=400, body=content)
    assert api.answered(REFER, reply, unsettled=False) == ReferAnswered(
        ok=False, detail="the voice API answered 400"
    )


@pytest.mark.parametrize(
    ("close_code", "is_final"),
    [(3000, True), (4000, True), (1000, False), (1001, False), (1006, False), (1011, False), (None, False)],
)
def test_the_api_refuses_us_with_two_close_codes(close_code: int | None, is_final: bool) -> None:
    assert api.is_final(close_code) is is_final


def test_the_sideband_of_a_call_names_it_and_no_model() -> None:
    assert api.conversation("rtc_1+&").sideband == "/realtime?call_id=rtc_1%2B%26"


OFFER = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
BROWSER = AnswerCall(agent=an_agent(), instructions="Bréf. \ud800", offer=OFFER)


def test_an_offer_is_posted_with_the_session_as_a_form_of_two_typed_parts() -> None:
    request = api.request(BROWSER, "web_1")
    assert (request.method, request.url, request.timeout_s) == ("POST", "/realtime/calls", 6.0)
    [(name, content_type)] = request.headers
    assert name == "Content-Type"
    form = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + (request.body or b""))
    parts = {part.get_param("name", header="content-disposition"): part for part in form.walk()}
    kinds = {name: part.get_content_type() for name, part in parts.items() if name}
    assert kinds == {"sdp": "application/sdp", "session": "application/json"}
    assert parts["sdp"].get_payload(decode=True) == OFFER.encode()
    session = json.loads(parts["session"].get_payload(decode=True))  # type: ignore[arg-type] # decoded, it is bytes
    assert session == {**api.session_body(BROWSER.agent, ""), "instructions": "Bréf. ?"}


@pytest.mark.parametrize("status", [None, 400, 408, 429, 500, 503])
def test_an_offer_is_sent_again_only_where_nobody_can_have_read_it(status: int | None) -> None:
    assert not api.is_retryable(BROWSER, NO_REPLY if status is None else HttpReply(status=status))
    assert api.is_retryable(BROWSER, HttpReply(failure=Failure.CONNECTION, was_sent=False))


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (
            HttpReply(status=201, body=b"v=0", location="/v1/realtime/calls/rtc_u0_%C3%A9a"),
            AnswerReplied(
                decided=Decided.REFUSED, detail="the voice API created a call and did not return its id"
            ),
        ),
        (
            HttpReply(status=201, body=b"v=0", location="/v1/realtime/calls/rtc_u0_a"),
            AnswerReplied(decided=Decided.DONE, api_call_id="rtc_u0_a", sdp="v=0"),
        ),
        (
            HttpReply(status=201, body=b"v=0", location="https://api.example/v1/realtime/calls/rtc_2?x=1"),
            AnswerReplied(decided=Decided.DONE, api_call_id="rtc_2", sdp="v=0"),
        ),
        (
            HttpReply(status=201, body=b"v=0"),
            AnswerReplied(
                decided=Decided.REFUSED, detail="the voice API created a call and did not return its id"
            ),
        ),
        (
            HttpReply(status=201, failure=Failure.BROKEN, detail="the reply was cut off"),
            AnswerReplied(
                decided=Decided.REFUSED, detail="the voice API created a call, but the reply was cut off"
            ),
        ),
        (
            HttpReply(status=201, body=b"v=0", location="http://["),
            AnswerReplied(
                decided=Decided.REFUSED, detail="the voice API created a call and did not return its id"
            ),
        ),
        (
            replied(400, "invalid_offer", message="No data channel."),
            AnswerReplied(
                decided=Decided.REFUSED,
                code="invalid_offer",
                detail="the voice API answered 400 (invalid_offer: No data channel.)",
            ),
        ),
        (
            HttpReply(status=503),
            AnswerReplied(decided=Decided.UNAVAILABLE, detail="the voice API answered 503"),
        ),
        (
            HttpReply(status=401),
            AnswerReplied(decided=Decided.UNAVAILABLE, detail="the voice API answered 401"),
        ),
        (
            NO_REPLY,
            AnswerReplied(
                decided=Decided.UNAVAILABLE, detail="the voice API could not be reached (no reply in time)"
            ),
        ),
    ],
)
def test_a_call_is_made_when_its_answer_says_its_id(reply: HttpReply, answer: CallEvent) -> None:
    assert api.answered(BROWSER, reply, unsettled=False) == answer
