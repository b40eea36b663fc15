"""What models cost, in US dollars."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars for a million tokens of each kind, or for a minute of audio. None: not sold by this unit.

    Cached tokens are part of the input tokens of their kind, and cheaper.
    """

    text_in: float | None = None
    text_cached: float | None = None
    text_out: float | None = None
    audio_in: float | None = None
    audio_cached: float | None = None
    audio_out: float | None = None
    image_in: float | None = None
    image_cached: float | None = None
    per_minute: float | None = None


@dataclass(frozen=True, slots=True)
class PriceList:
    """Prices by model or deployment. A missing one is unknown: never a guess, never zero."""

    by_model: Mapping[str, Price] = field(default_factory=dict)

    def of(self, model: str) -> Price | None:
        """The price of a model. A dated snapshot (`…-2026-08-28`) costs what its model costs."""
        price = self.by_model.get(model)
        return price if price is not None else self.by_model.get(_SNAPSHOT.sub("", model))
