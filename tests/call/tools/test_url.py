"""URLs from templates: a value fills its place, and never scheme, host or structure."""

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.call.tools.url import Url
from runner.errors import TemplateError, TemplateFailure


@pytest.mark.parametrize(
    ("source", "value", "url"),
    [
        ("https://api.example/slots", "", "https://api.example/slots"),
        ("https://api.example", "", "https://api.example"),
        ("https://api.example/slots\n", "", "https://api.example/slots"),
        ("https://api.example/s/{{ args.x }}/t", "a b", "https://api.example/s/a%20b/t"),
        ("https://api.example/{{ args.x }}", "a/b?c#d", "https://api.example/a%2Fb%3Fc%23d"),
        ("https://api.example/{{ args.x }}", "%2e%2e", "https://api.example/%252e%252e"),
        (
            "https://api.example/{{ args.x }}",
            "@evil.example:80\\",
            "https://api.example/%40evil.example%3A80%5C",
        ),
        ("https://api.example/{{ args.x }}", "é\r\nX: y", "https://api.example/%C3%A9%0D%0AX%3A%20y"),
        ("https://api.example/{{ args.x }}", 2, "https://api.example/2"),
        ("https://api.example/{{ args.x }}", True, "https://api.example/true"),
        ("https://api.example/{{ args.x }}", [1, "a"], "https://api.example/%5B1%2C%22a%22%5D"),
        ("https://api.example/{{ 'v' ~ args.x }}", "/..", "https://api.example/v%2F.."),
        ("https://api.example/a{{ args.x }}b", None, "https://api.example/ab"),
        ("https://api.example/a{{ args.x }}", "..", "https://api.example/a.."),
        ("https://api.example?d={{ args.x }}", "..", "https://api.example?d=.."),
        ("https://api.example/?d={{ args.x }}&e", "1&f=2", "https://api.example/?d=1%26f%3D2&e"),
        ("https://api.example/?d={{ args.x }}", None, "https://api.example/?d="),
        ("https://api.example/a{% if args.x %}/{{ args.x }}{% endif %}", "b", "https://api.example/a/b"),
        ("https://api.example/a{% if args.x %}/{{ args.x }}{% endif %}", None, "https://api.example/a"),
        # What was written out stays as it is, but for what no URL may hold.
        ("https://api.example/a//b/sök x", "", "https://api.example/a//b/s%C3%B6k%20x"),
        ("http://[::1]:8080/a%20b;v=1", "", "http://[::1]:8080/a%20b;v=1"),
    ],
)
def test_a_value_is_encoded_for_its_place(source: str, value: object, url: str) -> None:
    assert Url(source).made({"args": {"x": value}}) == url


@pytest.mark.parametrize(
    ("source", "value", "part"),
    [
        ("https://api.example/{{ args.x }}", "", "empty"),
        ("https://api.example/{{ args.x }}/b", None, "empty"),
        ("https://api.example/{{ args.x }}{{ args.y }}", None, "empty"),
        ("https://api.example/{{ args.x }}", "..", '".."'),
        ("https://api.example/{{ args.x }}/b", ".", '"."'),
        ("https://api.example/.{{ args.x }}/b", ".", '".."'),
        ("https://api.example/%2E{{ args.x }}/b", ".", '"%2E."'),
        ("https://api.example/{{ args.x }}?a", "..", '".."'),
    ],
)
def test_a_value_that_no_encoding_makes_harmless_is_refused(source: str, value: object, part: str) -> None:
    with pytest.raises(TemplateFailure) as caught:
        Url(source).made({"args": {"x": value}})
    assert caught.value.reason == f"a part of the path would be {part}"
    assert str(caught.value) == f'the template "{source}" failed: a part of the path would be {part}'


HOST = 'the host cannot come from an expression; write "https://", the host and "/" before it'


@pytest.mark.parametrize(
    ("source", "place", "message"),
    [
        ("{{ args.url }}", (1, 1), HOST),
        ("https://{{ vars.host }}/a", (1, 9), HOST),
        ("https://api.{{ vars.zone }}.example/a", (1, 13), HOST),
        ("https://api.example{{ args.x }}", (1, 20), HOST),
        ("https://api.example:{{ args.port }}/", (1, 21), HOST),
        ("{% if a %}https://a/{% endif %}", (1, 1), HOST),
        ("ftp://a/", (1, 1), '"ftp://a/" does not begin with https:// (or http://) and a host'),
        ("https:///a", (1, 1), '"https:///a" does not begin with https:// (or http://) and a host'),
        ("https://ada:pw@a/", (1, 9), 'user and password do not belong in a URL; use "auth"'),
        (
            "https://a:99999/",
            (1, 9),
            '"a:99999" is not a host with a port; a port is a number from 1 to 65535',
        ),
        ("https://a b/", (1, 9), '"a b" is not a host, such as api.maple.example'),
        ("https://höst/", (1, 9), '"höst" is not a host, as names travel in ASCII; write "xn--hst-sna"'),
        ("https://a/b#c", (1, 12), 'what follows "#" is never sent; leave it out'),
        ("https://a/{{ x }}#c", (1, 18), 'what follows "#" is never sent; leave it out'),
        ("https://a/{{ x y }}", (1, 16), 'this template cannot be read: expected "}}", got "y"'),
    ],
)
def test_what_a_url_must_write_out_is_checked_at_load(
    source: str, place: tuple[int, int], message: str
) -> None:
    with pytest.raises(TemplateError) as caught:
        Url(source)
    assert (str(caught.value), (caught.value.line, caught.value.column)) == (message, place)


def test_a_number_sign_inside_an_expression_is_no_fragment() -> None:
    assert Url("https://a/{{ 'x#y' }}{# why #}").made({}) == "https://a/x%23y"


IN_URL = Url(
    "https://api.example:8443/a/{{ args.one }}/b-{{ args.two }}/c?d={{ args.three }}&e={{ args.four }}"
)
TEXTS = st.text() | st.sampled_from(
    ["..", ".", "/", "?", "#", "&", "\\", "@", ":", "%2e%2e", "%2f", "\x00", "{{ 1 }}"]
)


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_no_value_changes_the_structure(one: str, two: str, three: str, four: str) -> None:
    try:
        url = IN_URL.made({"args": {"one": one, "two": two, "three": three, "four": four}})
    except TemplateFailure:
        assert one in ("", ".", "..")
        return
    assert url.isascii()
    assert url.isprintable()
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.fragment) == ("https", "api.example:8443", "")
    segments = parts.path.split("/")
    assert [unquote(segment) for segment in segments] == ["", "a", one, f"b-{two}", "c"]
    assert not {"", ".", ".."} & set(segments[1:])
    pairs = [pair.split("=") for pair in parts.query.split("&")]
    assert [(name, unquote(value)) for name, value in pairs] == [("d", three), ("e", four)]
