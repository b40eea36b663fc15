"""Regular expressions in RE2's syntax: whatever text is searched, the time is linear in it."""

from typing import Any


def compile_regex(pattern: str) -> Any:
    """The pattern, to call `search` or `fullmatch` on. Raises ValueError with RE2's reason."""
    import re2  # noqa: PLC0415 - a C++ library that most configurations need nothing of

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        # RE2 gives bytes, and repeats the pattern where it means all of it.
        reason = error.args[0].decode(errors="replace")
        raise ValueError(reason.removesuffix(f": {pattern}")) from None
