"""Which calls an agent answers: matchers over addresses and headers, and the routes made of them."""

from dataclasses import dataclass, field
from typing import TypeAlias

from runner.model.call import Transport
from runner.model.values import Place


@dataclass(frozen=True, slots=True)
class ExactNumber:
    """The same telephone number, however it is written. `number` is E.164."""

    number: str


@dataclass(frozen=True, slots=True)
class ExactAddress:
    """The same SIP address: user compared exactly, host without case (RFC 3261, 19.1.4)."""

    user: str | None
    host: str


@dataclass(frozen=True, slots=True)
class Prefix:
    """Numbers with this prefix, which starts with a plus."""

    prefix: str


@dataclass(frozen=True, slots=True)
class Country:
    """Numbers of these ISO 3166-1 alpha-2 regions."""

    codes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Glob:
    """Parts of the address; `*` stands for any characters. None leaves a part open."""

    user: str | None = None
    host: str | None = None


@dataclass(frozen=True, slots=True)
class Regex:
    """The whole address, in RE2 syntax."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Text:
    """A header's value, compared whole; `*` stands for any characters."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Anonymous:
    """A caller who withholds the number (or, with False, one who does not)."""

    anonymous: bool = True


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of these. `listed_in` names the file of a `{in: …}` matcher.

    The matchers of a file are one tuple for all rules that name it. Such a list may be long, so its hash is
    computed once.
    """

    matchers: "tuple[Matcher, ...]"
    listed_in: str | None = None
    _hash: int = field(init=False, repr=False, compare=False)
    _entries: "frozenset[Matcher] | None" = field(init=False, default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.matchers, self.listed_in)))

    def __hash__(self) -> int:
        return self._hash

    @property
    def entries(self) -> "frozenset[Matcher]":
        """The matchers as a set, made when it is first asked for."""
        if self._entries is None:
            object.__setattr__(self, "_entries", frozenset(self.matchers))
        assert self._entries is not None  # noqa: S101 - for the type checker
        return self._entries


@dataclass(frozen=True, slots=True)
class Not:
    """Everything that the inner matcher does not match."""

    matcher: "Matcher"


Matcher: TypeAlias = (
    ExactNumber | ExactAddress | Prefix | Country | Glob | Regex | Text | Anonymous | AnyOf | Not
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """All of these must hold. None, or an empty mapping, is no condition."""

    called: Matcher | None = None
    """The language's `to`."""
    caller: Matcher | None = None
    """The language's `from`."""
    headers: tuple[tuple[str, Matcher], ...] = ()
    during: str | None = None
    """The name of a schedule."""
    transport: Transport | None = None
    share: float | None = None
    """A stable share of callers, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One entry of an agent's `routes`."""

    agent: str
    conditions: Conditions
    priority: int = 0
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectRule:
    """One entry of `routing.reject`: calls that are rejected before any route is tried."""

    conditions: Conditions
    status: int = 603
    place: Place


RoutingRule: TypeAlias = Route | RejectRule
"""Either kind of rule about calls by their conditions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """Reject the call with this SIP status."""

    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ToAgent:
    """Give the call to this agent."""

    agent: str


Otherwise: TypeAlias = Reject | ToAgent


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingSettings:
    """The `routing` section of runner.yaml."""

    default_country: str | None = None
    called_number: tuple[str, ...] = ()
    """Headers that are read first for the dialled number."""
    project_prefix: str | None = None
    """The prefix of the user in the voice API's own addresses: calls arrive there, and nobody dials them."""
    reject: tuple[RejectRule, ...] = ()
    otherwise: Otherwise = field(default_factory=lambda: Reject(status=404))
