"""What a release needs: one version, a changelog, pinned dependencies, types for those who import us."""

import re
import tomllib
from importlib.metadata import distribution, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import runner

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PINNED = {
    canonicalize_name(name): pinned
    for name, pinned in re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.M)
}


def test_the_version_stands_in_one_place() -> None:
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert PROJECT["tool"]["hatch"]["version"] == {"path": "runner/__init__.py"}
    assert re.fullmatch(r"\d+\.\d+\.\d+", runner.__version__)


def test_the_changelog_tells_what_is_new() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    assert headings[0] in {"Unreleased", runner.__version__}


def test_who_imports_us_gets_types() -> None:
    assert (Path(runner.__file__).parent / "py.typed").exists()
    assert "Typing :: Typed" in PROJECT["project"]["classifiers"]


def test_every_dependency_is_pinned_at_the_version_that_is_tested() -> None:
    """Also what a dependency needs itself: constraints.txt says all of what is installed."""
    wanted = [Requirement(text) for text in PROJECT["project"]["dependencies"]]
    seen: set[str] = set()
    while wanted:
        requirement = wanted.pop()
        name = canonicalize_name(requirement.name)
        if name in seen or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        seen.add(name)
        assert PINNED[name] == version(name), name
        assert requirement.specifier.contains(PINNED[name]), name
        wanted += [Requirement(text) for text in distribution(name).requires or ()]
    assert len(seen) > 20
