"""The entries of a matcher, at whose boundaries calls change hands."""

from collections.abc import Iterator

from runner.call.routes.matcher import parts
from runner.model.route import AnyOf, Country, Matcher, Not


def pieces(matcher: Matcher | None) -> Iterator[Matcher]:
    """Every entry of a matcher, excluded ones too, and each country by itself.

    What a file lists is one piece, however many share it.
    """
    if matcher is None:
        return
    for part in parts(matcher):
        if isinstance(part, Not):
            yield from pieces(part.matcher)
        elif isinstance(part, Country):
            yield from (Country(frozenset({code})) for code in sorted(part.codes))
        else:
            yield part


def boundaries(matcher: Matcher | None) -> Iterator[Matcher]:
    """The pieces of a matcher, and the entries of those that are lists."""
    for piece in pieces(matcher):
        if isinstance(piece, AnyOf):
            yield from piece.matchers  # A file holds numbers, addresses and texts, and nothing deeper.
        else:
            yield piece
