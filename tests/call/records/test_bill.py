"""What a call costs, from what the API reports."""

import pytest

from runner.call.records.bill import Bill, Cost
from runner.model.call import Role
from runner.model.conversation_event import Outcome, ResponseEnded, SessionUpdated, Transcribed
from runner.model.price import Price, PriceList
from runner.model.usage import TranscriptionUsage, Usage

MODEL = Price(
    text_in=4,
    text_cached=0.40,
    text_out=24,
    audio_in=32,
    audio_cached=0.50,
    audio_out=64,
    image_in=5,
    image_cached=0.60,
)
PRICES = PriceList(
    {
        "voice-1": MODEL,
        "ears-1": Price(per_minute=0.6),
        "tokens-1": Price(text_in=1, audio_in=2, text_out=3),
        "plain-1": Price(text_in=1, text_out=1),
    }
)
USAGE = Usage(
    text_in=3_000_000,
    text_cached=1_000_000,
    audio_in=2_000_000,
    audio_cached=1_000_000,
    image_in=4_000_000,
    image_cached=1_000_000,
    text_out=1_000_000,
    audio_out=1_000_000,
)


def response(usage: Usage, response_id: str = "r1") -> ResponseEnded:
    return ResponseEnded(response_id=response_id, outcome=Outcome.COMPLETED, usage=usage)


def transcribed(usage: TranscriptionUsage | None, item_id: str = "i1") -> Transcribed:
    return Transcribed(item_id=item_id, role=Role.CALLER, text="x", usage=usage)


@pytest.mark.parametrize(
    ("model", "usd"),
    [
        ("voice-1", 2 * 4 + 0.40 + 24 + 32 + 0.50 + 64 + 3 * 5 + 0.60),
        ("voice-1-2026-08-28", 2 * 4 + 0.40 + 24 + 32 + 0.50 + 64 + 3 * 5 + 0.60),
        ("plain-1", None),
        ("my-deployment", None),
        ("", None),
    ],
)
def test_cached_tokens_are_part_of_the_input_and_an_unknown_price_is_not_zero(
    model: str, usd: float | None
) -> None:
    bill = Bill(PRICES, model)
    bill.note(response(USAGE))
    assert bill.cost_usd == usd


def test_what_has_a_price_is_added_up_though_not_everything_has_one() -> None:
    bill = Bill(PRICES, "plain-1")
    bill.note(response(Usage(text_in=2_000_000, audio_out=1)))
    assert bill.cost == Cost(usd=2.0, is_whole=False)


@pytest.mark.parametrize(("model", "usd"), [("voice-1", 0.0), ("plain-1", 0.0), ("my-deployment", None)])
def test_nothing_used_costs_nothing(model: str, usd: float | None) -> None:
    assert Bill(PRICES, model, "unknown").cost_usd == usd


def test_everything_counts_once() -> None:
    bill = Bill(PRICES, "voice-1", "ears-1")
    for _ in range(2):
        bill.note(response(Usage(text_out=1_000_000)))
        bill.note(transcribed(TranscriptionUsage(seconds=60.0)))
    bill.note(response(Usage(text_out=500_000), "r2"))
    bill.note(transcribed(TranscriptionUsage(seconds=30.0), "i2"))
    bill.note(transcribed(None, "i3"))
    assert bill.usage == Usage(text_out=1_500_000)
    assert bill.transcription == TranscriptionUsage(seconds=90.0)
    assert bill.cost_usd == 36.9


@pytest.mark.parametrize(
    ("model", "usage", "usd"),
    [
        ("ears-1", TranscriptionUsage(seconds=90.0), 0.9),
        ("tokens-1", TranscriptionUsage(text_in=1_000_000, audio_in=1_000_000, text_out=1_000_000), 6.0),
        ("tokens-1", TranscriptionUsage(seconds=1.0), None),
        ("ears-1", TranscriptionUsage(audio_in=1), None),
        ("unknown", TranscriptionUsage(seconds=1.0), None),
        (None, TranscriptionUsage(seconds=1.0), None),
    ],
)
def test_transcription_costs_tokens_or_time(
    model: str | None, usage: TranscriptionUsage, usd: float | None
) -> None:
    bill = Bill(PRICES, "voice-1", model)
    bill.note(transcribed(usage))
    assert bill.cost_usd == usd


def test_each_model_that_transcribed_is_paid_for() -> None:
    bill = Bill(PRICES, "voice-1", "ears-1")
    bill.note(transcribed(TranscriptionUsage(seconds=60.0)))
    bill.transcription_model = "tokens-1"
    bill.note(transcribed(TranscriptionUsage(text_out=1_000_000), "i2"))
    assert bill.transcription == TranscriptionUsage(seconds=60.0, text_out=1_000_000)
    assert bill.cost_usd == 3.6


def test_a_deployment_costs_what_the_model_behind_it_costs_unless_it_has_a_price() -> None:
    told = SessionUpdated(model="voice-1-2026-08-28")
    for model, usd in (("my-deployment", 24.0), ("plain-1", 1.0)):
        bill = Bill(PRICES, model)
        bill.note(response(Usage(text_out=1_000_000)))
        bill.note(told)
        bill.note(SessionUpdated())
        assert (bill.cost_usd, bill.real_model) == (usd, "voice-1-2026-08-28")
