"""Adds up what a call uses of the API, as the API reports it, and what that costs."""

from dataclasses import dataclass, field
from typing import TypeAlias

from runner.call.recent_ids import RecentIds
from runner.model.conversation_event import ResponseEnded, SessionUpdated, Transcribed
from runner.model.event import CallEvent
from runner.model.price import Price, PriceList
from runner.model.usage import NO_TRANSCRIPTION, NO_USAGE, TranscriptionUsage, Usage

_Used: TypeAlias = tuple[float, float | None]
"""An amount in the unit of its price, and that price."""

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """US dollars. `is_whole` is False when something was used whose price is unknown."""

    usd: float
    is_whole: bool


@dataclass(slots=True, eq=False)
class Bill:
    """Adds up the usage. Everything counts once: the API may report an event twice."""

    hears = frozenset({ResponseEnded, SessionUpdated, Transcribed})
    """Events that report usage, or which model is used."""

    prices: PriceList
    model: str
    transcription_model: str | None = None
    """The model that transcribes the caller now."""
    usage: Usage = field(default=NO_USAGE, init=False)
    real_model: str | None = field(default=None, init=False)
    """The model that serves the call, as the API names it; None before it has."""
    reports: int = field(default=0, init=False)
    """How many reports of usage were added up: a duplicate is not."""
    _transcriptions: dict[str | None, TranscriptionUsage] = field(default_factory=dict, init=False)
    """By transcription model, which a hand-off may change."""
    _responses: RecentIds = field(default_factory=RecentIds, init=False)
    _items: RecentIds = field(default_factory=RecentIds, init=False)

    @property
    def transcription(self) -> TranscriptionUsage:
        """What transcribing the caller has used."""
        return sum(self._transcriptions.values(), NO_TRANSCRIPTION)

    def note(self, event: CallEvent) -> None:
        """Add the usage that an event reports."""
        match event:
            case ResponseEnded(response_id=response_id) if self._responses.add(response_id):
                self.usage = self.usage + event.usage
                self.reports += 1
            case Transcribed(item_id=item_id, usage=TranscriptionUsage() as usage) if self._items.add(
                item_id
            ):
                before = self._transcriptions.get(self.transcription_model, NO_TRANSCRIPTION)
                self._transcriptions[self.transcription_model] = before + usage
                self.reports += 1
            case SessionUpdated(model=str() as model):
                self.real_model = model
            case _:
                pass

    @property
    def cost(self) -> Cost:
        """The cost so far, without whatever has no known price."""
        model = self.prices.of(self.model)
        if model is None and self.real_model is not None:
            model = self.prices.of(self.real_model)
        costs = [_cost(_of_responses(self.usage, model or Price()))]
        for name, usage in self._transcriptions.items():
            price = self.prices.of(name) if name is not None else None
            costs.append(_cost(_of_transcription(usage, price or Price())))
        is_whole = all(cost.is_whole for cost in costs) and model is not None
        return Cost(usd=round(sum(cost.usd for cost in costs), 6), is_whole=is_whole)

    @property
    def cost_usd(self) -> float | None:
        """The cost so far; None when the price of something used is unknown."""
        cost = self.cost
        return cost.usd if cost.is_whole else None


def _of_responses(usage: Usage, price: Price) -> list[_Used]:
    return _in_millions(
        (usage.text_in - usage.text_cached, price.text_in),
        (usage.text_cached, price.text_cached),
        (usage.text_out, price.text_out),
        (usage.audio_in - usage.audio_cached, price.audio_in),
        (usage.audio_cached, price.audio_cached),
        (usage.audio_out, price.audio_out),
        (usage.image_in - usage.image_cached, price.image_in),
        (usage.image_cached, price.image_cached),
    )


def _of_transcription(usage: TranscriptionUsage, price: Price) -> list[_Used]:
    tokens = _in_millions(
        (usage.text_in, price.text_in), (usage.audio_in, price.audio_in), (usage.text_out, price.text_out)
    )
    return [*tokens, (usage.seconds / 60, price.per_minute)]


def _in_millions(*tokens: tuple[int, float | None]) -> list[_Used]:
    return [(count / _MILLION, price) for count, price in tokens]


def _cost(used: list[_Used]) -> Cost:
    return Cost(
        usd=sum(amount * price for amount, price in used if price is not None),
        is_whole=all(price is not None or not amount for amount, price in used),
    )
