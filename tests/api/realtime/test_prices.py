"""The price list is the API's, as its pages had it in the month that it names."""

import pytest

from runner.api.realtime.prices import PRICES
from runner.model.price import Price


@pytest.mark.parametrize(
    ("model", "text_out", "audio_in", "image_in"),
    [
        ("gpt-realtime-2.1", 24, 32, 5),
        ("gpt-realtime-2", 24, 32, 5),
        ("gpt-realtime-1.5", 16, 32, 5),
        ("gpt-realtime", 16, 32, 5),
        ("gpt-realtime-2025-08-28", 16, 32, 5),
        ("gpt-realtime-2.1-mini", 2.40, 10, 0.80),
        ("gpt-realtime-mini-2025-10-06", 2.40, 10, 0.80),
    ],
)
def test_voice_models_are_billed_by_tokens(
    model: str, text_out: float, audio_in: float, image_in: float
) -> None:
    price = PRICES.of(model)
    assert price is not None
    assert (price.text_out, price.audio_in, price.image_in) == (text_out, audio_in, image_in)


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("gpt-realtime-whisper", Price(per_minute=0.017)),
        ("gpt-live-transcribe", Price(per_minute=0.017)),
        ("gpt-transcribe", Price(per_minute=0.0045)),
        ("gpt-4o-transcribe", Price(text_in=2.50, audio_in=2.50, text_out=10)),
        ("gpt-4o-mini-transcribe-2025-12-15", Price(text_in=1.25, audio_in=1.25, text_out=5)),
    ],
)
def test_models_that_transcribe_are_billed_by_time_or_tokens(model: str, price: Price) -> None:
    assert PRICES.of(model) == price


@pytest.mark.parametrize("model", ["gpt-4o-realtime-preview", "my-azure-deployment", "", "gpt-realtime-3"])
def test_another_model_has_no_known_price(model: str) -> None:
    assert PRICES.of(model) is None
