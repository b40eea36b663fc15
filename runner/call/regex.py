"""Regular expressions in RE2's syntax: whatever text is searched, the time is linear in it."""

import re
from typing import Any

_LEFT_OUT = (
    (r"perl operator: \(\?<?[=!]", "it has no look-around, so that it searches in linear time"),
    (
        r"escape sequence: \\[1-9k]|perl operator: \(\?P$",
        "it has no back-references, so that it searches in linear time",
    ),
    (
        r"repetition operator: [*+?]\+|perl operator: \(\?>",
        "it never goes back, so it needs no possessive repetition and no atomic group",
    ),
    (r"repetition size: \{\d*,?\d{4}", "it counts to 1000"),
    (r"escape sequence: \\Z", r"the end of the text is \z"),
)
"""What other dialects know and RE2 does not, by its complaint."""


def compile_regex(pattern: str) -> Any:
    """The pattern, to call `search` or `fullmatch` on. Raises ValueError with RE2's reason, and with what RE2
    has left out.
    """
    import re2  # noqa: PLC0415 - a C++ library that most configurations need nothing of

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        # RE2 gives bytes, and repeats the pattern where it means all of it.
        reason = error.args[0].decode(errors="replace").removesuffix(f": {pattern}")
        hint = next((f"; {hint}" for complaint, hint in _LEFT_OUT if re.search(complaint, reason)), "")
        raise ValueError(f"{reason}{hint}") from None
