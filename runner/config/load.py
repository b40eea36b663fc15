"""Loads a configuration directory: reads, checks, merges, builds. Uses neither environment nor network."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from runner.config.checking.review import review
from runner.config.loaded import Loaded
from runner.config.loading import Loading
from runner.config.problem import Problems
from runner.config.reading.documents import read_documents
from runner.config.reading.environments import check_environment, environment_names, only_in_environments
from runner.config.reading.files import Directory

_ALL_SAVED: Mapping[str, bytes] = MappingProxyType({})


def load(
    directory: Path,
    environment: str | None = None,
    unsaved: Mapping[str, bytes] = _ALL_SAVED,
    *,
    only_unsaved: bool = False,
    is_whole: bool = False,
) -> Loaded:
    """Load a directory, as it is in one environment or without any, with every problem in it at once.

    `unsaved` stands for the content of files of that name: the directory, then the path in it. With
    `only_unsaved` no other YAML file is read, and nothing is said about what those might declare; with
    `is_whole` they are the whole directory, which need not be there.
    Raises CannotRunError when there is no such directory or it cannot be read, and UsageError when
    runner.yaml declares no such environment.
    """
    problems = Problems()
    files = Directory(directory, problems, unsaved, only_unsaved=only_unsaved or is_whole, is_whole=is_whole)
    documents = read_documents(files, problems)
    documents.is_partial = only_unsaved
    if environment is not None and not documents.is_runner_unread:
        check_environment(environment, documents.runner, files.name)
    return Loading(files, documents, problems, environment).loaded()


def load_everywhere(directory: Path, unsaved: Mapping[str, bytes] = _ALL_SAVED) -> Loaded:
    """The same without any environment, with the problems and secrets that only environments have, reviewed.

    Raises CannotRunError as `load` does.
    """
    problems = Problems()
    files = Directory(directory, problems, unsaved)
    documents = read_documents(files, problems)
    base = Loading(files, documents, problems, None).loaded()
    there: dict[str, Loaded] = {}
    for name in environment_names(documents.runner):
        problems = Problems()
        there[name] = Loading(Directory(directory, problems, unsaved), documents, problems, name).loaded()
    every = [base, *there.values()]
    problems = Problems()
    problems.extend(base.problems)
    problems.extend(
        only_in_environments(base.problems, {name: loaded.problems for name, loaded in there.items()})
    )
    problems.extend(review(every))
    of_scenarios = Problems()
    of_scenarios.extend(base.scenario_problems)
    of_scenarios.extend(
        only_in_environments(
            base.scenario_problems, {name: loaded.scenario_problems for name, loaded in there.items()}
        )
    )
    return replace(
        base,
        configuration=None if problems.has_errors else base.configuration,
        problems=problems.sorted(),
        scenario_problems=of_scenarios.sorted(),
        sources={name: text for loaded in every for name, text in loaded.sources.items()},
        secrets=tuple(dict.fromkeys(secret for loaded in every for secret in loaded.secrets)),
    )
