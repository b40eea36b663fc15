"""The result of `validate` for one directory, whatever the format."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from runner.config.problem import Problem, Severity
from runner.model.values import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationReport:
    """The problems of one directory, by file and line."""

    directory: str
    problems: tuple[Problem, ...]
    sources: Mapping[str, str] = field(repr=False)
    """The text of each file that was checked, by the name that places use."""
    denies_warnings: bool = False

    def of_file(self, name: str) -> "ValidationReport":
        """The part of the report about one file, and about the folders for which it is not read."""
        return replace(
            self,
            directory=name,
            problems=tuple(self._problems_of(name)),
            sources={file: text for file, text in self.sources.items() if file == name},
        )

    def _problems_of(self, name: str) -> Iterator[Problem]:
        root = Path(self.directory).as_posix()
        for problem in self.problems:
            place = problem.place.file
            if place == name:
                yield problem
            elif place != root and name.startswith(f"{place}/"):
                message = f'this file is not read, since it is in "{place}": {problem.message}'
                yield replace(problem, place=Place(name, 1, 1), message=message)

    def fails(self, problem: Problem) -> bool:
        """Whether this problem makes the check fail."""
        return self.denies_warnings or problem.severity is Severity.ERROR

    @property
    def has_failed(self) -> bool:
        """Whether any does."""
        return any(map(self.fails, self.problems))
