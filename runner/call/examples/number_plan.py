"""The numbers and prefixes that rules name for one party, and numbers among them that nobody else names."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice

from runner.call.addresses.number import country_code, example_number, regions_with
from runner.call.examples.boundaries import boundaries, pieces
from runner.call.examples.matching_values import addresses
from runner.model.call import Address
from runner.model.route import AnyOf, Country, ExactNumber, Matcher, Prefix

_MOST_DEEPER = 8
_DIGITS = "2345678901"  # in countries with numbers of ten digits, none begins with 0 or 1


@dataclass(slots=True)
class NumberPlan:
    """The numbers and prefixes that the rules of both tables name for one party, sorted."""

    known: list[str]
    of_regions: list[str]
    """Numbers of the countries named, and of others with the same country code."""

    @classmethod
    def of(cls, matchers: Iterable[Matcher | None]) -> "NumberPlan":
        """The plan of these matchers, each of one rule."""
        beginnings: set[str] = set()
        countries: set[str] = set()
        lists: dict[int, AnyOf] = {}
        for piece in chain.from_iterable(map(pieces, matchers)):
            if isinstance(piece, AnyOf) and id(piece) in lists:
                continue
            if isinstance(piece, AnyOf):
                lists[id(piece)] = piece
            for leaf in boundaries(piece):
                if isinstance(leaf, ExactNumber):
                    beginnings.add(leaf.number)
                elif isinstance(leaf, Prefix):
                    beginnings.add(leaf.prefix)
                elif isinstance(leaf, Country):
                    countries |= leaf.codes
        return cls(sorted(beginnings), list(_numbers_of_regions(countries)))

    def within(self, prefix: str) -> Iterator[str]:
        """Numbers with this prefix: first those that no longer prefix covers, then some that one does."""
        free = [digit for digit in _DIGITS if not self._has(prefix + digit)]
        for digit in free[:2]:
            yield from first_numbers(Prefix(prefix + digit), 1)
        if not free:
            yield from first_numbers(Prefix(prefix), 1)
        yield from (number for number in self.of_regions if number.startswith(prefix))
        yield from self.known_within(prefix)

    def known_within(self, prefix: str) -> Iterator[str]:
        """Numbers that a longer prefix covers; of many, some."""
        start = bisect_left(self.known, prefix)
        for known in islice(self.known, start, start + _MOST_DEEPER):
            if known.startswith(prefix) and known != prefix:
                yield from first_numbers(Prefix(known), 1)

    def _has(self, prefix: str) -> bool:
        position = bisect_left(self.known, prefix)
        return position < len(self.known) and self.known[position].startswith(prefix)


def _numbers_of_regions(named: set[str]) -> Iterator[str]:
    for code in sorted({country_code(region) for region in named}):
        regions = regions_with(code)
        others = [region for region in regions if region not in named]
        for region in (*(region for region in regions if region in named), *others[:2]):
            number = example_number(region)
            if number is not None:
                yield number


def first_numbers(leaf: Matcher, count: int) -> list[str]:
    """So many numbers that an entry matches."""
    return [header_text(address) for address in islice(addresses([leaf], None), count)]


def header_text(address: Address) -> str:
    """An address as a header would hold it."""
    return address.number or address.uri
