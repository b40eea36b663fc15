"""Finds the numbered SQL files that bring a database from one version to the next."""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"(\d{4})_\w+\.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step. `version` is the database's version after it; the first step makes version 1."""

    version: int
    sql: str


@cache
def migrations(package: str) -> tuple[Migration, ...]:
    """The steps of an engine in order, from its folder `migrations`."""
    steps = [
        Migration(version=int(name[1]), sql=file.read_text(encoding="utf-8"))
        for file in files(package).joinpath("migrations").iterdir()
        if (name := _NAME.fullmatch(file.name))
    ]
    return tuple(sorted(steps, key=lambda step: step.version))
