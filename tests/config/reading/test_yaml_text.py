"""The YAML reader: what values mean, where they stand, and that no bytes make it fail."""

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runner.config.node import Node
from runner.config.problem import Problems
from runner.config.reading import yaml_text
from tests.config.nodes import at


def read(text: str | bytes) -> Node:
    problems = Problems()
    content = text if isinstance(text, bytes) else text.encode()
    node = yaml_text.read("agent.yaml", content, problems)
    assert [str(problem) for problem in problems.sorted()] == []
    assert node is not None
    return node


def mistakes(text: str | bytes) -> list[str]:
    problems = Problems()
    content = text if isinstance(text, bytes) else text.encode()
    yaml_text.read("f", content, problems)
    return [str(problem) for problem in problems.sorted()]


@pytest.mark.parametrize("word", ["no", "on", "off", "yes", "No", "y", "N", "ON", "Yes"])
def test_words_of_yaml_1_1_stay_text(word: str) -> None:
    assert read(f"a: {word}").data() == {"a": word}


@pytest.mark.parametrize(
    "text",
    [
        "12:30",
        "2026-11-27",
        "2026-11-27T10:00:00Z",
        "0123456",
        "+14155550123",
        "+5",
        "-0",
        "-012",
        "00",
        "1_000",
        "12345678901234567890",
        "0b11",
        "0777",
        "0o8",
        "0xg",
        "1e",
        "007.5",
        "+1.5",
        ".",
        "tRUE",
        "nULL",
        "=",
        "\uff11\uff12",  # fullwidth digits
        "9" * 5000,
    ],
)
def test_what_is_no_number_of_the_core_schema_or_would_lose_digits_stays_text(text: str) -> None:
    assert read(f"a: {text}").data() == {"a": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("5", 5),
        ("-5", -5),
        ("123456789012345678", 123456789012345678),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.5", 1.5),
        ("-1.50", -1.5),
        ("1.", 1.0),
        (".5", 0.5),
        ("0.5", 0.5),
        ("1e3", 1000.0),
        ("12e03", 12000.0),
        ("1.5E-3", 0.0015),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("Null", None),
        ("", None),
    ],
)
def test_the_core_schema_of_yaml_1_2_is_read(text: str, value: bool | float | None) -> None:
    node = read(f"a: {text}").find("a")
    assert node is not None
    assert node.value == value
    assert type(node.value) is type(value)
    assert node.text == text


def test_a_quoted_scalar_is_text_whatever_it_looks_like() -> None:
    assert read("[\"5\", 'true', \"~\", '']").data() == ["5", "true", "~", ""]


def test_keys_keep_their_text() -> None:
    assert list(read("on: 1\n5: 2\ntrue: 3\n1.50: 4\n~: 5\n'<<': 6\n").data()) == [
        "on",
        "5",
        "true",
        "1.50",
        "~",
        "<<",
    ]


def test_every_value_and_key_knows_its_place() -> None:
    node = read("# first\nagent: desk\ntools:\n  - name: x\n    http: {url: 'y'}\n")
    assert str(node.place) == "agent.yaml:2:1"
    assert str(node.key_place("tools")) == "agent.yaml:3:1"
    assert str(at(node, "tools", 0, "http", "url").place) == "agent.yaml:5:17"
    assert str(at(node, "tools", 0).key_place("http")) == "agent.yaml:5:5"


def test_columns_count_characters_not_bytes_and_crlf_is_one_line_break() -> None:
    node = read("ä: 1\r\nb: {ü: ö, 😀: x}\r\n")
    assert str(at(node, "b", "😀").place) == "agent.yaml:2:14"


@pytest.mark.parametrize(
    ("text", "line", "column", "place"),
    [
        ("a: |\n  one\n  two\n\n  {{ x }}\n", 4, 4, "agent.yaml:5:6"),
        ("a: |\n\n  one\n    two\n", 3, 3, "agent.yaml:4:5"),
        ("a: |2-\n      one\n   two\n", 2, 1, "agent.yaml:3:3"),
        ("a: |-  # a comment\n one\n two", 2, 1, "agent.yaml:3:2"),
        ("a:\n    |\n    one\n    two\n", 2, 2, "agent.yaml:4:6"),
        ("a: >\n  one\n  two\n\n  three\n    four\n  five\n  six\n", 2, 1, "agent.yaml:5:3"),
        ("a: >\n  one\n  two\n\n  three\n    four\n  five\n  six\n", 4, 1, "agent.yaml:7:3"),
        ("a: >\n  one\n  two\n\n  three\n    four\n  five\n  six\n", 1, 6, "agent.yaml:3:4"),
        ("a: >\n  one\n  two\n\n  three\n    four\n  five\n  six\n", 4, 6, "agent.yaml:8:3"),
        ("a: >\n  one\n  two\n\n  three\n    four\n  five\n  six\n", 3, 1, "agent.yaml:6:3"),
        ("a: >-\n\n  one\n\n\n  two\n", 4, 2, "agent.yaml:6:4"),
        ("a: plain\n", 1, 3, "agent.yaml:1:6"),
        ("a: plain\n  text  # with a comment\n", 1, 8, "agent.yaml:2:4"),
        ("a: 'quoted'\n", 1, 3, "agent.yaml:1:7"),
        ("a: 'quoted\n  text'\n", 1, 8, "agent.yaml:2:3"),
        ('a: "two\\nlines"\n', 2, 1, "agent.yaml:1:4"),
        ("a: [{b: c}]\n", 1, 1, "agent.yaml:1:4"),
        ("a: |\n", 1, 1, "agent.yaml:1:4"),
    ],
)
def test_a_character_of_a_text_is_found_in_the_file(text: str, line: int, column: int, place: str) -> None:
    assert str(at(read(text), "a").place_in(line, column)) == place


def test_every_word_of_a_text_is_found_in_the_file() -> None:
    text = "a: >+\n  one   two\n   three\n\n\n  four\n\nb: |2\n    five\n\n   six\nc: 'seven\n\n  eight'\n"
    node = read(text)
    for value in (at(node, key) for key in "abc"):
        for line, words in enumerate(str(value.value).split("\n"), start=1):
            for word in words.split():
                place = value.place_in(line, words.index(word) + 1)
                assert text.split("\n")[place.line - 1].startswith(word, place.column - 1)


def test_aliases_stand_for_what_they_name_with_its_place() -> None:
    node = read("a: &x {b: 1}\nc: *x\n&k d: *k\n")
    assert node.data() == {"a": {"b": 1}, "c": {"b": 1}, "d": "d"}
    assert str(at(node, "c", "b").place) == "agent.yaml:1:11"


def test_an_anchor_may_be_set_anew() -> None:
    assert read("a: &x 1\nb: *x\nc: &x 2\nd: *x\n").data() == {"a": 1, "b": 1, "c": 2, "d": 2}


def test_aliases_cannot_stand_for_more_than_a_bounded_number_of_values() -> None:
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
    )
    assert mistakes(laughs) == [
        "f:5:45: the aliases of this file stand for more than 100000 values [yaml-syntax]"
    ]


def test_a_chain_of_aliases_cannot_nest_deeper_than_written_values_can() -> None:
    chain = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 100))
    assert mistakes(chain) == ["f:63:12: nested deeper than 64 levels [yaml-syntax]"]


def test_the_deepest_allowed_nesting_is_read() -> None:
    assert read("[" * 64 + "]" * 64).data() is not None
    assert mistakes("[" * 65 + "]" * 65) == ["f:1:65: nested deeper than 64 levels [yaml-syntax]"]


def test_all_duplicate_keys_of_a_file_are_told_and_the_first_value_stays() -> None:
    problems = Problems()
    node = yaml_text.read("f", b"a: 1\nb: {c: 1, c: 2}\na: 3\n", problems)
    assert node is not None
    assert node.data() == {"a": 1, "b": {"c": 1}}
    assert [str(problem) for problem in problems.sorted()] == [
        'f:2:11: the key "c" is in this mapping twice, on line 2; keep one of them [duplicate-key]',
        'f:3:1: the key "a" is in this mapping twice, on line 1 and on line 3; '
        "keep one of them [duplicate-key]",
    ]


EMPTY = (
    'f:1:1: this file is empty; an agent begins with "agent: ID", and a file that is not needed is removed'
    " [yaml-syntax]"
)
SYNTAX = [
    (b"", EMPTY),
    (b"# nothing\n", EMPTY),
    (
        b"\xef\xbb\xbfa: 1",
        "f:1:1: this file begins with a byte order mark; save it as UTF-8 without one [yaml-syntax]",
    ),
    (b"\xff\xfea\x00", "f:1:1: this file is UTF-16; save it as UTF-8 [yaml-syntax]"),
    (b"a: 1\nb: caf\xe9\n", "f:2:7: byte 0xE9 is not UTF-8; save this file as UTF-8 [yaml-syntax]"),
    (b"a: b\x07", "f:1:5: character U+0007 is not allowed in YAML; remove it [yaml-syntax]"),
    ("a: b\u2028c".encode(), "f:1:5: character U+2028 is not allowed in YAML; remove it [yaml-syntax]"),
    (b"a:\n\t- b", "f:2:1: a tab in the indentation; YAML indents with spaces only [yaml-syntax]"),
    (b"a:\n  b: 1\n \tc: 2", "f:3:2: a tab in the indentation; YAML indents with spaces only [yaml-syntax]"),
    (b"a:\n-\t\tb: 1", "f:2:2: a tab where YAML wants a space [yaml-syntax]"),
    (b"--- a\n--- b", "f:2:1: a second document begins here; a file holds one [yaml-syntax]"),
    (
        b"a: b\n...\nc: d",
        "f:3:1: the document has ended before this; a file holds one mapping [yaml-syntax]",
    ),
    (
        b"%YAML 3.0\n---\na: 1",
        "f:1:1: this directive asks for another version of YAML; remove the line [yaml-syntax]",
    ),
    (b"%a?", 'f:1:1: "%" at the start of a line begins a YAML directive; remove the line [yaml-syntax]'),
    (b"a: ? b", 'f:1:4: this "?" cannot stand here; put the value in quotes [yaml-syntax]'),
    (b"a: Note: this", 'f:1:8: a second ":" in this line; put the value in quotes [yaml-syntax]'),
    (
        b"x: 1\n  y: 2",
        'f:2:4: this ":" cannot stand here; check the indentation of this line and the one above '
        "[yaml-syntax]",
    ),
    (b"a: @x", 'f:1:4: "@" cannot begin a value in YAML; put the value in quotes [yaml-syntax]'),
    (b"a: `x`", 'f:1:4: "`" cannot begin a value in YAML; put the value in quotes [yaml-syntax]'),
    (b"a: *.example", 'f:1:4: "*" begins an alias in YAML; put the value in quotes [yaml-syntax]'),
    (b"a: & b", 'f:1:4: "&" begins an anchor in YAML; put the value in quotes [yaml-syntax]'),
    (b"a: *b", 'f:1:4: "*b" is an alias of nothing; no "&b" comes before it [yaml-syntax]'),
    (b"a: &x\n  b: *x", 'f:2:6: "*x" stands inside what it is an alias of [yaml-syntax]'),
    (b"a: &x [b]\n*x : c", 'f:2:1: "*x" cannot be a key; write the key out [yaml-syntax]'),
    (
        b"a: !secret x",
        'f:1:4: the tag "!secret" means nothing here; put text in quotes instead [yaml-syntax]',
    ),
    (b"!!str a: x", 'f:1:1: the tag "!!str" means nothing here; put text in quotes instead [yaml-syntax]'),
    (
        b"a: !x!y z",
        'f:1:4: "!" begins a tag in YAML, and tags mean nothing here; put the value in quotes [yaml-syntax]',
    ),
    (b"a: [b", 'f:1:4: this "[" is never closed [yaml-syntax]'),
    (b"a: {b: c\nd: e\n", 'f:1:4: this "{" is never closed [yaml-syntax]'),
    (b"a: [b, {c: d} e]", 'f:1:15: "," or "]" is missing before this [yaml-syntax]'),
    (b"a: [b,,c]", "f:1:7: a value is missing here [yaml-syntax]"),
    (b"a: ]", 'f:1:4: this "]" closes nothing; a value with brackets needs quotes [yaml-syntax]'),
    (b"a: [b]]", 'f:1:7: this "]" closes nothing; a value with brackets needs quotes [yaml-syntax]'),
    (b"a: 'x", "f:1:4: this quote is never closed [yaml-syntax]"),
    (
        b"a: 'b' c",
        "f:1:8: text after a closed quote; put the whole value in one pair of quotes [yaml-syntax]",
    ),
    (
        b'a: "\\d+"',
        r'f:1:5: "\d" is not an escape that YAML knows in double quotes; '
        "use single quotes, or double the backslash [yaml-syntax]",
    ),
    (
        b'a: "\\ud800"',
        "f:1:4: an escape in this text is not a valid character; write the character itself [yaml-syntax]",
    ),
    (
        b"a:\n  b: 1\n c: 2",
        "f:3:2: this line is not part of the mapping that begins on line 1; check the indentation "
        "[yaml-syntax]",
    ),
    (
        b"a:\n  - b\n  c: d",
        'f:3:3: this is not an entry ("- ") of the list that begins on line 2; check the indentation '
        "[yaml-syntax]",
    ),
    (b"a: - b", 'f:1:4: a list entry ("- ") begins on a line of its own [yaml-syntax]'),
    (
        b"a: 1\nb\nc: 2",
        'f:2:1: this line has no ":" after its key; if it goes on with a text above, indent it [yaml-syntax]',
    ),
    (b": x", 'f:1:1: a key is missing before ":" [yaml-syntax]'),
    (b"{: x}", 'f:1:2: a key is missing before ":" [yaml-syntax]'),
    (b"? [a]\n: b", "f:1:3: a key is text; a list or a mapping cannot be one [yaml-syntax]"),
    (b"a: |x\n  b", 'f:1:5: the text of a "|" block begins on the next line [yaml-syntax]'),
    (
        b"a: {{ x }}",
        'f:1:4: a value that begins with "{{" needs quotes, or YAML reads it as a mapping [yaml-syntax]',
    ),
    (
        b"a:\n  - {{ x }} y",
        'f:2:5: a value that begins with "{{" needs quotes, or YAML reads it as a mapping [yaml-syntax]',
    ),
    (
        b"<<: {a: b}",
        'f:1:1: merge keys ("<<") are not read; write the keys out here, '
        'or put what all agents share under "defaults" in runner.yaml [yaml-syntax]',
    ),
]


@pytest.mark.parametrize(("content", "message"), SYNTAX)
def test_what_is_no_yaml_is_said_in_one_sentence(content: bytes, message: str) -> None:
    assert mistakes(content) == [message]


@pytest.mark.parametrize(("content", "message"), SYNTAX)
def test_the_pure_parser_leads_to_the_same_sentence(
    content: bytes, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where PyYAML was built without libyaml, nothing changes for the reader of a message."""
    monkeypatch.setattr(yaml_text, "_PARSER", yaml.SafeLoader)
    assert mistakes(content) == [message]


FRAGMENTS = [
    "a: ",
    "\n  ",
    "- ",
    "{{",
    "}}",
    "&a ",
    "*a",
    "<<: ",
    "!!str ",
    "---\n",
    "...\n",
    "|\n ",
    ">-\n  ",
    "\\u",
]
YAML_LIKE = st.lists(st.sampled_from([*" \n\t:-?,[]{}#&*!|>'\"%@`\\a1\r~<=.", *FRAGMENTS]), max_size=40).map(
    "".join
)


@given(st.binary() | YAML_LIKE.map(str.encode) | st.text().map(str.encode))
def test_no_bytes_raise(content: bytes) -> None:
    problems = Problems()
    node = yaml_text.read("f", content, problems)
    assert node is not None or problems.has_errors


@given(YAML_LIKE)
def test_the_pure_parser_raises_nothing_either(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml_text, "_PARSER", yaml.SafeLoader)
        problems = Problems()
        node = yaml_text.read("f", text.encode(), problems)
    assert node is not None or problems.has_errors


@pytest.mark.parametrize(
    "text",
    [
        'a: "one\n  two"\n',
        'a:\n  "one\n\n  two"\n',
        'a:\n- "one\n two"\n- b\n',
        '  - "one\n   two"\n',
        '- b: "one\n   two"\n',
        'a: {b: "one\n two"}\n',
        "a: 'it''s\n  one: text'\n",
        'a: "one\n\n\n  two"\n',
        'a: "one\\\n  two"\n',
    ],
)
def test_a_quoted_text_over_several_lines_is_read(text: str) -> None:
    assert mistakes(text) == []


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ('a: "one\nb: "two"\n', 1, 4),
        ('- a: "one\n  b: "two"\n', 1, 6),
        ('- "one\n- "two"\n', 1, 3),
        ('-  - "one\n   - "two"\n', 1, 6),
        ("a: {b: 'one}\nc: 'two'\n", 1, 8),
        ('a: "one\nb: "two" three\n', 1, 4),
    ],
)
def test_a_quote_that_was_left_open_is_found_where_it_opens(text: str, line: int, column: int) -> None:
    (message,) = mistakes(text)
    assert message.startswith(f"f:{line}:{column}: this quote is closed only on line 2; close it at")


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (r'a: "\\b \" \n \t \x41 \u00e9 \_"', []),
        (r"a: '\b \f'", []),
        (r'a: "\\\b"', [r'f:1:7: "\b" in double quotes is a backspace']),
        (r'a: "x\u0007"', [r'f:1:6: "\u0007" in double quotes is a control character']),
        (r'a: "\P{L}"', [r'f:1:5: "\P" in double quotes is a paragraph separator']),
        ('a: "one\n  \\v"', [r'f:2:3: "\v" in double quotes is a vertical tab']),
        (r'a: "\a \e"', [r'f:1:5: "\a" in double quotes is a bell']),
    ],
)
def test_an_escape_that_stands_for_a_control_character_is_told(text: str, messages: list[str]) -> None:
    right = "; use single quotes, or double the backslash [yaml-syntax]"
    assert mistakes(text) == [message + right for message in messages]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("{a: b c, d}", "a"),
        ("{a: b, c: d e, f, g}", "c"),
        ("[{a: b\n, c}]", "a"),
        ("{a: b # x: y\n, c}", "a"),
        ("{a: b, c\n}", "a"),
    ],
)
def test_a_comma_that_ends_a_text_in_braces_is_told_once(text: str, key: str) -> None:
    (message,) = mistakes(text)
    end = f'inside of braces a comma ends a text; put the whole text of "{key}" in quotes [yaml-syntax]'
    assert message.endswith(end)


@pytest.mark.parametrize(
    "text", ["{a: , b: c}", '{"a":, "b":}', "{? a : b}", "{a: '', b: c}", "[a, b]", "{a: b,}"]
)
def test_a_key_with_a_colon_may_be_empty(text: str) -> None:
    assert mistakes(text) == []


def test_a_key_in_braces_that_follows_no_text_ends_the_reading() -> None:
    assert mistakes("{a: 1, b}") == ['f:1:8: "b" has no value; write "b: …" [yaml-syntax]']
