"""Mistakes in a user's files, as values."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from runner.model.values import Place


class Severity(Enum):
    """A warning is legal but probably a mistake; an error prevents the configuration from being used."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One problem. `message` quotes the value and says what would be right; `rule` names the check."""

    place: Place
    rule: str
    message: str
    severity: Severity = Severity.ERROR
    hide_source: bool = False
    """The line may hold a secret in place of its name: it must not be shown."""

    def __str__(self) -> str:
        return f"{self.place}: {self.message} [{self.rule}]"


def has_errors(problems: Iterable[Problem]) -> bool:
    """Whether any of them is an error."""
    return any(problem.severity is Severity.ERROR for problem in problems)


class Problems:
    """Collects the problems of all checks, so that they are reported together."""

    def __init__(self) -> None:
        self._found: dict[Problem, None] = {}

    def error(self, place: Place, rule: str, message: str, *, hide_source: bool = False) -> None:
        """Note an error. The same problem is reported once."""
        problem = Problem(place=place, rule=rule, message=message, hide_source=hide_source)
        self._found[problem] = None

    def warning(self, place: Place, rule: str, message: str) -> None:
        """Note a warning."""
        self._found[Problem(place=place, rule=rule, message=message, severity=Severity.WARNING)] = None

    def extend(self, problems: Iterable[Problem]) -> None:
        """Add problems that were found elsewhere."""
        self._found.update(dict.fromkeys(problems))

    @property
    def has_errors(self) -> bool:
        """Whether any error was found."""
        return has_errors(self._found)

    def sorted(self) -> tuple[Problem, ...]:
        """All of them, by file, line and column."""
        return tuple(sorted(self._found, key=lambda p: (p.place, p.rule, p.message)))
