"""Entries of a journal come back as they were written, whatever the events are made of."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import orjson
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

KINDS = [*get_args(CallEvent), Ringing]
TEXT = st.text(st.characters() | st.sampled_from("\ud83d\udc00\0"))
NUMBERS = st.floats(allow_nan=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


@cache
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


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
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


def outcome(text: bytes) -> str:
    """What is read, or why it is not; NaN is equal to itself in it."""
    try:
        return repr(decode(text))
    except Exception as error:
        return repr(error)


def read_by_json_alone(text: bytes) -> str:
    def refuse(_: bytes) -> None:
        raise ValueError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(orjson, "loads", refuse)
        return outcome(text)


def replaced(data: Any, draw: st.DrawFn) -> Any:
    """The data with another value at some place in it."""
    if isinstance(data, dict) and data:
        name = draw(st.sampled_from(sorted(data)))
        return {**data, name: replaced(data[name], draw)}
    if isinstance(data, list) and data:
        place = draw(st.integers(0, len(data) - 1))
        return [*data[:place], replaced(data[place], draw), *data[place + 1 :]]
    return draw(JSON | st.just(float("nan")) | st.integers(2**63, 2**70) | st.integers(-(2**70), -(2**63)))


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """Journals as we write them, and such with a value that is perhaps none of ours."""
    events = draw(st.lists(st.one_of([values(kind) for kind in KINDS]), min_size=1, max_size=3))
    text = encode([Entry(seq=seq, at=0.5, event=event) for seq, event in enumerate(events)])
    if draw(st.booleans()):
        return text
    version, lines = json.loads(text)
    changed = [[seq, *replaced([at, event], draw)] for seq, at, event in lines]
    return json.dumps([version, changed], ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")


@given(text=texts())
def test_what_is_read_and_refused_is_that_of_the_library_of_python(text: bytes) -> None:
    assert outcome(text) == read_by_json_alone(text)


@pytest.mark.parametrize(
    "event",
    [
        {"is": "Steered", "id": "a", "by": "b", "act": {"is": "SetVariables", "set": {"a": 2**64}}},
        {"is": "Steered", "id": "a", "by": "b", "act": {"is": "SetVariables", "set": {"a": [-(2**63) - 1]}}},
        {"is": "Ringing", "call_id": "a", "created_at": 2**70, "origin": {"is": "SipOrigin"}},
        {
            "is": "Ringing",
            "call_id": "a",
            "created_at": 1.5,
            "origin": {"is": "WebRtcOrigin", "agent": "a", "vars": {"a": 2**64}},
        },
        {"is": "TurnTruncated", "item_id": "a", "heard_ms": 2**64},
        {"is": "KeyPressed", "key": "\ud83d"},
        {"is": "KeyPressed", "key": 2**64},
    ],
)
def test_what_one_library_reads_otherwise_comes_as_it_was(event: Any) -> None:
    text = json.dumps([1, [[0, 1.5, event]]]).encode()
    assert outcome(text) == read_by_json_alone(text)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400", "1" * 400])
def test_numbers_that_one_library_refuses_are_read(number: str) -> None:
    act = f'{{"is": "SetVariables", "set": {{"a": {number}}}}}'
    steered = f'[1, [[0, 1.5, {{"is": "Steered", "id": "a", "by": "b", "act": {act}}}]]]'.encode()
    late = f'[1, [[0, {number}, {{"is": "KeyPressed", "key": "1"}}]]]'.encode()
    assert outcome(steered) == read_by_json_alone(steered)
    assert outcome(late) == read_by_json_alone(late)
