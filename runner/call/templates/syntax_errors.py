"""Says why a template cannot be read, and what to write for habits from other languages."""

import re

from jinja2 import TemplateSyntaxError

from runner.call.templates.reasons import requoted
from runner.errors import TemplateError

_CLOSED_BY = {
    '"if" is not closed': '; it ends with "{% endif %}"',
    '"elif" is not closed': '; it ends with "{% endif %}"',
    '"else" is not closed': '; it ends with "{% endif %}"',
    '"for" is not closed': '; it ends with "{% endfor %}"',
}
"""What would be right, by the ends of Jinja's messages."""

_ENDS = {"{{": "}}", "{%": "%}"}
_NAMES = ("call", "vars", "lookup", "args", "secrets", "agent", "now")
"""What an expression begins with, for those who write one as a statement."""
_MARK = re.compile(r"\{\{|\{%|\}\}|%\}")
_UNKNOWN_TAG = re.compile(r"^Encountered unknown tag '(\w+)'")
_EARLY = re.compile(r'unexpected "(\}\}|%\})"')
_CROSSED = re.compile(
    r"Encountered unknown tag '(end\w+)'\. .*innermost block that needs to be closed is '(\w+)'\."
)
_OPEN_QUOTES = ('unexpected char "\'"', 'unexpected char """')
_OPERATORS = {
    "===": '"=="',
    "!==": '"!="',
    "&&": '"and"',
    "||": '"or"',
    "??": '"| default(…)"',
    "?.": '"."; what does not exist is null',
    "?": '"a if condition else b"',
    "!": '"not"',
    "=": '"==" to compare',
}
"""Operators of other languages, and what to write instead. Longer ones come first."""


def as_template_error(error: TemplateSyntaxError, source: str) -> TemplateError:
    """The template's mistake, and its place in `source`."""
    line, column = int(error.lineno), getattr(error.lineno, "column", 1)
    text = re.sub(r"\r\n?", "\n", source)
    offset = _offset(text, line, column)
    opening = max(text.rfind(mark, 0, max(0, offset - 1)) for mark in _ENDS)
    statement = text.rfind("{%", 0, max(0, opening))
    if text.startswith("{{", opening) and statement != -1 and "%}" not in text[statement:opening]:
        message = 'names stand without braces between "{%" and "%}"'
        return TemplateError(message, *_place(text, opening))
    if opening != -1 and _is_open(text, opening, offset):
        mark = text[opening : opening + 2]
        message = f'this "{mark}" is never closed; it ends with "{_ENDS[mark]}"'
        return TemplateError(message, *_place(text, opening))
    if opening > 0 and text.startswith("{{{", opening - 1):
        return TemplateError(
            'an expression stands in two braces, "{{ … }}", not in three', *_place(text, opening - 1)
        )
    for operator, right in _OPERATORS.items():
        begin = text.find(operator, max(0, offset - len(operator) + 1), offset + len(operator))
        if begin != -1 and "\n" not in text[begin:offset]:
            message = f'"{operator}" is not an operator here; write {right}'
            return TemplateError(message, line, column + begin - offset)
    if (crossed := _CROSSED.fullmatch(error.message or "")) is not None:
        ends = f'"{crossed[2]}" that is open ends with "{{% end{crossed[2]} %}}"'
        return TemplateError(f'"{crossed[1]}" closes nothing here; the {ends}', line, column)
    tag = _UNKNOWN_TAG.search(error.message or "")
    if tag is not None and tag.group(1) in _NAMES:
        right = f'"{{{{ {_inner(text, opening)} }}}}"'
        return TemplateError(f'"{{% … %}}" holds no expression; write {right}', line, column)
    if tag is not None:
        return TemplateError(
            f'"{tag.group(1)}" is not supported in templates; use "if", "for", "set" or "raw"', line, column
        )
    message = _in_our_words(error)
    if (early := _EARLY.fullmatch(message)) is not None:
        message = f'the expression is incomplete: something is missing before "{early[1]}"'
        return TemplateError(message, line, column)
    if message == 'unexpected "}"' and opening != -1:
        mark = text[opening : opening + 2]
        message += f'; {"an expression" if mark == "{{" else "a statement"} ends with "{_ENDS[mark]}"'
    elif message in _OPEN_QUOTES:
        return TemplateError("this quote is never closed", line, column)
    return TemplateError(f"this template cannot be read: {message}", line, column)


def _inner(text: str, opening: int) -> str:
    """What stands between the braces that open here and those that close them."""
    return text[opening + 2 :].partition("%}")[0].strip("+- \n")


def _place(text: str, offset: int) -> tuple[int, int]:
    """Line and column of a character, from 1."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _offset(text: str, line: int, column: int) -> int:
    begin = 0
    for _ in range(line - 1):
        begin = text.find("\n", begin) + 1
    return begin + column - 1


def _is_open(text: str, opening: int, offset: int) -> bool:
    """Whether the expression that begins at `opening` meets another one, or the end, at the error."""
    if _MARK.search(text, opening + 2, offset - 1):
        return False
    following = _MARK.search(text, max(opening + 2, offset - 1))
    if following is None:
        return "}" not in text[opening:]
    return following.group() in _ENDS and not text[offset : following.start()].strip()


def _in_our_words(error: TemplateSyntaxError) -> str:
    message = (error.message or "it cannot be read").rstrip(".")
    message = re.sub(r" at \d+$", "", message)
    message = re.sub(r"\. Jinja was looking for .* closed is ('\w+')", r": \1 is not closed", message)
    message = message.replace("token ", "").replace("end of print statement", "}}")
    message = requoted(message.replace("end of statement block", "%}"))
    message += next((hint for end, hint in _CLOSED_BY.items() if message.endswith(end)), "")
    return f"{message[0].lower()}{message[1:]}"
