"""Compiles JSON Schemas (2020-12) and finds what does not fit, and where, in bounded time.

Values come from models. A general validator searches with patterns that backtrack, compares each entry of a
list with each other, and follows nested choices along every path: a value of 1 kB can keep it busy for ever.
Here patterns are RE2, entries are compared by a key, and steps are counted.

References stay within the schema: `#`, `#/$defs/day` and `#anchor`. `$id` and the dynamic scope of
`$dynamicRef` mean nothing with a single schema.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from runner.call.regex import compile_regex
from runner.call.schemas.applicators import APPLICATORS, UNEVALUATED
from runner.call.schemas.check import Misfit, UncheckableError, Validation
from runner.call.schemas.keywords import KEYWORDS
from runner.model.values import Json, JsonObject

_RULES = {**KEYWORDS, **APPLICATORS}
_ESCAPE = re.compile(r"(?s)\\(?:u([0-9A-Fa-f]{4})|u\{([0-9A-Fa-f]+)\}|.)")


class Schema:
    """A schema. Its patterns are compiled and its references resolved when they are first needed."""

    def __init__(self, root: JsonObject) -> None:
        self.root = root
        self.tracks = any(keyword in schema for schema in _mappings(root) for keyword in UNEVALUATED)
        self._patterns: dict[str, Any] = {}
        self._targets: dict[str, Json] = {}

    def misfits(self, value: Json, most: int = 1) -> list[Misfit]:
        """The first few things that do not fit. Raises UncheckableError."""
        try:
            return Validation(self, _RULES, UNEVALUATED).check(self.root, value, ()).misfits[:most]
        except RecursionError:
            raise UncheckableError("the schema leads back to itself") from None
        except (AttributeError, LookupError, TypeError, ValueError):
            raise UncheckableError("the schema is malformed") from None

    def fits(self, value: Json) -> bool:
        """Whether a value fits. One that cannot be checked does not."""
        try:
            return not self.misfits(value)
        except UncheckableError:
            return False

    def pattern(self, source: str) -> Any:
        """A `pattern`, compiled. Raises UncheckableError."""
        if source not in self._patterns:
            try:
                self._patterns[source] = compile_pattern(source)
            except ValueError as error:
                raise UncheckableError(f'the pattern "{source}" cannot be run: {error}') from None
        return self._patterns[source]

    def target(self, reference: str) -> Json:
        """The schema that a reference leads to. Raises UncheckableError."""
        if reference not in self._targets:
            self._targets[reference] = self._resolve(reference)
        return self._targets[reference]

    def _resolve(self, reference: str) -> Json:
        if reference.startswith("#"):
            fragment = unquote(reference[1:])
            candidates = (
                _at_pointer(self.root, fragment)
                if fragment[:1] in ("", "/")
                else _at_anchor(self.root, fragment)
            )
            for candidate in candidates:
                return candidate
        raise UncheckableError(f'the reference "{reference}" leads to nothing')


@lru_cache(maxsize=1024)
def compile_pattern(source: str) -> Any:
    """A `pattern` in the syntax of ECMA-262, as far as RE2 knows it. Raises ValueError with RE2's reason."""
    return compile_regex(_ESCAPE.sub(_re2_escape, source))


def _re2_escape(escape: re.Match[str]) -> str:
    code = escape[1] or escape[2]
    return f"\\x{{{code}}}" if code else escape[0]


def _mappings(root: Json) -> Iterator[Mapping[str, Json]]:
    """Every mapping in a schema, each once: with YAML aliases one may appear in many places."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        value = waiting.pop()
        if not isinstance(value, Mapping | list | tuple) or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Mapping):
            yield value
            waiting += value.values()
        else:
            waiting += value


def _at_pointer(root: Json, pointer: str) -> Iterator[Json]:
    """The value at a JSON pointer (RFC 6901), if there is one."""
    target = root
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(target, Mapping) and name in target:
            target = target[name]
        elif isinstance(target, list | tuple) and name.isdecimal() and int(name) < len(target):
            target = target[int(name)]
        else:
            return
    yield target


def _at_anchor(root: Json, anchor: str) -> Iterator[Json]:
    """The schemas with this anchor."""
    for schema in _mappings(root):
        if anchor in (schema.get("$anchor"), schema.get("$dynamicAnchor")):
            yield schema
