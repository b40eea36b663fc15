"""Builds the price list: the API's own prices, overlaid with `provider.prices`."""

from collections.abc import Mapping

from runner.api.realtime.prices import PRICES
from runner.config.checking.checked import Checked
from runner.config.checking.suggest import did_you_mean
from runner.config.node import Node
from runner.config.problem import Problems
from runner.model.price import Price, PriceList


def prices(runner: Checked, problems: Problems) -> PriceList:
    """Every known price. The user's price of one of the API's models takes precedence."""
    node = runner.sound_part("provider", "prices")
    declared = {name: _price(entry, problems) for name, entry in node.items()} if node else {}
    return PriceList({**PRICES.by_model, **{name: price for name, price in declared.items() if price}})


def _price(node: Node, problems: Problems) -> Price | None:
    like = node.get("like")
    if like is None:
        return _numbers(node)
    others = [key for key, _ in node.items() if key != "like"]
    if others:
        message = f'"like" takes the whole price of a model; leave out "{others[0]}"'
        problems.error(node.key_place(others[0]), "one-of", message)
        return None
    price = PRICES.of(like.text)
    if price is None:
        hint = did_you_mean(like.text, PRICES.by_model) or "; write its numbers"
        problems.error(like.place, "unknown-price", f'the price of "{like.text}" is not known{hint}')
    return price


def _numbers(node: Node) -> Price:
    text, audio, image = (_kind(node.get(kind)) for kind in ("text", "audio", "image"))
    return Price(
        text_in=text.get("input"),
        text_cached=text.get("cached_input"),
        text_out=text.get("output"),
        audio_in=audio.get("input"),
        audio_cached=audio.get("cached_input"),
        audio_out=audio.get("output"),
        image_in=image.get("input"),
        image_cached=image.get("cached_input"),
        per_minute=_number(node.get("per_minute")),
    )


def _kind(node: Node | None) -> Mapping[str, float | None]:
    """The prices of one kind of tokens. Cached input costs what other input costs unless declared."""
    if node is None:
        return {}
    numbers = {key: _number(entry) for key, entry in node.items()}
    return {"cached_input": numbers.get("input"), **numbers}


def _number(node: Node | None) -> float | None:
    return float(node.text) if node is not None else None
