"""Patterns with `*`, which stands for any characters."""


def glob_matches(pattern: str, text: str) -> bool:
    """Whether `text` is `pattern`, where each `*` stands for any characters. Linear in the text."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    *middle, last = rest
    if not text.startswith(first) or not text.endswith(last):
        return False
    position, end = len(first), len(text) - len(last)
    for part in middle:
        position = text.find(part, position, end)
        if position < 0:
            return False
        position += len(part)
    return position <= end
