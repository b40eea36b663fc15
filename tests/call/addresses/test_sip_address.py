"""SIP addresses as RFC 3261 and RFC 3966 write them, as carriers send them, and as nobody should."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.call.addresses.sip_address import MAX_LENGTH, SipAddress, parse_address, split_entries, unfold

READABLE = [
    (
        "<sip:proj_ABC@sip.api.openai.com;transport=tls>",
        SipAddress(
            uri="sip:proj_ABC@sip.api.openai.com;transport=tls",
            scheme="sip",
            user="proj_ABC",
            host="sip.api.openai.com",
            uri_parameters={"transport": "tls"},
        ),
    ),
    (
        '"Mario" <sip:+39061234567@Host:5061;user=phone>;tag=x',
        SipAddress(
            uri="sip:+39061234567@Host:5061;user=phone",
            scheme="sip",
            user="+39061234567",
            host="host",
            port=5061,
            display_name="Mario",
            uri_parameters={"user": "phone"},
            parameters={"tag": "x"},
        ),
    ),
    (
        r'"a \"quoted\" \\ <sip:no@one> name" <sips:ada@example.com>;note="a;b\"c"',
        SipAddress(
            uri="sips:ada@example.com",
            scheme="sips",
            user="ada",
            host="example.com",
            display_name=r'a "quoted" \ <sip:no@one> name',
            parameters={"note": 'a;b"c'},
        ),
    ),
    (
        "Ada Lovelace <sip:ada@example.com?Subject=x&Route=%3Csip:a%3E>",
        SipAddress(
            uri="sip:ada@example.com?Subject=x&Route=%3Csip:a%3E",
            scheme="sip",
            user="ada",
            host="example.com",
            display_name="Ada Lovelace",
        ),
    ),
    (
        "sip:ada@example.com;tag=x",
        SipAddress(
            uri="sip:ada@example.com", scheme="sip", user="ada", host="example.com", parameters={"tag": "x"}
        ),
    ),
    (
        "sip:ada@example.com ; tag = x",
        SipAddress(
            uri="sip:ada@example.com", scheme="sip", user="ada", host="example.com", parameters={"tag": "x"}
        ),
    ),
    (
        "sip:+14155550123;ext=5@pbx.example;tag=x;TAG=y",
        SipAddress(
            uri="sip:+14155550123;ext=5@pbx.example",
            scheme="sip",
            user="+14155550123",
            host="pbx.example",
            uri_parameters={"ext": "5"},
            parameters={"tag": "x"},
        ),
    ),
    (
        "tel:+1-415-555-0123;ext=5",
        SipAddress(
            uri="tel:+1-415-555-0123;ext=5", scheme="tel", user="+1-415-555-0123", uri_parameters={"ext": "5"}
        ),
    ),
    (
        "<tel:7042;phone-context=+1914555>;tag=x",
        SipAddress(
            uri="tel:7042;phone-context=+1914555",
            scheme="tel",
            user="7042",
            uri_parameters={"phone-context": "+1914555"},
            parameters={"tag": "x"},
        ),
    ),
    (
        "<sip:+14155550123;ext=5@pbx.example;user=phone>",
        SipAddress(
            uri="sip:+14155550123;ext=5@pbx.example;user=phone",
            scheme="sip",
            user="+14155550123",
            host="pbx.example",
            uri_parameters={"ext": "5", "user": "phone"},
        ),
    ),
    (
        "sip:%2B1415%20x:secret@[2001:DB8::0001]:5070",
        SipAddress(
            uri="sip:%2B1415%20x:secret@[2001:DB8::0001]:5070",
            scheme="sip",
            user="+1415 x",
            host="[2001:db8::1]",
            port=5070,
        ),
    ),
    (
        '"Folded"\r\n\t<SIP:ada@example.com.>\r\n ;tag=x',
        SipAddress(
            uri="SIP:ada@example.com.",
            scheme="sip",
            user="ada",
            host="example.com",
            display_name="Folded",
            parameters={"tag": "x"},
        ),
    ),
    ("sip:pbx.example", SipAddress(uri="sip:pbx.example", scheme="sip", host="pbx.example")),
    ("+18005551212", SipAddress(uri="+18005551212", user="+18005551212")),
    ("desk@pbx.example", SipAddress(uri="desk@pbx.example", user="desk", host="pbx.example")),
    ("sip:ada@not a host", SipAddress(uri="sip:ada@not a host")),
    ("sip:ada@h:99999", SipAddress(uri="sip:ada@h:99999", scheme="sip", user="ada")),
    ("sip:a%0Ab@h", SipAddress(uri="sip:a%0Ab@h", scheme="sip", host="h")),
]

UNREADABLE = [
    "",
    "<",
    '"',
    '"unclosed <sip:ada@example.com>',
    '"Ada" sip:ada@example.com',
    "sip:",
    "sip:a@b@c",
    "tel:",
    "mailto:ada@example.com",
    "urn:service:sos",
    "sip:@[::gg]",
    "hello world",
    "<sip:ada@example.com",
    "sip:ada@example.com" + "x" * MAX_LENGTH,
]


@pytest.mark.parametrize(("text", "expected"), READABLE)
def test_is_read_as_the_rfcs_say(text: str, expected: SipAddress) -> None:
    assert parse_address(text) == expected


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_cannot_be_read_is_none_and_the_text_is_kept(text: str) -> None:
    address = parse_address(text)
    assert (address.user, address.host, address.port) == (None, None, None)
    assert address.uri == text


@pytest.mark.parametrize(
    ("value", "entries"),
    [
        ("<sip:a@h>;reason=x, <sip:b@h>", ["<sip:a@h>;reason=x", "<sip:b@h>"]),
        ('"Doe, \\"J, " <sip:a@h>,sip:b@h', ['"Doe, \\"J, " <sip:a@h>', "sip:b@h"]),
        ("<sip:a,b@h> , ,", ["<sip:a,b@h>"]),
        ('"unclosed, <sip:a@h>', ['"unclosed, <sip:a@h>']),
        ("<unclosed, sip:a@h", ["<unclosed, sip:a@h"]),
        ("", []),
    ],
)
def test_entries_are_split_outside_quotes_and_brackets(value: str, entries: list[str]) -> None:
    assert split_entries(value) == entries


def test_a_folded_value_becomes_one_line() -> None:
    assert unfold("a \r\n\t b\n c\rd  e") == "a b c d  e"


WORDS = ["sip:", "sips:", "tel:", "+1415", "proj_9", "tag", "phone-context", "anonymous", "::1", "é", "٣"]
MARKS = [*'<>"\\;=@:?%,[] ', "%2B", "\r\n ", "\x00", "\ud800"]
NOISE = st.lists(st.sampled_from(WORDS + MARKS) | st.text(max_size=5), max_size=30).map("".join)


@given(NOISE)
def test_never_raises_and_never_invents_control_characters(text: str) -> None:
    address = parse_address(text)
    split_entries(text)
    assert address.user is None or address.user.isprintable()
    assert address.host is None or address.host.isascii()


@pytest.mark.parametrize("unit", ['"\\', "<", '"a"', ";a=", " ", "\r\n", "a,", "@", ';a="', "%", "("])
def test_beyond_the_limit_nothing_is_looked_at(unit: str) -> None:
    text = unit * (8_000_000 // len(unit))
    assert parse_address(text) == SipAddress(uri=text)
    assert sum(map(len, split_entries(text))) <= MAX_LENGTH
    assert split_entries("sip:a@h," + text)[0] == "sip:a@h"
