"""Who was called, and who calls, by the headers that carriers really send."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.call.addresses.incoming import incoming_call
from runner.model.call import Address, IncomingCall, Ringing, SipOrigin, Transport, WebRtcOrigin
from runner.model.route import RoutingSettings

PROJECT = ("To", "<sip:proj_14155550199@sip.api.openai.com:5061;transport=tls>;tag=9")
DIVERSION = ("Diversion", "<sip:+15555550100@twilio.com>;reason=unconditional")


def call(
    *headers: tuple[str, str], country: str | None = "US", called_number: tuple[str, ...] = ()
) -> IncomingCall:
    ringing = Ringing(call_id="rtc_1", created_at=12.5, origin=SipOrigin(headers=tuple(headers)))
    return incoming_call(
        ringing, RoutingSettings(default_country=country, called_number=called_number, project_prefix="proj_")
    )


@pytest.mark.parametrize(
    ("headers", "found_in", "number"),
    [
        ([("To", "<sip:+18005551212@pbx.example>"), DIVERSION], "To", "+18005551212"),
        ([("to", "tel:8005551212"), DIVERSION], "To", "+18005551212"),
        ([("t", "<sip:+18005551212@pbx.example>")], "To", "+18005551212"),
        ([PROJECT, DIVERSION], "Diversion", "+15555550100"),
        ([("To", "sip:%70ROJ_1@h"), DIVERSION], "Diversion", "+15555550100"),
        ([PROJECT, DIVERSION, ("Diversion", "<sip:+15555550111@h>")], "Diversion", "+15555550100"),
        (
            [PROJECT, ("DIVERSION", '"A, B" <sip:+15555550100@h>;reason=no-answer, <sip:+15555550111@h>')],
            "Diversion",
            "+15555550100",
        ),
        ([PROJECT, ("Diversion", "nonsense nonsense, <tel:+15555550100>")], "Diversion", "+15555550100"),
        ([PROJECT, ("Diversion", "<sip:proj_1@h>, <sip:+15555550100@h>")], "Diversion", "+15555550100"),
        ([PROJECT, ("P-Called-Party-ID", "<sip:+18005551212@h>")], "P-Called-Party-ID", "+18005551212"),
        (
            [PROJECT, ("X-Telnyx-Called-Number", "sip:+18005551212@h")],
            "X-Telnyx-Called-Number",
            "+18005551212",
        ),
        ([PROJECT, ("X-Original-To", "(800) 555-1212")], "X-Original-To", "+18005551212"),
        (
            [
                PROJECT,
                (
                    "History-Info",
                    "<sip:+14155550111@h>;index=1, <sip:+18005551212@h?Reason=SIP%3Bcause%3D302>;index=1.1,"
                    " <sip:proj_1@h>;index=1.1.1",
                ),
            ],
            "History-Info",
            "+18005551212",
        ),
        ([PROJECT, ("P-Called-Party-ID", "sip:+18005551212@h"), DIVERSION], "Diversion", "+15555550100"),
        # Who diverted the call anonymously is passed over, wherever the entry stands.
        (
            [PROJECT, ("Diversion", "<sip:anonymous@anonymous.invalid>;reason=unconditional"), DIVERSION],
            "Diversion",
            "+15555550100",
        ),
        (
            [PROJECT, ("Diversion", "<sip:Restricted@h>, <sip:+15555550100@h>")],
            "Diversion",
            "+15555550100",
        ),
        (
            [PROJECT, ("History-Info", "<sip:+18005551212@h>;index=1, <sip:anonymous@h>;index=1.1")],
            "History-Info",
            "+18005551212",
        ),
        (
            [PROJECT, ("P-Called-Party-ID", "<sip:unknown@h>"), ("X-Original-To", "(800) 555-1212")],
            "X-Original-To",
            "+18005551212",
        ),
        ([("To", "<sip:anonymous@anonymous.invalid>"), DIVERSION], "Diversion", "+15555550100"),
        ([PROJECT, ("Diversion", "<sip:anonymous@anonymous.invalid>")], "To", None),
        ([PROJECT, ("P-Asserted-Identity", "<sip:+18005551212@h>")], "To", None),
        ([PROJECT], "To", None),
        ([], "", None),
    ],
)
def test_the_called_number_is_where_the_language_says(
    headers: list[tuple[str, str]], found_in: str, number: str | None
) -> None:
    got = call(*headers)
    assert (got.called_found_in, got.called.number) == (found_in, number)


def test_headers_that_the_configuration_names_come_first() -> None:
    headers = [("To", "sip:+18005551212@h"), ("x-dialled", " +1 415 555 0123 "), ("X-Empty", " ")]
    got = call(*headers, called_number=("X-Missing", "X-Empty", "X-Dialled"))
    assert (got.called_found_in, got.called.number) == ("X-Dialled", "+14155550123")


def test_a_project_is_no_number_though_its_id_has_digits() -> None:
    got = call(PROJECT)
    assert got.called == Address(
        uri="sip:proj_14155550199@sip.api.openai.com:5061;transport=tls",
        user="proj_14155550199",
        host="sip.api.openai.com",
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            "<sip:+14155550155@pstn.twilio.com>;tag=abc",
            Address(
                uri="sip:+14155550155@pstn.twilio.com",
                user="+14155550155",
                host="pstn.twilio.com",
                number="+14155550155",
                country="US",
            ),
        ),
        (
            '"Mario" <sip:+390612345678@host;user=phone>;tag=x',
            Address(
                uri="sip:+390612345678@host;user=phone",
                user="+390612345678",
                host="host",
                display_name="Mario",
                number="+390612345678",
                country="IT",
            ),
        ),
        (
            '"+421948155064" <sip:421948155064@46.19.210.14>',
            Address(
                uri="sip:421948155064@46.19.210.14",
                user="421948155064",
                host="46.19.210.14",
                display_name="+421948155064",
                number="+421948155064",
                country="SK",
            ),
        ),
        ("sip:1001@pbx", Address(uri="sip:1001@pbx", user="1001", host="pbx")),
        (
            "tel:+14155550123;ext=5",
            Address(uri="tel:+14155550123;ext=5", user="+14155550123", number="+14155550123", country="US"),
        ),
        (
            "tel:5550123;phone-context=+1-415",
            Address(
                uri="tel:5550123;phone-context=+1-415", user="5550123", number="+14155550123", country="US"
            ),
        ),
        (
            "tel:+14155550123;phone-context=+44",
            Address(
                uri="tel:+14155550123;phone-context=+44",
                user="+14155550123",
                number="+14155550123",
                country="US",
            ),
        ),
        (
            "Doe, Jo <sip:+14155550123@h>",
            Address(
                uri="sip:+14155550123@h",
                user="+14155550123",
                host="h",
                display_name="Doe, Jo",
                number="+14155550123",
                country="US",
            ),
        ),
        (
            '"Anonymous" <sip:anonymous@anonymous.invalid>',
            Address(
                uri="sip:anonymous@anonymous.invalid",
                user="anonymous",
                host="anonymous.invalid",
                display_name="Anonymous",
                anonymous=True,
            ),
        ),
        ("<sip:Restricted@h>", Address(uri="sip:Restricted@h", user="Restricted", host="h", anonymous=True)),
        (
            "<sip:x@unknown.invalid>",
            Address(uri="sip:x@unknown.invalid", user="x", host="unknown.invalid", anonymous=True),
        ),
        ("Anonymous <sip:h>", Address(uri="sip:h", host="h", display_name="Anonymous", anonymous=True)),
        (
            "<sip:+266696687@pstn.twilio.com>",
            Address(
                uri="sip:+266696687@pstn.twilio.com",
                user="+266696687",
                host="pstn.twilio.com",
                anonymous=True,
            ),
        ),
        ("garbage in", Address(uri="garbage in")),
    ],
)
def test_the_caller_is_read_from_the_from_header(value: str, expected: Address) -> None:
    assert call(("FROM", value)).caller == expected


def test_an_asserted_identity_is_the_caller_where_from_cannot_be_read() -> None:
    asserted = ("P-Asserted-Identity", "<sip:+14155550155@h>, <tel:+14155550156>")
    assert call(("From", "? ?"), asserted).caller.number == "+14155550155"
    assert call(asserted).caller.number == "+14155550155"
    assert call(("From", "sip:1001@pbx"), asserted).caller.user == "1001"


def test_a_caller_who_withholds_the_number_stays_withheld() -> None:
    got = call(("From", "sip:anonymous@anonymous.invalid"), ("P-Asserted-Identity", "<sip:+14155550155@h>"))
    assert got.caller.anonymous
    assert got.caller.number is None
    assert ("P-Asserted-Identity", "<sip:+14155550155@h>") in got.headers


FROM = ("From", '"Ada" <sip:+14155550155@h>;tag=1')


@pytest.mark.parametrize(
    "header",
    [
        ("Privacy", "id"),
        ("privacy", " ID ; critical"),
        ("Privacy", "header;user;id"),
        ("Privacy", "user"),
        ("Remote-Party-ID", '"Ada" <sip:+14155550155@h>;party=calling;screen=yes;privacy=full'),
        ("Remote-Party-ID", "<sip:+14155550155@h>;privacy=uri"),
    ],
)
def test_a_caller_who_asks_for_privacy_is_withheld_though_from_has_the_number(
    header: tuple[str, str],
) -> None:
    got = call(FROM, ("P-Asserted-Identity", "<tel:+14155550155>"), header)
    assert got.caller == Address(
        uri="sip:anonymous@anonymous.invalid", user="anonymous", host="anonymous.invalid", anonymous=True
    )
    assert FROM in got.headers


@pytest.mark.parametrize(
    "header",
    [
        ("Privacy", "none"),
        ("Privacy", "session"),
        ("Privacy", "history"),
        ("X-Privacy", "id"),
        ("Remote-Party-ID", "<sip:+14155550155@h>;party=calling;privacy=off"),
        ("Remote-Party-ID", "<sip:+18005551212@h>;party=called;privacy=full"),
        ("Remote-Party-ID", "privacy=full"),
        # More entries than a request can have hops are not looked at.
        ("Remote-Party-ID", "<sip:a>," * 70 + "<sip:+14155550155@h>;privacy=full"),
    ],
)
def test_other_privacy_leaves_the_caller_known(header: tuple[str, str]) -> None:
    assert call(FROM, header).caller.number == "+14155550155"


@pytest.mark.parametrize("header", ["To", "Diversion", "From"])
def test_a_number_of_the_default_country_without_its_plus_is_read_in_every_header(header: str) -> None:
    got = call((header, "<sip:492214710123@carrier.example>"), country="DE")
    assert (got.caller if header == "From" else got.called).number == "+492214710123"


def test_the_call_keeps_what_it_was_given() -> None:
    origin = SipOrigin(headers=(DIVERSION, PROJECT))
    got = incoming_call(
        Ringing(call_id="rtc_ü", created_at=7.0, origin=origin), RoutingSettings(project_prefix="proj_")
    )
    assert (got.id, got.created_at, got.transport, got.headers) == (
        "rtc_ü",
        7.0,
        Transport.SIP,
        (DIVERSION, PROJECT),
    )


def test_a_call_from_a_browser_has_names_and_no_numbers() -> None:
    origin = WebRtcOrigin(subject="user-1", agent="front-desk", offer="v=0")
    got = incoming_call(Ringing(call_id="web_1", created_at=7.0, origin=origin), RoutingSettings())
    assert got == IncomingCall(
        id="web_1",
        caller=Address(uri="web:user-1", user="user-1"),
        called=Address(uri="web:front-desk", user="front-desk"),
        called_found_in="",
        origin=origin,
        created_at=7.0,
    )
    assert (got.transport, got.headers) == (Transport.WEBRTC, ())


def test_a_browser_that_asks_for_nobody_calls_nobody_that_is_named() -> None:
    ringing = Ringing(call_id="web_1", created_at=7.0, origin=WebRtcOrigin(subject="user-1"))
    assert incoming_call(ringing, RoutingSettings()).called == Address(uri="")


def test_a_call_that_was_diverted_more_often_than_can_be_is_read_no_further() -> None:
    noise = [("Diversion", "not an address")] * 69
    assert call(PROJECT, *noise, DIVERSION).called_found_in == "Diversion"
    assert call(PROJECT, *noise, ("Diversion", "nor this one"), DIVERSION).called_found_in == "To"


NAMES = st.sampled_from(
    ["To", "from", "DIVERSION", "History-Info", "X-Dialled", "P-Asserted-Identity", "\ud800"]
)
VALUES = st.text() | st.lists(
    st.sampled_from(
        ['"', "<", ">", "sip:", "tel:", "+1", "4155550123", "@", ";", ",", "proj_", "\r\n ", "\udfff"]
    )
).map("".join)


@given(st.lists(st.tuples(NAMES, VALUES)), st.sampled_from([None, "US", "ZZ"]))
def test_never_raises_and_can_always_be_stored(headers: list[tuple[str, str]], country: str | None) -> None:
    got = call(*headers, country=country, called_number=("X-Dialled",))
    repr(got).encode("utf-8")
    assert len(got.headers) == len(headers)
    assert got.called.user is None or got.called_found_in == "To" or not got.called.user.startswith("proj_")
