"""Warns of texts that a `#` cuts short, where YAML begins a comment. Knows which keys hold texts."""

from runner.config.node import Comment, Node
from runner.config.problem import Problems

_TEXTS = frozenset(
    {
        *("say", "tell", "greeting", "instructions", "description", "on_error", "otherwise"),
        *("if_not_completed", "caller", "model_says", "static"),
    }
)
_NOTED = frozenset({"caller", "model_says", "static"})
"""Texts that may well be one word with a comment behind it: `static: closed # until Monday`."""
_PATTERNS = frozenset({"matches", "regex", "pattern"})
_SENTENCE_END = (".", "!", "?", "…", ":", ";", '"', "'", ")", "”", "»")


def check_texts(node: Node, problems: Problems, *, are_texts: bool = False) -> None:
    """Note each text of a document that probably includes the comment behind it.

    Of `vars` every value may be spoken.
    """
    if isinstance(node.value, tuple):
        for entry in node.value:
            check_texts(entry, problems, are_texts=are_texts)
    elif isinstance(node.value, dict):
        for key, value in node.value.items():
            if key in _TEXTS or key in _PATTERNS or are_texts:
                for text in value.entries() or (value,):
                    _check(text, problems, is_pattern=key in _PATTERNS, is_noted=key in _NOTED or are_texts)
            check_texts(value, problems, are_texts=are_texts or key == "vars")


def _check(text: Node, problems: Problems, *, is_pattern: bool, is_noted: bool) -> None:
    if text.comment is None or not isinstance(text.value, str):
        return
    comment = text.comment
    is_cut = _is_cut_pattern(comment) if is_pattern else _is_cut(text.value, comment, is_noted=is_noted)
    if is_cut:
        message = (
            'the text ends before this "#", where a comment begins; put the text in quotes, '
            "or two spaces before the comment"
        )
        problems.warning(comment.place, "cut-text", message)


def _is_cut(text: str, comment: Comment, *, is_noted: bool) -> bool:
    """A comment stands apart from the text that it is about, and its words stand apart from the `#`."""
    before, after = comment.line[: comment.place.column - 1], comment.line[comment.place.column :]
    is_near = len(before) - len(before.rstrip()) == 1
    if not is_near or text.endswith(_SENTENCE_END) or (is_noted and " " not in text):
        return after[:1].isdigit()
    return True


def _is_cut_pattern(comment: Comment) -> bool:
    """A pattern may be a single word, but a comment has a space behind its `#`."""
    before, after = comment.line[: comment.place.column - 1], comment.line[comment.place.column :]
    return len(before) - len(before.rstrip()) == 1 and bool(after[:1].strip())
