"""How messages are worded: counts with their nouns, and texts cut to a length."""


def plural(count: int, noun: str) -> str:
    """The count with its noun: `1 error`, `2 errors`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def cut(text: str, longest: int) -> str:
    """The text, with an ellipsis for what is longer."""
    return text if len(text) <= longest else text[: longest - 1] + "…"
