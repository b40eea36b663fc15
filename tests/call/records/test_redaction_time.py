"""What is masked takes time in proportion, whatever a caller says and an endpoint replies."""

import time

import pytest

from runner.call.records.redaction import LONGEST_SEARCHED, MASKED, Redactor
from runner.model.agent import Recording, Sensitive
from runner.model.record import CallRecord, ToolUse, Turn
from tests.cpu import took_at_most

TEXTS = {
    "ones": "1 " * 16_000,
    "digits": "1" * 32_000,
    "separated": "1-2/3." * 5_000,
    "commas": "1,2,3," * 5_000,
    "other script": "\u0664 " * 16_000,
    "pluses": "+1+1" * 8_000,
    "phones": "+1 415 555 2671, " * 2_000,
    "cards": "4111 1111 1111 1111 " * 1_600,
    "extensions": "1x1 " * 8_000,
    "half addresses": "a@" * 16_000,
    "dotted addresses": "a.b@c." * 5_000,
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("length", [LONGEST_SEARCHED, 220_000])
def test_a_long_header_keeps_nobody_waiting(text: str, length: int) -> None:
    redactor = Redactor([Recording(kinds=frozenset(Sensitive))], ["078-05-1120", "12345"])
    text = (text * (length // len(text) + 1))[:length]
    took_s = []
    for _ in range(3):
        started = time.thread_time()
        redactor.text(text)
        took_s.append(time.thread_time() - started)
    assert took_at_most(min(took_s), 0.1)


def test_a_text_that_is_too_long_to_be_searched_is_masked_as_a_whole() -> None:
    redactor = Redactor([Recording(kinds=frozenset({Sensitive.EMAIL}))])
    assert redactor.text("a" * LONGEST_SEARCHED) == "a" * LONGEST_SEARCHED
    assert redactor.text("a" * (LONGEST_SEARCHED + 1)) == MASKED


def test_of_very_many_numbers_each_that_may_be_one_is_masked() -> None:
    redactor = Redactor([Recording(kinds=frozenset({Sensitive.PHONE}))])
    masked = redactor.text("call +1 415 555 2671; " * 400 + "order 1234567")
    assert masked.startswith("call [phone]; call [phone]; ")
    assert masked.endswith("; order [phone]")
    assert not any(character.isdigit() for character in masked)


def test_digits_without_end_are_masked_where_phones_are() -> None:
    redactor = Redactor([Recording(kinds=frozenset({Sensitive.PHONE}))])
    assert redactor.text(f"so {'1 ' * 200}and +1 415 555 2671") == "so [phone] and [phone]"


def test_thousands_of_values_are_found_in_one_pass() -> None:
    values = [f"patient {number} of the clinic" for number in range(5_000)]
    turns = tuple(Turn(role="agent", text=f"I see {value}.", at=0.0) for value in values)
    record = CallRecord(
        id="rtc_1",
        agent="desk",
        route=None,
        why="",
        caller=None,
        called=None,
        transport="sip",
        created_at=0.0,
        turns=turns,
    )
    started = time.process_time()
    masked = Redactor([Recording()], values).record(record)
    assert {turn.text for turn in masked.turns} == {"I see [redacted]."}
    assert took_at_most(time.process_time() - started, 8)


def test_arguments_of_thousands_of_rows_are_masked_in_one_pass() -> None:
    rows = [{"id": f"A-{number}", "note": f"see A-{number + 1}"} for number in range(5_000)]
    use = ToolUse(name="t", call_id="c", arguments={"rows": rows}, started_at=0.0, took_s=None, status="ok")
    record = CallRecord(
        id="rtc_1",
        agent="desk",
        route=None,
        why="",
        caller=None,
        called=None,
        transport="sip",
        created_at=0.0,
        tools=(use,),
    )
    started = time.process_time()
    masked = Redactor([Recording(arguments=(("rows", "id"),))]).record(record)
    assert masked.tools[0].arguments["rows"][700] == {"id": "[redacted]", "note": "see [redacted]"}
    assert took_at_most(time.process_time() - started, 8)
