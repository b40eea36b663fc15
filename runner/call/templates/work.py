"""Counts the work of a template before it is done, and bounds it for one rendering as a whole.

One step is about a microsecond: reading an entry of a list, or some hundred characters of a text.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from runner.errors import TemplateFailure

MAX_WORK = 60_000

_CHARACTERS_A_STEP = 500
_SLOW_WITH_TEXT = {"replace": 4, "title": 200, "urlencode": 30, "wordcount": 25, "wordwrap": 750}
"""How many times longer these filters take for a character than others."""
_SLOW_WITH_ENTRIES = {
    **dict.fromkeys(("join", "map", "reject", "rejectattr", "select", "selectattr", "tojson", "unique"), 1),
    "groupby": 3,
    "sort": 3,
}
"""How many steps more these filters take for an entry than others."""
_AT_ONCE = frozenset(
    "abs count d date_format default first float int items last length round".split()  # noqa: SIM905
)
"""Filters whose time does not depend on the length of the value."""
_BY_ENTRY = frozenset(
    "groupby join list map max min reject rejectattr reverse select selectattr sort sum unique".split()  # noqa: SIM905
)
"""Filters that go through a value entry by entry, through a text character by character."""
_FOR_EACH = frozenset({"map", "reject", "rejectattr", "select", "selectattr"})
"""Filters that use their arguments for each entry."""


class Work:
    """The work that one rendering may still do."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = MAX_WORK

    def spend(self, steps: int) -> None:
        """Count steps. Raises TemplateFailure when there are too many."""
        self._left -= steps
        if self._left < 0:
            raise TemplateFailure("it takes too much work")

    def weigh(self, value: Any) -> int:
        """Count reading all of a value once; returns the steps."""
        before = self._left
        self.spend(len(value) // _CHARACTERS_A_STEP + 1 if isinstance(value, str) else 1)
        if isinstance(value, Mapping):
            self._weigh_all(value.values())
        elif isinstance(value, list | tuple | range):
            self._weigh_all(value)
        return before - self._left

    def filter(self, name: str, value: Any, arguments: Iterable[Any]) -> None:
        """Count the work of a filter."""
        if name in _AT_ONCE:
            self.spend(1)
            return
        steps = self.weigh(value)
        if isinstance(value, str):
            slow = len(value) * _SLOW_WITH_TEXT.get(name, 0) // _CHARACTERS_A_STEP
            extra = slow + (2 * len(value) if name in _BY_ENTRY else 0)
            steps += extra
            self.spend(extra)
        else:
            extra = steps * _SLOW_WITH_ENTRIES.get(name, 0)
            steps += extra
            self.spend(extra)
        for argument in arguments:
            more = self.weigh(argument)
            if more > 1 and name in _FOR_EACH:
                self.spend(steps * more)

    def _weigh_all(self, values: Iterable[Any]) -> None:
        for value in values:
            self.weigh(value)
