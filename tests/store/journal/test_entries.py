"""Entries of a journal come back as they were written, whatever the events are made of."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import JournalError
from runner.model.action import Timer, TimerKind
from runner.model.call import Ringing, SipOrigin
from runner.model.conversation_event import ToolCalled
from runner.model.entry import Entry, Lived
from runner.model.event import CallEvent, Replied, SidebandLost, TimerFired
from runner.model.http import Failure, HttpReply
from runner.store.journal import entries
from runner.store.journal.entries import decode, encode
from runner.store.journal.json_codec import codec

TEXT = st.text(st.characters() | st.sampled_from("\ud83d\udc00\0"))
NUMBERS = st.floats(allow_nan=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Everything that has this type. A new kind of type must be added here, and to the codec."""
    if hint is Any:
        return JSON
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in {bool, int, bytes, NoneType} or (isinstance(hint, type) and not is_dataclass(hint)):
        simple = {str: TEXT, float: NUMBERS}
        return simple[hint] if hint in simple else st.from_type(hint)
    if isinstance(hint, type) and is_dataclass(hint):
        hints = get_type_hints(hint)
        return st.builds(hint, **{field.name: values(hints[field.name]) for field in fields(hint)})
    if origin in {Union, UnionType}:
        return st.one_of([values(each) for each in arguments])
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is ...:
            return st.lists(values(arguments[0]), max_size=3).map(tuple)
        return st.tuples(*map(values, arguments))
    if origin is not None and issubclass(origin, Mapping):
        return st.dictionaries(TEXT, values(arguments[1]), max_size=3)
    raise AssertionError(f"nobody has said what {hint} is made of")


@pytest.mark.parametrize("kind", [*get_args(CallEvent), Ringing], ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_every_event_comes_back_as_it_was(kind: type, data: st.DataObject) -> None:
    event = data.draw(values(kind))
    [entry] = decode(encode([Entry(seq=3, at=0.1 + 0.2, event=event)]))
    assert entry == Entry(seq=3, at=0.1 + 0.2, event=event)
    assert type(entry.event) is kind


def test_what_has_its_default_value_is_left_out() -> None:
    event = ToolCalled(response_id="r", call_id="c", name="f", arguments="")
    written = encode([Entry(seq=0, at=1.5, event=event), Entry(seq=1, at=2.0, event=SidebandLost())])
    assert json.loads(written) == [
        1,
        [
            [
                0,
                1.5,
                {"is": "ToolCalled", "response_id": "r", "call_id": "c", "name": "f", "arguments": ""},
            ],
            [1, 2.0, {"is": "SidebandLost"}],
        ],
    ]


def test_bytes_enums_and_nested_values_have_a_form() -> None:
    write = codec(Lived).write
    reply = HttpReply(status=200, body=b"\xff\0", failure=Failure.TIMEOUT)
    assert write(Replied(call_id="c", attempt=1, reply=reply)) == {
        "is": "Replied",
        "call_id": "c",
        "attempt": 1,
        "reply": {"status": 200, "body": "/wA=", "failure": "timeout"},
    }
    assert write(TimerFired(timer=Timer(TimerKind.KEYS, "x"))) == {
        "is": "TimerFired",
        "timer": {"kind": "keys", "key": "x"},
    }
    ringing = Ringing(call_id="rtc_1", created_at=1.0, origin=SipOrigin(headers=(("To", "a"), ("To", "b"))))
    assert write(ringing)["origin"] == {"is": "SipOrigin", "headers": [["To", "a"], ["To", "b"]]}


def test_false_is_not_taken_for_a_default_of_zero() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Sample:
        number: float = 0.0
        answer: Any = 0

    assert codec(Sample).write(Sample(number=0.0, answer=False)) == {"answer": False}
    assert codec(Sample).read({"answer": False}) == Sample(answer=False)


UNKNOWN = "it holds what this version of phone-agents does not know, so a newer one has written it"


@pytest.mark.parametrize("hint", [int | str, set[int], SipOrigin | int, object])
def test_a_type_without_a_form_is_a_mistake_of_ours(hint: Any) -> None:
    with pytest.raises(TypeError):
        codec(hint)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[2, []]", "it was written by another version of phone-agents (format 2, this one reads 1)"),
        (
            b"[1",
            f"{UNKNOWN} (JSONDecodeError)",
        ),
        (b"{}", f"{UNKNOWN} (ValueError)"),
        (b'[1, [[0, 1.0, {"is": "NoSuchEvent"}]]]', f"{UNKNOWN} (KeyError)"),
        (
            b'[1, [[0, 1.0, {"is": "KeyPressed", "key": 5}]]]',
            f"{UNKNOWN} (TypeError)",
        ),
        (
            b'[1, [[0, 1.0, {"is": "ApiError", "kind": "new"}]]]',
            f"{UNKNOWN} (KeyError)",
        ),
    ],
)
def test_a_journal_that_cannot_be_read_says_why(text: bytes, message: str) -> None:
    with pytest.raises(JournalError) as caught:
        decode(text)
    assert str(caught.value) == message


def test_another_format_is_told_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    text = encode([])
    monkeypatch.setattr(entries, "FORMAT", 2)
    message = "it was written by another version of phone-agents (format 1, this one reads 2)"
    with pytest.raises(JournalError, match=f"^{re.escape(message)}$"):
        decode(text)
