"""One check of a value against a schema: its place, the misfits so far, and the steps that are left."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from runner.model.values import Json, JsonObject

MAX_STEPS = 20_000
"""Keywords evaluated and parts compared for one value: some 30 ms."""

_CHARACTERS_A_STEP = 50

ValuePath: TypeAlias = tuple[str | int, ...]


class UncheckableError(Exception):
    """The schema cannot be followed, or the value takes too many steps. The text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """One thing that does not fit."""

    path: ValuePath
    """Its place in the value."""
    keyword: str
    """The keyword that refuses it."""
    schema: JsonObject
    """The schema that contains the keyword."""
    value: Json
    missing: str = ""
    """The name that `required` or `dependentRequired` demands."""


class Source(Protocol):
    """A schema that resolves its references and patterns."""

    tracks: bool
    """Whether any keyword needs to know which parts of a value others have evaluated."""

    def target(self, reference: str) -> Json:
        """The schema that a reference leads to. Raises UncheckableError."""

    def pattern(self, source: str) -> Any:
        """The compiled pattern. Raises UncheckableError."""


@dataclass(slots=True)
class Check:
    """One schema and one value, with the misfits so far."""

    validation: "Validation"
    schema: JsonObject
    value: Json
    path: ValuePath
    misfits: list[Misfit] = field(default_factory=list)
    seen: set[str | int] = field(default_factory=set)
    """The keys or indices that were evaluated with success. Kept only where a keyword needs them."""

    @property
    def fits(self) -> bool:
        """Whether no keyword has refused the value so far."""
        return not self.misfits

    def refuse(self, keyword: str, *, missing: str = "") -> None:
        """Note that the keyword does not allow the value. Raises UncheckableError."""
        self.validation.spend(1)
        self.misfits.append(
            Misfit(path=self.path, keyword=keyword, schema=self.schema, value=self.value, missing=missing)
        )

    def part(self, schema: Json, step: str | int, value: Json) -> bool:
        """Check a part of the value, and adopt its misfits."""
        result = self.validation.check(schema, value, (*self.path, step))
        self.misfits += result.misfits
        if self.validation.source.tracks:
            self.seen.add(step)
        return result.fits

    def same(self, schema: Json) -> "Check":
        """Check the same value against another schema, and adopt nothing."""
        return self.validation.check(schema, self.value, self.path)

    def follow(self, schema: Json) -> None:
        """Check the same value against another schema, and adopt its misfits."""
        result = self.same(schema)
        self.misfits += result.misfits
        self.learn(result)

    def learn(self, other: "Check") -> None:
        """Adopt what another check of the same value has evaluated, if the value fits there."""
        if other.fits:
            self.seen |= other.seen


KeywordRule: TypeAlias = Callable[[Check, Json], None]
"""What a keyword does with its argument."""


class Validation:
    """All checks of one value. Counts their steps."""

    def __init__(
        self, source: Source, rules: Mapping[str, KeywordRule], last_rules: Mapping[str, KeywordRule]
    ) -> None:
        """`last_rules` belong to keywords that look at what all others in the same schema have evaluated."""
        self.source = source
        self._rules = rules
        self._last_rules = last_rules
        self._steps_left = MAX_STEPS

    def check(self, schema: Json, value: Json, path: ValuePath) -> Check:
        """Evaluate every keyword of a schema for a value. Raises UncheckableError."""
        self.spend(1)
        if not isinstance(schema, Mapping):
            check = Check(self, {}, value, path)
            if schema is False:
                check.refuse("false")
            return check
        check = Check(self, schema, value, path)
        for rules in (self._rules, self._last_rules) if self.source.tracks else (self._rules,):
            for keyword, argument in schema.items():
                rule = rules.get(keyword)
                if rule is not None:
                    self.spend(1)
                    rule(check, argument)
        return check

    def spend(self, steps: int) -> None:
        """Count steps. Raises UncheckableError when there are too many."""
        self._steps_left -= steps
        if self._steps_left < 0:
            raise UncheckableError("it takes too long")

    def spend_text(self, text: str) -> None:
        """Count the steps of reading a text."""
        self.spend(len(text) // _CHARACTERS_A_STEP)
