"""Reads the files of a configuration directory into documents, and determines their kinds. Judges no
content."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING

from runner.config.checking.checked import Checked
from runner.config.checking.cut_texts import check_texts
from runner.config.checking.document_walk import CheckedEntries
from runner.config.checking.schema import check
from runner.config.checking.suggest import nearest
from runner.config.node import Node
from runner.config.problem import Problems
from runner.config.reading.files import SETTINGS_FILE, Directory, FileKind, SourceFile
from runner.config.reading.yaml_text import read

if TYPE_CHECKING:
    from runner.config.building.matchers import Lists
    from runner.config.openapi.document import ApiDocument

_THREE_KINDS = (
    'this file is none of the three kinds: an agent (it has the key "agent"), "runner.yaml" at the top, '
    'or scenarios ("*.test.yaml"); what begins with "_" is not read'
)
_ELSEWHERE = 'settings are read from "runner.yaml" at the top of the directory only; this is another file'
_AGENT_LINE = re.compile(r"""^agent:[ \t]*["']?([a-z0-9][a-z0-9-]*)""", re.MULTILINE)


@dataclass(slots=True)
class Documents:
    """The content of a directory's files."""

    runner: Node | None = None
    """The document of runner.yaml."""
    is_runner_unread: bool = False
    """There is a runner.yaml, and it cannot be read."""
    is_partial: bool = False
    """Only one file was read: names in it may be declared elsewhere."""
    agents: list[Node] = field(default_factory=list)
    scenarios: list[Checked] = field(default_factory=list)
    """The documents of scenarios, each checked by its schema."""
    unread_ids: set[str] = field(default_factory=set)
    """Ids of agents in files that cannot be read."""
    memory: CheckedEntries = field(default_factory=dict)
    """The results of checking the agents' documents by their schema, for further environments."""
    strangers: int = 0
    """Files that may have been meant as agents."""
    api_documents: "dict[str, ApiDocument | None]" = field(default_factory=dict)
    """The OpenAPI documents read so far, by name; None for files that are not one."""
    number_lists: "Lists" = field(default_factory=dict)
    """The number lists that were parsed so far."""


def read_documents(directory: Directory, problems: Problems) -> Documents:
    """Every document of the directory. Raises CannotRunError when there is no such directory."""
    documents = Documents()
    for file in directory.yaml_files():
        node = None if file.content is None else read(file.name, file.content, problems)
        if node is not None:
            check_texts(node, problems)
        if node is None:
            _unreadable(file, directory.texts, documents)
        elif file.kind is FileKind.SETTINGS:
            documents.runner = node
        elif file.kind is FileKind.SCENARIOS:
            documents.scenarios.append(check(node, "test", problems))
        elif node.get("agent") is not None:
            documents.agents.append(node)
        else:
            documents.strangers += 1
            _no_kind(file, node, problems)
    return documents


def _unreadable(file: SourceFile, texts: Mapping[str, str], documents: Documents) -> None:
    if file.kind is FileKind.SETTINGS:
        documents.is_runner_unread = True
    elif file.kind is FileKind.AGENT:
        documents.unread_ids.update(_AGENT_LINE.findall(texts.get(file.name, "")))
        documents.strangers += 1


def _no_kind(file: SourceFile, node: Node, problems: Problems) -> None:
    misspelt = next((key for key, _ in node.items() if nearest(key, ["agent"])), None)
    if PurePath(file.name).stem == PurePath(SETTINGS_FILE).stem:
        problems.error(node.place, "file-kind", _ELSEWHERE)
    elif misspelt is not None:
        message = f'unknown key "{misspelt}"; did you mean "agent"?'
        problems.error(node.key_place(misspelt), "file-kind", message)
    elif any(entry.get("call") is not None for entry in node.entries()):
        right = PurePath(file.name).stem.removesuffix("_test").removesuffix(".tests") + ".test.yaml"
        message = f'scenarios stand in files that end in ".test.yaml"; name this one "{right}"'
        problems.error(node.place, "file-kind", message)
    elif any(entry.get("agent") is not None for entry in node.entries()):
        problems.error(node.place, "file-kind", "a file holds one agent and not a list; make a file for each")
    else:
        problems.error(node.place, "file-kind", _THREE_KINDS)
