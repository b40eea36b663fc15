"""Lists the files of a configuration directory, and reads the texts that they refer to. Judges no content.

Nothing outside the directory is read, wherever a link leads: a pull request could make a pipeline print any
file of the machine.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from runner.config.checking.suggest import did_you_mean, nearest
from runner.config.node import Node
from runner.config.problem import Problems
from runner.config.reading.boundary import Boundary, LeadsOutError, may_be_folder
from runner.errors import CannotRunError
from runner.model.values import Place

SETTINGS_FILE = "runner.yaml"
USUAL_DIRECTORY = "agents"
_YAML = (".yaml", ".yml")
_SCENARIOS = (".test.yaml", ".test.yml")
MOST_BYTES = 32 * 1024 * 1024
"""Of one file. A large OpenAPI document has a third of it; whatever is larger is here by mistake."""
_MOST_LOOKED_AT = 5_000
"""Files searched for the one that a path was meant to name."""
_AGENT = re.compile(rb"^agent:", re.MULTILINE)
_BEGINNING = 4096


class FileKind(Enum):
    """The purpose of a YAML file. Its content shows that it is an agent, not its name."""

    SETTINGS = "runner"
    SCENARIOS = "test"
    AGENT = "agent"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """One YAML file as it was read. `name` is its path in messages."""

    name: str
    kind: FileKind
    content: bytes | None = field(repr=False)
    """None when it cannot be read, which is noted."""


def is_scenarios(name: str) -> bool:
    """Whether a file of this name holds scenarios."""
    return name.endswith(_SCENARIOS)


class Directory:
    """One configuration directory. Files are named as a user would: the directory as given, then the path."""

    def __init__(
        self,
        path: Path,
        problems: Problems,
        unsaved: Mapping[str, bytes] = MappingProxyType({}),
        *,
        only_unsaved: bool = False,
        is_whole: bool = False,
    ) -> None:
        self._path = path
        self._unsaved = unsaved
        """Content that an editor has not saved yet, by file name. The files need not exist."""
        self._only_unsaved = only_unsaved
        self._is_whole = is_whole
        self._problems = problems
        self._boundary = Boundary(path)
        self.texts: dict[str, str] = {}
        """The text of each file that was read, by name, so that messages can show its lines."""

    @property
    def name(self) -> str:
        """The directory as it was given."""
        return self._path.as_posix()

    def yaml_files(self) -> Iterator[SourceFile]:
        """Every YAML file that is not hidden by a `_` or `.`, in the order of their names.

        Raises CannotRunError when there is no such directory, or it cannot be read.
        """
        if self._only_unsaved:
            for name in self._unsaved:
                below = PurePosixPath(name).relative_to(self.name) if self._is_whole else PurePosixPath()
                is_hidden = any(part.startswith(("_", ".")) for part in below.parts)
                if not is_hidden and (name.endswith(_YAML) or not self._is_whole):
                    yield from self._file(Path(name))
            return
        try:
            if not self._path.exists():
                raise CannotRunError(f'there is no directory "{self._path}"{self._instead()}')
            if not self._path.is_dir():
                raise CannotRunError(f'"{self._path}" is a file; name the directory that holds it')
            self._boundary.check_is_here()
            entries = self._names(self._path)
        except OSError as error:
            raise CannotRunError(f'cannot read "{self._path}": {_why(error)}') from error
        yield from self._walk(self._path, entries, (self._boundary.real,))

    def _instead(self) -> str:
        """What to do where there is no such directory: `init` writes the usual one."""
        path = self._path
        if path.name == USUAL_DIRECTORY:
            beside = next(filter(_holds_an_agent, sorted(path.parent.glob("*.y*ml"))), None)
            if beside is not None:
                return f'; "{beside}" is an agent, so name its directory, "{beside.parent}"'
            where = "" if path.parent == Path() else f" {path.parent}"
            return f'; "phone-agents init{where}" writes one with a working agent'
        there = path.parent.iterdir() if path.parent.is_dir() else ()
        return did_you_mean(path.name, (entry.name for entry in there if entry.is_dir()))

    def referenced_text(self, node: Node) -> tuple[str, str] | None:
        """The name and the text of a file that a configuration file names, e.g. `{file: _prompts/desk.md}`.

        The path is relative to the naming file, and stays inside the directory, so that a directory is
        complete wherever it is copied. None after noting a problem.
        """
        written = node.text
        if "://" in written:
            message = f'"{written}" is not downloaded; save it as a file in "{self.name}" and write its path'
            self._problems.error(node.place, "file", message)
            return None
        inside = self._inside(node)
        if inside is None:
            message = f'"{written}" is outside of the directory "{self.name}"; move the file into it'
            self._problems.error(node.place, "file", message)
            return None
        name = (PurePosixPath(self.name) / inside).as_posix()
        content = self._read(
            self._path / inside, node.place, f'"{written}"', lambda: self._missing(name, node)
        )
        if content is None:
            return None
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            message = (
                f'"{written}" is not UTF-8 (byte 0x{content[error.start]:02X} on line {line}); '
                "save that file as UTF-8"
            )
            self._problems.error(node.place, "file", message)
            return None
        self.texts[name] = text
        return name, text

    def referenced_name(self, node: Node) -> str | None:
        """The name of a file that a configuration file names, read or not; None when it is not inside the
        directory.
        """
        inside = self._inside(node)
        return None if inside is None else (PurePosixPath(self.name) / inside).as_posix()

    def has(self, node: Node) -> bool:
        """Whether the text of a node is the path of a file of this directory."""
        text = node.text
        if not text or "\n" in text or "\0" in text or len(text) > 255:
            return False
        inside = self._inside(node)
        if inside is None:
            return False
        path = self._path / inside
        return path.as_posix() in self._unsaved or (not self._is_whole and os.path.isfile(path))  # noqa: PTH113 - never raises

    def _inside(self, node: Node) -> PurePosixPath | None:
        folder = PurePosixPath(node.place.file).relative_to(self.name).parent
        inside = PurePosixPath(os.path.normpath(folder / node.text))
        return None if inside.is_absolute() or inside.parts[:1] == ("..",) else inside

    def _walk(self, folder: Path, entries: list[str], above: tuple[str, ...]) -> Iterator[SourceFile]:
        for entry in entries:
            path = folder / entry
            if entry.startswith(("_", ".")):
                continue
            if entry.endswith(_YAML) and os.path.isdir(path):  # noqa: PTH112 - never raises
                # Containers make such a folder where a mounted file is missing.
                message = "this is a folder, with the name of a YAML file; remove it, or give it another name"
                self._problems.error(Place(path.as_posix(), 1, 1), "file", message)
            elif may_be_folder(path):
                yield from self._sub_folder(path, above)
            elif (unsaved := self._unsaved_below(path)) and not os.path.lexists(path):
                # The editor will make this folder.
                yield from self._walk(
                    path, sorted({file.relative_to(path).parts[0] for file in unsaved}), above
                )
            elif entry.endswith(_YAML):
                yield from self._file(path)
            elif entry.lower().endswith(_YAML):
                message = f'this file is not read; end its name in "{path.suffix.lower()}"'
                self._problems.error(Place(path.as_posix(), 1, 1), "file", message)

    def _sub_folder(self, path: Path, above: tuple[str, ...]) -> Iterator[SourceFile]:
        place = Place(path.as_posix(), 1, 1)
        try:
            real = self._boundary.resolved(path)
            if real in above:
                self._problems.error(
                    place, "file", "this link leads back to a folder that it is in; remove it"
                )
                return
            entries = self._names(path)
        except LeadsOutError as error:
            self._problems.error(place, "file", f"this link {error}")
            return
        except OSError as error:
            self._problems.error(place, "file", f"cannot read this folder: {_why(error)}")
            return
        yield from self._walk(path, entries, (*above, real))

    def _file(self, path: Path) -> Iterator[SourceFile]:
        name = path.as_posix()
        dangling = "this link leads to no file; remove it"
        content = self._read(path, Place(name, 1, 1), "this file", lambda: dangling)
        if content is not None:
            self.texts[name] = content.decode(errors="replace")
        kind = FileKind.AGENT
        if is_scenarios(path.name):
            kind = FileKind.SCENARIOS
        elif path == self._path / SETTINGS_FILE:
            kind = FileKind.SETTINGS
        yield SourceFile(name=name, kind=kind, content=content)

    def _names(self, folder: Path) -> list[str]:
        there = {entry.name for entry in folder.iterdir()}
        new = {path.relative_to(folder).parts[0] for path in self._unsaved_below(folder)}
        return sorted(there | new)

    def _unsaved_below(self, folder: Path) -> list[Path]:
        return [path for path in map(Path, self._unsaved) if path.is_relative_to(folder) and path != folder]

    def _read(self, path: Path, place: Place, what: str, missing: Callable[[], str]) -> bytes | None:
        """The content; None after noting a problem. `missing` is the message for a missing file."""
        try:
            if path.as_posix() in self._unsaved:
                self._boundary.check(path)
                return self._unsaved[path.as_posix()]
            real = self._boundary.resolved(path)
            if Path(real).is_file():
                with Path(real).open("rb") as file:
                    content = file.read(MOST_BYTES + 1)
                if len(content) <= MOST_BYTES:
                    return content
                self._problems.error(place, "file", f"{what} is larger than {MOST_BYTES >> 20} MiB")
                return None
            self._problems.error(place, "file", f"{what} is not a regular file")
        except LeadsOutError as error:
            self._problems.error(place, "file", f"{what} {error}")
        except (FileNotFoundError, NotADirectoryError):
            self._problems.error(place, "file", missing())
        except (OSError, ValueError) as error:  # ValueError: a null character in the name
            self._problems.error(place, "file", f"cannot read {what}: {_why(error)}")
        return None

    def _missing(self, name: str, node: Node) -> str:
        """The message for a path without a file: one of the same name was meant, or the nearest."""
        folder = PurePosixPath(node.place.file).parent
        there: dict[str, str] = {}
        for file in islice(self._all_files(), _MOST_LOOKED_AT):
            if file.endswith(_YAML) and not name.endswith(_YAML):
                continue
            there.setdefault(PurePosixPath(file).stem, os.path.relpath(file, folder))
        near = nearest(PurePosixPath(name).stem, there)
        right = f'did you mean "{there[near]}"?' if near else "create it, or correct the path"
        return f'there is no file "{name}"; {right}'

    def _all_files(self) -> Iterator[str]:
        for folder, folders, names in os.walk(self._path):
            folders.sort()
            yield from (PurePosixPath(folder, name).as_posix() for name in sorted(names))


def _why(error: OSError | ValueError) -> str:
    # The words of a ValueError differ between versions of Python.
    return (error.strerror or str(error)).lower() if isinstance(error, OSError) else "it has a null character"


def _holds_an_agent(path: Path) -> bool:
    """Whether a file looks like an agent's, for a hint."""
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return _AGENT.search(file.read(_BEGINNING)) is not None
    except OSError:
        return False
