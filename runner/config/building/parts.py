"""Builds the parts of a document, so that a mistake in one hides no other: neither beside it nor in it.

What the schema refused is left out, and what is left is built for the problems that it has. What comes of
that is never used, and no more than errors are told of it: a warning might be about what was left out.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

from runner.config.checking.schema import Checked
from runner.config.node import Node
from runner.config.problem import Problems, Severity

Part = TypeVar("Part")


class Parts:
    """The parts of one checked document."""

    def __init__(self, checked: Checked, problems: Problems) -> None:
        self._checked = checked
        self._problems = problems

    def built(self, key: str, build: Callable[[Node | None, Problems], Part]) -> Part:
        """What the part under this key builds; where it has a mistake, what is built without it."""
        node = self._checked.root.get(key)
        if node is None or self._checked.sound(node):
            return build(node, self._problems)
        self.check(self._checked.mended(node), build)
        return build(None, Problems())

    def of_mapping(self, key: str, build: Callable[[Node | None, Problems], Part]) -> Part:
        """The same for a mapping of parts that stand alone: those that are sound are used."""
        self.built(key, build)
        return build(self._checked.sound_part(key), self._problems)

    def entries(
        self, key: str, build: Callable[[Iterable[Node], Problems], Iterable[Part]]
    ) -> tuple[Part, ...]:
        """What the entries of a list build, without those that have a mistake."""
        node = self._checked.root.get(key)
        found: list[Part] = []
        for entry in node.entries() if node is not None else ():
            if self._checked.sound(entry):
                found += build((entry,), self._problems)
            else:
                self.check(
                    self._checked.mended(entry), lambda whole, problems: tuple(build((whole,), problems))
                )
        return tuple(found)

    def check(self, node: Node | None, build: Callable[[Node, Problems], object]) -> None:
        """Tell the errors of building what was left of a part, if anything was."""
        if node is None:
            return
        problems = Problems()
        build(node, problems)
        self._problems.extend(problem for problem in problems.sorted() if problem.severity is Severity.ERROR)


def without_mistakes(tool: Node, checked: Checked) -> Node | None:
    """What is left of a tool; None where nothing can be said about its arguments, or it cannot do without."""
    parameters = tool.get("parameters")
    return checked.mended(tool) if parameters is None or checked.sound(parameters) else None
