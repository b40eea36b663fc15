"""Builds the parts of a document, so that a mistake in one hides no other, neither beside it nor in it.

What the schema refused is left out, and the rest is built to find its problems. The result is discarded, and
only errors are reported of it: a warning might be about what was left out.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

from runner.config.checking.checked import Checked
from runner.config.node import Node
from runner.config.problem import Problems, Severity

Part = TypeVar("Part")


class Parts:
    """The parts of one checked document."""

    def __init__(self, checked: Checked, problems: Problems) -> None:
        self._checked = checked
        self._problems = problems

    def built(self, key: str, build: Callable[[Node | None, Problems], Part]) -> Part:
        """The part under this key; where it has a mistake, what can be built without it."""
        node = self._checked.root.get(key)
        if node is None or self._checked.sound(node):
            return build(node, self._problems)
        self.check(self._checked.mended(node), build)
        return build(None, Problems())

    def of_mapping(self, key: str, build: Callable[[Node | None, Problems], Part]) -> Part:
        """The same for a mapping of independent parts: the sound ones are used."""
        self.built(key, build)
        return build(self._checked.sound_part(key), self._problems)

    def entries(
        self, key: str, build: Callable[[Iterable[Node], Problems], Iterable[Part]]
    ) -> tuple[Part, ...]:
        """The results for the entries of a list, without those that have a mistake."""
        parts: list[Part] = []
        for entry in self._checked.root.entries_at(key):
            if self._checked.sound(entry):
                parts += build((entry,), self._problems)
            else:
                self.check(
                    self._checked.mended(entry), lambda whole, problems: tuple(build((whole,), problems))
                )
        return tuple(parts)

    def check(self, node: Node | None, build: Callable[[Node, Problems], object]) -> None:
        """Report the errors of building the sound rest of a part, if there is one."""
        if node is None:
            return
        problems = Problems()
        build(node, problems)
        self._problems.extend(problem for problem in problems.sorted() if problem.severity is Severity.ERROR)


def without_mistakes(tool: Node, checked: Checked) -> Node | None:
    """The sound rest of a tool; None where its arguments are unknown, or an essential part is missing."""
    parameters = tool.get("parameters")
    return checked.mended(tool) if parameters is None or checked.sound(parameters) else None
