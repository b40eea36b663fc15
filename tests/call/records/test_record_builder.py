"""The record of a call is right whatever order its parts arrive in."""

import pytest

from runner.call.records.bill import Bill
from runner.call.records.deeds import Deeds
from runner.call.records.record_builder import RecordBuilder
from runner.call.records.transcript import Transcript
from runner.model.call import Role
from runner.model.conversation_event import (
    ApiError,
    ApiErrorKind,
    Ignored,
    IgnoredBecause,
    ItemPlaced,
    Outcome,
    ResponseEnded,
    SessionUpdated,
    SilenceNudge,
    Transcribed,
    TurnTruncated,
)
from runner.model.price import Price, PriceList
from runner.model.record import CallRecord
from runner.model.usage import TranscriptionUsage, Usage


def a_record(bill: Bill | None = None) -> RecordBuilder:
    start = CallRecord(
        id="rtc_1",
        agent="desk",
        route=None,
        why="",
        caller=None,
        called=None,
        transport="sip",
        created_at=0.0,
        model="m",
    )
    return RecordBuilder(start, bill or Bill(PriceList(), "m"), Deeds())


def said(transcript: Transcript) -> list[tuple[str, str | None]]:
    return [(turn.role, turn.text) for turn in transcript.turns()]


def test_late_transcription_is_put_to_its_own_turn() -> None:
    transcript = Transcript()
    transcript.place(ItemPlaced(item_id="a", role=Role.CALLER), 1.0)
    transcript.place(ItemPlaced(item_id="b", after="a", role=Role.AGENT), 2.0)
    transcript.write(Transcribed(item_id="b", role=Role.AGENT, text="At nine."), 9.0)
    transcript.place(ItemPlaced(item_id="c", after="b", role=Role.CALLER), 3.0)
    transcript.write(Transcribed(item_id="c", role=Role.CALLER, text="Thanks."), 9.0)
    transcript.write(Transcribed(item_id="a", role=Role.CALLER, text="When?"), 9.0)
    assert said(transcript) == [("caller", "When?"), ("agent", "At nine."), ("caller", "Thanks.")]


def test_an_item_stands_after_the_one_that_it_names() -> None:
    transcript = Transcript()
    transcript.place(ItemPlaced(item_id="a", role=Role.CALLER, text="One"), 1.0)
    transcript.place(ItemPlaced(item_id="c", after="a", role=Role.AGENT, text="Three"), 2.0)
    transcript.place(ItemPlaced(item_id="b", after="a", role=Role.CALLER, text="Two"), 3.0)
    assert said(transcript) == [("caller", "One"), ("caller", "Two"), ("agent", "Three")]


def test_text_that_comes_before_its_item_is_kept() -> None:
    transcript = Transcript()
    transcript.write(Transcribed(item_id="a", role=Role.CALLER, text="Hello"), 9.0)
    assert said(transcript) == [("caller", "Hello")]
    transcript.place(ItemPlaced(item_id="b", role=Role.AGENT, text="Hi"), 1.0)
    transcript.place(ItemPlaced(item_id="a", role=Role.CALLER), 2.0)
    assert said(transcript) == [("agent", "Hi"), ("caller", "Hello")]


def test_an_item_that_was_missed_stands_before_the_one_that_names_it() -> None:
    transcript = Transcript()
    transcript.place(ItemPlaced(item_id="a", role=Role.AGENT, text="Hello"), 1.0)
    transcript.place(ItemPlaced(item_id="c", after="b", role=Role.AGENT, text="At nine."), 2.0)
    transcript.write(Transcribed(item_id="b", role=Role.CALLER, text="When?"), 3.0)
    assert said(transcript) == [("agent", "Hello"), ("caller", "When?"), ("agent", "At nine.")]


def test_an_item_stays_where_it_was_placed_first() -> None:
    transcript = Transcript()
    transcript.place(ItemPlaced(item_id="a", role=Role.CALLER, text="One"), 1.0)
    transcript.place(ItemPlaced(item_id="b", after="a", role=Role.AGENT, text="Two"), 2.0)
    transcript.place(ItemPlaced(item_id="a", after="b", role=Role.CALLER), 3.0)
    assert said(transcript) == [("caller", "One"), ("agent", "Two")]


def test_an_item_placed_twice_is_one_turn() -> None:
    transcript = Transcript()
    for now in (1.0, 2.0):
        transcript.place(ItemPlaced(item_id="a", role=Role.CALLER, text="Hello"), now)
    assert said(transcript) == [("caller", "Hello")]
    assert transcript.turns()[0].at == 1.0


def test_a_turn_without_transcription_stands_in_the_record_without_text() -> None:
    transcript = Transcript()
    transcript.place(ItemPlaced(item_id="a", role=Role.CALLER), 1.0)
    transcript.write(Transcribed(item_id="a", role=Role.CALLER, failed=True), 9.0)
    assert said(transcript) == [("caller", None)]


def test_noise_that_was_transcribed_as_nothing_is_no_turn() -> None:
    transcript = Transcript()
    transcript.place(ItemPlaced(item_id="a", role=Role.CALLER), 1.0)
    transcript.write(Transcribed(item_id="a", role=Role.CALLER, text=""), 9.0)
    assert said(transcript) == []


def test_what_nobody_says_is_no_turn() -> None:
    record = a_record()
    record.note(SilenceNudge(item_id="nudge"), 1.0)
    record.note(ItemPlaced(item_id="system", role=Role.SYSTEM, text="Silent."), 1.0)
    record.note(ItemPlaced(item_id="nudge", role=Role.CALLER), 1.0)
    record.note(ItemPlaced(item_id="call"), 1.0)
    assert record.record().turns == ()


def test_the_bill_stands_in_the_record() -> None:
    bill = Bill(PriceList({"m": Price(text_in=2.0), "t": Price(per_minute=0.6)}), "m", "t")
    record = a_record(bill)
    for event in (
        ResponseEnded(response_id="r1", outcome=Outcome.COMPLETED, usage=Usage(text_in=1_000_000)),
        Transcribed(item_id="a", role=Role.CALLER, text="x", usage=TranscriptionUsage(seconds=30.0)),
        SessionUpdated(model="m-2026-08-01"),
    ):
        bill.note(event)
    made = record.record()
    assert (made.usage, made.transcription) == (Usage(text_in=1_000_000), TranscriptionUsage(seconds=30.0))
    assert (made.cost_usd, made.model, made.served_by) == (2.3, "m", "m-2026-08-01")


@pytest.mark.parametrize("is_placed_first", [True, False])
def test_what_the_caller_heard_of_a_turn_that_was_cut_stands_beside_it(is_placed_first: bool) -> None:
    record = a_record()
    placed = ItemPlaced(item_id="a", role=Role.AGENT, text="On Friday at nine, or at ten.")
    truncated = TurnTruncated(item_id="a", heard_ms=820)
    for event in (placed, truncated) if is_placed_first else (truncated, placed):
        record.note(event, 1.0)
    record.note(ItemPlaced(item_id="b", role=Role.CALLER, text="Ten."), 2.0)
    assert [(turn.text, turn.heard_ms) for turn in record.record().turns] == [
        ("On Friday at nine, or at ten.", 820),
        ("Ten.", None),
    ]


def test_only_complaints_that_mean_something_are_counted() -> None:
    record = a_record()
    for kind in ApiErrorKind:
        record.note(ApiError(kind=kind), 1.0)
    for oddity in (IgnoredBecause.UNKNOWN, IgnoredBecause.UNKNOWN, IgnoredBecause.MALFORMED):
        record.note(Ignored(oddity), 1.0)
    made = record.record()
    # The other half is benign, or told as the end of the call.
    assert (made.complaints, made.unknown_events, made.malformed_events) == (3, 2, 1)


def test_the_first_reason_is_why_a_call_ended() -> None:
    record = a_record()
    record.end("max_duration")
    record.end("caller_hung_up")
    assert record.record().ended == "max_duration"
