"""One check of a value against a schema: where it stands, what did not fit, and how many steps are left."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from runner.model.values import Json, JsonObject

MAX_STEPS = 50_000
"""Keywords that are asked, and parts that are compared, for one value: about a tenth of a second."""

_CHARACTERS_A_STEP = 50

Path: TypeAlias = tuple[str | int, ...]


class UncheckableError(Exception):
    """The schema cannot be followed, or the value takes too many steps. The text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """One thing that does not fit."""

    path: Path
    """Where it stands in the value."""
    keyword: str
    """What refuses it."""
    schema: JsonObject
    """The schema that the keyword stands in."""
    value: Json
    missing: str = ""
    """The name that `required` or `dependentRequired` asks for."""


class Source(Protocol):
    """A schema that knows its references and patterns."""

    tracks: bool
    """Whether any keyword wants to know which parts of a value others have looked at."""

    def target(self, reference: str) -> Json:
        """The schema that a reference leads to. Raises UncheckableError."""

    def pattern(self, source: str) -> Any:
        """The compiled pattern. Raises UncheckableError."""


@dataclass(slots=True)
class Check:
    """One schema and one value, with what came of it so far."""

    run: "Run"
    schema: JsonObject
    value: Json
    path: Path
    misfits: list[Misfit] = field(default_factory=list)
    seen: set[str | int] = field(default_factory=set)
    """The keys or indices that were looked at with success. Kept only where it matters."""

    @property
    def fits(self) -> bool:
        """Whether nothing was refused so far."""
        return not self.misfits

    def refuse(self, keyword: str, *, missing: str = "") -> None:
        """Note that the keyword does not allow the value."""
        self.misfits.append(
            Misfit(path=self.path, keyword=keyword, schema=self.schema, value=self.value, missing=missing)
        )

    def part(self, schema: Json, step: str | int, value: Json) -> bool:
        """Check a part of the value, and take over what does not fit there."""
        found = self.run.check(schema, value, (*self.path, step))
        self.misfits += found.misfits
        if self.run.source.tracks:
            self.seen.add(step)
        return found.fits

    def same(self, schema: Json) -> "Check":
        """Check the same value against another schema, without taking anything over."""
        return self.run.check(schema, self.value, self.path)

    def follow(self, schema: Json) -> None:
        """Check the same value against another schema, and take everything over."""
        found = self.same(schema)
        self.misfits += found.misfits
        self.learn(found)

    def learn(self, other: "Check") -> None:
        """Take over what another check of the same value has looked at, if the value fitted there."""
        if other.fits:
            self.seen |= other.seen


Rule: TypeAlias = Callable[[Check, Json], None]
"""What a keyword does with its argument."""


class Run:
    """All checks of one value. Counts their steps."""

    def __init__(self, source: Source, rules: Mapping[str, Rule], last_rules: Mapping[str, Rule]) -> None:
        """`last_rules` belong to keywords that look at what all others in the same schema have seen."""
        self.source = source
        self._rules = rules
        self._last_rules = last_rules
        self._steps_left = MAX_STEPS

    def check(self, schema: Json, value: Json, path: Path) -> Check:
        """Ask every keyword of a schema about a value. Raises UncheckableError."""
        self.spend(1)
        if not isinstance(schema, Mapping):
            found = Check(self, {}, value, path)
            if schema is False:
                found.refuse("false")
            return found
        found = Check(self, schema, value, path)
        for rules in (self._rules, self._last_rules) if self.source.tracks else (self._rules,):
            for keyword, argument in schema.items():
                rule = rules.get(keyword)
                if rule is not None:
                    self.spend(1)
                    rule(found, argument)
        return found

    def spend(self, steps: int) -> None:
        """Count work that is done. Raises UncheckableError when it is too much."""
        self._steps_left -= steps
        if self._steps_left < 0:
            raise UncheckableError("it takes too long")

    def spend_text(self, text: str) -> None:
        """Count work over a text."""
        self.spend(len(text) // _CHARACTERS_A_STEP)
