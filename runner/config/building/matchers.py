"""Builds the matchers of `to`, `from` and `headers`: numbers, countries, patterns and lists of them."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from runner.call.addresses.number import begins_a_number, is_region, read_number
from runner.call.addresses.sip_address import parse_address
from runner.call.regex import compile_regex
from runner.config.node import Node
from runner.config.problem import Problem, Problems
from runner.model.route import (
    Anonymous,
    AnyOf,
    Country,
    ExactAddress,
    ExactNumber,
    Glob,
    Matcher,
    Not,
    Prefix,
    Regex,
    Text,
)
from runner.model.values import Place

ReadList: TypeAlias = Callable[[Node], tuple[str, str] | None]
"""Returns the name and the text of a file that a node names; None after noting a problem."""

Lists: TypeAlias = dict[tuple[str, str, bool, str | None], tuple[AnyOf, tuple[Problem, ...]]]
"""Parsed lists, with their problems: by file, its name in messages, whether of parties, and country."""

_COMMENT = re.compile(r"(^|\s)#.*")
_BEGINNING = re.compile(r"\+[0-9]+")
_COLUMNS = re.compile(r"[,;\t|]")
_CURLY = "\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb"
"""Quotes as word processors set them, which YAML does not know."""
_WILD_NUMBER = re.compile(r"(\+[0-9]+)[*xX%]+")
_WITHHELD = ("anonymous", "withheld", "private", "restricted", "unknown", "blocked")
_EVERYONE = ("*", ".*", "+*", "any", "all", "everyone", "anyone", "default")
_LIST_FILE = re.compile(r"[\w./-]+\.(txt|csv|list|tsv)")
_MOST_REPORTED = 3
"""Wrong lines of a list that are reported; the others are counted."""
_DIGITS = re.compile(r"[0-9 ().\-/]*[0-9][0-9 ().\-/]*")


_NOTHING = AnyOf(())
"""Replaces a matcher with a problem; the problem prevents the configuration from being used."""

Exact: TypeAlias = Callable[[str, Place], Matcher]
"""The meaning of a plain text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MatcherBuilder:
    """Builds matchers from well-formed nodes."""

    problems: Problems
    default_country: str | None
    read_list: ReadList
    lists: Lists

    def party(self, node: Node) -> Matcher:
        """A matcher of `to` or `from`."""
        return self._matcher(node, self._number_or_address)

    def header(self, node: Node) -> Matcher:
        """A matcher of a header: a text is compared with the whole value."""
        return self._matcher(node, lambda text, _: Text(text))

    def _matcher(self, node: Node, exact: Exact) -> Matcher:
        if isinstance(node.value, tuple):
            return AnyOf(tuple(self._matcher(entry, exact) for entry in node.entries()))
        if not isinstance(node.value, Mapping):
            return exact(node.text, node.place)
        key, entry = next(node.items())
        match key:
            case "prefix":
                return self._prefix(entry)
            case "country":
                return self._country(entry)
            case "regex":
                return self._regex(entry, is_party=exact == self._number_or_address)
            case "anonymous":
                return Anonymous(entry.value is True)
            case "in":
                return self._listed(entry, exact)
            case "not":
                return Not(self._matcher(entry, exact))
            case _:
                user, host = node.get("user"), node.get("host")
                return Glob(user=user.text if user else None, host=host.text if host else None)

    def _number_or_address(self, text: str, place: Place) -> Matcher:
        matcher = self._read(text)
        if matcher is None:
            self.problems.error(place, *self._why_neither(text))
        return matcher or _NOTHING

    def _read(self, text: str) -> ExactNumber | ExactAddress | None:
        """The matcher of a text, or None where it is neither a number nor an address."""
        if _BEGINNING.fullmatch(text):
            parsed = read_number(text)
            return ExactNumber(parsed.e164) if parsed is not None else None
        address = parse_address(text)
        number = read_number(
            address.user if address.scheme == "tel" and address.user else text, self.default_country
        )
        if number:
            return ExactNumber(number.e164)
        return ExactAddress(address.user, address.host) if address.host is not None else None

    def _why_neither(self, text: str) -> tuple[str, str]:
        """The rule and the message."""
        if _BEGINNING.fullmatch(text):
            prefix = f'for numbers with this prefix, write {{prefix: "{text}"}}'
            return "number", f'"{text}" is not a valid number in any country; {prefix}'
        if not _DIGITS.fullmatch(text):
            return "number", f'"{text}" is neither a number nor an address; {_instead_of(text)}'
        right = f'write it with + and country code, or write {{user: "{text}"}} for an extension'
        if self.default_country is None:
            return (
                "default-country",
                f'"{text}" is not a valid number without routing.default_country; {right}',
            )
        return "number", f'"{text}" is not a valid number in {self.default_country}; {right}'

    def _prefix(self, node: Node) -> Matcher:
        if not begins_a_number(node.text):
            right = "a number has a country code and at most 15 digits in all"
            message = f'no number begins with "{node.text}"; {right}'
            self.problems.error(node.place, "number", message)
        return Prefix(node.text)

    def _country(self, node: Node) -> Matcher:
        nodes = node.entries() or (node,)
        for entry in nodes:
            check_country(entry, self.problems)
        return Country(frozenset(entry.text for entry in nodes))

    def _regex(self, node: Node, *, is_party: bool) -> Matcher:
        try:
            regex = compile_regex(node.text)
        except ValueError as error:
            message = f'"{node.text}" is not a pattern in RE2 syntax: {error}'
            if node.text.startswith("+"):
                message += f"; a plus sign is written '\\{node.text}'"
            self.problems.error(node.place, "regex", message)
            return _NOTHING
        if is_party and not _can_match_an_address(regex):
            message = (
                f'"{node.text}" matches no address, since the whole address has to match; '
                "begin it with sip: or .*"
            )
            self.problems.warning(node.place, "regex", message)
        return Regex(node.text)

    def _listed(self, node: Node, exact: Exact) -> Matcher:
        """A list is parsed once for each file, and all matchers that name it share its entries."""
        list_file = self.read_list(node)
        if list_file is None:
            return _NOTHING
        name, text = list_file
        is_party = exact == self._number_or_address
        key = name, node.text, is_party, self.default_country if is_party else None
        known = self.lists.get(key)
        if known is None:
            lines = list(_lines(name, text))
            entries, mistakes = self._parties(lines) if is_party else (_texts(lines), ())
            known = self.lists[key] = AnyOf(entries, listed_in=node.text), mistakes
        self.problems.extend(known[1])
        return known[0]

    def _parties(self, lines: Iterable[tuple[str, Place]]) -> tuple[tuple[Matcher, ...], tuple[Problem, ...]]:
        """The entries of a list. Of many wrong lines, the first few show the mistake."""
        problems, refused, entries = Problems(), list[Place](), list[Matcher]()
        for entry, place in lines:
            matcher = self._read(entry)
            if matcher is not None:
                entries.append(matcher)
                continue
            refused.append(place)
            if len(refused) <= _MOST_REPORTED:
                problems.error(place, *self._why_no_entry(entry))
        if len(refused) > _MOST_REPORTED:
            message = f"{len(refused) - _MOST_REPORTED} more lines of this list are not numbers or addresses"
            problems.error(refused[_MOST_REPORTED], "number", message)
        return tuple(entries), problems.sorted()

    def _why_no_entry(self, entry: str) -> tuple[str, str]:
        """Rule and message about a line of a list; people put files with columns here."""
        first, *others = _COLUMNS.split(entry)
        if _BEGINNING.fullmatch(entry):
            right = f'a list has whole numbers; for a prefix, write in the route {{prefix: "{entry}"}}'
            return "number", f'"{entry}" is not a valid number in any country; {right}'
        if not others:
            return self._why_neither(entry)
        right = "a list has one number or address on each line"
        number = first.strip().strip('"')
        example = f', here "{number}"' if self._read(number) else ""
        return "number", f'"{entry}" has several columns; {right}{example}'


def check_country(node: Node, problems: Problems) -> None:
    """Note a country code that no number belongs to."""
    if not is_region(node.text):
        # The code that people take for the United Kingdom's is reserved, and not its own.
        hint = 'did you mean "GB"?' if node.text == "UK" else "write an ISO 3166-1 code such as US or CA"
        problems.error(node.place, "unknown-country", f'no number belongs to a country "{node.text}"; {hint}')


def _can_match_an_address(regex: Any) -> bool:
    low, high = regex.possiblematchrange(16)
    return any(low < scheme + b";" and high >= scheme + b":" for scheme in (b"sip", b"sips", b"tel"))


def _lines(name: str, text: str) -> Iterator[tuple[str, Place]]:
    """The entries of a list, without blank lines and text after a `#`."""
    for number, line in enumerate(text.splitlines(), start=1):
        entry = _COMMENT.sub("", line).strip()
        if entry:
            yield entry, Place(name, number, line.index(entry) + 1)


def _texts(lines: Iterable[tuple[str, Place]]) -> tuple[Matcher, ...]:
    return tuple(Text(entry) for entry, _ in lines)


def _instead_of(text: str) -> str:
    """What is right instead of a text that is neither a number nor an address."""
    if _LIST_FILE.fullmatch(text):
        return f"write {{in: {text}}}"
    if text[:1] in _CURLY:
        return f'its curly quotes are part of it; write "{text.strip(_CURLY)}", with straight ones'
    if text.lower() in _WITHHELD:
        return "write {anonymous: true} for callers who withhold their number"
    if text in _EVERYONE:
        return 'leave it out to match everybody, or write {user: "*"}'
    if wild := _WILD_NUMBER.fullmatch(text):
        return f'write {{prefix: "{wild[1]}"}} for numbers that begin so'
    return "write +18005551212 or sip:desk@pbx.example"
