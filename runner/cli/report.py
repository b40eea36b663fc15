"""The result of `validate` for one directory, whatever the format."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from runner.config.problem import Problem, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The problems of one directory, by file and line."""

    directory: str
    problems: tuple[Problem, ...]
    sources: Mapping[str, str] = field(repr=False)
    """The text of each file that was checked, by the name that places use."""
    denies_warnings: bool = False

    def of_file(self, name: str) -> "Report":
        """The part of the report about one file."""
        return replace(
            self,
            directory=name,
            problems=tuple(problem for problem in self.problems if problem.place.file == name),
            sources={file: text for file, text in self.sources.items() if file == name},
        )

    def fails(self, problem: Problem) -> bool:
        """Whether this problem makes the check fail."""
        return self.denies_warnings or problem.severity is Severity.ERROR

    @property
    def has_failed(self) -> bool:
        """Whether any does."""
        return any(map(self.fails, self.problems))
