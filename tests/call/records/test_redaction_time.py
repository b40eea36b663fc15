"""What is masked takes time in proportion, whatever a caller says and an endpoint replies."""

import time

import pytest

from runner.call.records.redaction import Redactor
from runner.model.agent import Recording, Sensitive
from runner.model.record import CallRecord, ToolUse, Turn

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
def test_a_long_header_keeps_nobody_waiting(text: str) -> None:
    redactor = Redactor([Recording(kinds=frozenset(Sensitive))], ["078-05-1120", "12345"])
    started = time.process_time()
    redactor.text(text)
    assert time.process_time() - started < 4


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
    assert time.process_time() - started < 8


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
    assert time.process_time() - started < 8
