"""What is in a configuration directory, and the texts that its files refer to. Judges no content."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from runner.config.node import Node
from runner.config.problem import Problems
from runner.errors import CannotRunError
from runner.model.values import Place

SETTINGS_FILE = "runner.yaml"
_YAML = (".yaml", ".yml")
_SCENARIOS = (".test.yaml", ".test.yml")


class Kind(Enum):
    """What a YAML file is for. That a file is an agent is shown by its content, not by its name."""

    SETTINGS = "runner"
    SCENARIOS = "test"
    AGENT = "agent"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """One YAML file as it was read. `name` is its path as messages show it."""

    name: str
    kind: Kind
    content: bytes | None = field(repr=False)
    """None when it cannot be read, which is noted."""


class Directory:
    """One configuration directory. Files are named as a user would: the directory as given, then the path."""

    def __init__(
        self, path: Path, problems: Problems, unsaved: Mapping[str, bytes] = MappingProxyType({})
    ) -> None:
        self._path = path
        self._unsaved = unsaved
        """What stands for the content of these files, there or not: an editor has not saved them yet."""
        self._problems = problems
        self.texts: dict[str, str] = {}
        """The text of each file that was read, by name, so that messages can show its lines."""

    @property
    def name(self) -> str:
        """The directory as it was given."""
        return self._path.as_posix()

    def yaml_files(self) -> Iterator[SourceFile]:
        """Every YAML file that is not hidden by a `_` or `.`, in the order of their names.

        CannotRunError: there is no such directory, or it cannot be read.
        """
        if not self._path.exists():
            raise CannotRunError(f'there is no directory "{self._path}"')
        if not self._path.is_dir():
            raise CannotRunError(f'"{self._path}" is a file; name the directory that holds it')
        try:
            entries = self._names(self._path)
        except OSError as error:
            raise CannotRunError(f'"{self._path}" cannot be read: {_why(error)}') from error
        yield from self._walk(self._path, entries, (self._path.resolve(),))

    def referenced_text(self, node: Node) -> tuple[str, str] | None:
        """The name and the text of a file that a configuration file names, e.g. `{file: _prompts/desk.md}`.

        The path is relative to the file that it stands in, and stays inside of the directory, so that a
        directory is complete wherever it is copied. None after noting why there is no text.
        """
        written = node.text
        inside = self._inside(node)
        if inside is None:
            message = f'"{written}" is outside of the directory "{self.name}"; keep the file inside of it'
            self._problems.error(node.place, "file", message)
            return None
        name = (PurePosixPath(self.name) / inside).as_posix()
        content = self._read(self._path / inside, node.place, f'"{written}"')
        if content is None:
            return None
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            message = f'"{written}" is not UTF-8: byte 0x{content[error.start]:02X} on line {line}'
            self._problems.error(node.place, "file", message)
            return None
        self.texts[name] = text
        return name, text

    def referenced_name(self, node: Node) -> str | None:
        """The name of a file that a configuration file names, read or not; None when it is not inside."""
        inside = self._inside(node)
        return None if inside is None else (PurePosixPath(self.name) / inside).as_posix()

    def _inside(self, node: Node) -> PurePosixPath | None:
        folder = PurePosixPath(node.place.file).relative_to(self.name).parent
        inside = PurePosixPath(os.path.normpath(folder / node.text))
        return None if inside.is_absolute() or inside.parts[:1] == ("..",) else inside

    def _walk(self, folder: Path, entries: list[str], above: tuple[Path, ...]) -> Iterator[SourceFile]:
        for entry in entries:
            path = folder / entry
            if entry.startswith(("_", ".")):
                continue
            if path.is_dir():
                yield from self._sub_folder(path, above)
            elif entry.endswith(_YAML):
                yield from self._file(path)

    def _sub_folder(self, path: Path, above: tuple[Path, ...]) -> Iterator[SourceFile]:
        real = path.resolve()
        place = Place(path.as_posix(), 1, 1)
        if real in above:
            self._problems.error(place, "file", "this link leads back to a folder that it is in")
            return
        try:
            entries = self._names(path)
        except OSError as error:
            self._problems.error(place, "file", f"this folder cannot be read: {_why(error)}")
            return
        yield from self._walk(path, entries, (*above, real))

    def _file(self, path: Path) -> Iterator[SourceFile]:
        name = path.as_posix()
        content = self._read(path, Place(name, 1, 1), "this file")
        if content is not None:
            self.texts[name] = content.decode(errors="replace")
        kind = Kind.AGENT
        if path.name.endswith(_SCENARIOS):
            kind = Kind.SCENARIOS
        elif path == self._path / SETTINGS_FILE:
            kind = Kind.SETTINGS
        yield SourceFile(name=name, kind=kind, content=content)

    def _names(self, folder: Path) -> list[str]:
        there = {entry.name for entry in folder.iterdir()}
        new = {name for name in map(PurePosixPath, self._unsaved) if name.parent == PurePosixPath(folder)}
        return sorted(there | {name.name for name in new})

    def _read(self, path: Path, place: Place, what: str) -> bytes | None:
        if path.as_posix() in self._unsaved:
            return self._unsaved[path.as_posix()]
        try:
            if path.exists() and not path.is_file():
                self._problems.error(place, "file", f"{what} is no regular file")
                return None
            return path.read_bytes()
        except OSError as error:
            here = "; a path begins at the folder of the file that names it"
            hint = here if isinstance(error, FileNotFoundError) else ""
            self._problems.error(place, "file", f"{what} cannot be read: {_why(error)}{hint}")
            return None


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
