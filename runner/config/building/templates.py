"""Compiles the templates of a configuration, and reports their mistakes with line and column."""

import re
from collections.abc import Mapping

from runner.call.templates.template import CompiledTemplate, compile_template
from runner.config.checking.scope import PlacedTemplate, Scope, check
from runner.config.node import Node
from runner.config.problem import Problems
from runner.errors import TemplateError
from runner.model.template import Templated

_BRACED = re.compile(
    r"\{\{-?\s*((?:(?!\}\}|\{\{).)*?)\s*-?\}\}|\{%-?\s*if\s+((?:(?!%\}|\{%).)*?)\s*-?%\}[^{]*(?:\{%-?\s*endif\s*-?%\})?",
    re.DOTALL,
)
"""A text that is a single expression in braces, or a single condition."""
_SINGLE = re.compile(r"\$?\{\s*([A-Za-z_][\w.]*)\s*\}")
"""A text that is a single name in the braces of other languages."""
_ALMOST = re.compile(r"(?<!\{)\{ *((?:args|call|lookup|secrets|vars)(?:\.\w+)+) *\}{1,2}")
"""A name of the language in single braces, as other languages write it."""
_PLACEHOLDER = re.compile(
    r"(?<![{\w$])(\$?)\{ *([A-Za-z_][\w-]*)(?: *| *:[-=?+][^{}]*)\}(?!\})"
    r"|(?<![\w$])(\$)([A-Z][A-Z0-9_]{2,})\b"
)
"""Any name in single braces, and a variable as shells write it."""
_BLANK = re.compile(
    r"%\((\w+)\)s|%([A-Za-z_]\w+)%"
    r"|[\[<] ?((?:\w+[_-])+\w+|(?:(?:the|your|first|last|caller|customer|company|clinic|business)(?:'s)? )*"
    r"(?:name|caller|customer|company|clinic|business|date|time|number)) ?[\]>]",
    re.IGNORECASE,
)
"""A blank to fill in, as people write it in letters, and as other languages do."""


def spoken(node: Node | None, scope: Scope, problems: Problems) -> CompiledTemplate | None:
    """The template of a sentence for the caller, which must not read a placeholder out."""
    compiled = template(node, scope, problems, has_no_braces=True)
    if node is not None and compiled is not None:
        _warn_of_blanks(compiled.source, node, scope, problems)
    return compiled


def url_template(node: Node | None, scope: Scope, problems: Problems) -> CompiledTemplate | None:
    """The template of a URL, in which no single brace is meant literally."""
    return template(node, scope, problems, has_no_braces=True)


def template(
    node: Node | None, scope: Scope, problems: Problems, *, has_no_braces: bool = False
) -> CompiledTemplate | None:
    """The template of a scalar, or None where there is none or it has an error.

    A number or boolean is taken as it is written, so that `+14155550123` keeps its plus. Where a text cannot
    have braces of its own, single ones are reported.
    """
    if node is None or node.value is None or isinstance(node.value, (Mapping, tuple)):
        return None
    source = node.value if isinstance(node.value, str) else node.text
    try:
        compiled = compile_template(source)
    except TemplateError as error:
        problems.error(node.place_in(error.line, error.column), "template-syntax", str(error))
        return None
    if not _has_findings(compiled, node, scope, problems):
        scope.templates.append(PlacedTemplate(template=compiled, node=node, scope=scope))
    _warn_of_single_braces(source, node, scope, problems, has_no_braces=has_no_braces)
    return compiled


def _warn_of_blanks(source: str, node: Node, scope: Scope, problems: Problems) -> None:
    """Blanks that nobody fills in would be read out."""
    for number, line in enumerate(source.split("\n"), 1):
        for match in _BLANK.finditer(line):
            name = re.sub(r"\W+", "_", next(filter(None, match.groups())).lower().replace("'s", ""))
            message = _instead_of("", name, scope, has_no_braces=True)
            place = node.place_in(number, match.start() + 1)
            problems.warning(place, "template-syntax", f'"{match.group()}" {message}')


def _has_findings(
    compiled: CompiledTemplate, node: Node, scope: Scope, problems: Problems, *, before: int = 0
) -> bool:
    """Report names in a template that cannot be used there; returns whether there are any.

    `before` are the characters of the template before the node's text.
    """
    findings = list(check(compiled, scope))
    for finding in findings:
        column = max(1, finding.column - before) if finding.line == 1 else finding.column
        problems.error(node.place_in(finding.line, column), finding.rule, finding.message)
    return bool(findings)


def _warn_of_single_braces(
    source: str, node: Node, scope: Scope, problems: Problems, *, has_no_braces: bool
) -> None:
    """Text that looks like an expression would be spoken, or sent, as it is."""
    for number, line in enumerate(source.split("\n"), 1):
        if "{" not in line and "$" not in line:
            continue
        for match in _ALMOST.finditer(line):
            message = f'"{match.group()}" is text, not an expression; write "{{{{ {match.group(1)} }}}}"'
            problems.warning(node.place_in(number, match.start() + 1), "template-syntax", message)
        for match in _PLACEHOLDER.finditer(line):
            dollar, name = match.group(1) or match.group(3), match.group(2) or match.group(4)
            name = name.replace("-", "_")
            message = _instead_of(dollar, name, scope, has_no_braces=has_no_braces)
            if message:
                place = node.place_in(number, match.start() + 1)
                problems.warning(place, "template-syntax", f'"{match.group()}" {message}')


def _instead_of(dollar: str, name: str, scope: Scope, *, has_no_braces: bool) -> str:
    """What to write for a placeholder of other languages; nothing where it may be meant literally."""
    known = scope.path_of(name) or scope.path_of(name.lower())
    if known is not None:
        return f'is text, not an expression; write "{{{{ {known} }}}}"'
    if not dollar and not has_no_braces:
        return ""
    why = "environment variables are not put into texts" if dollar else "it is not an expression"
    root, where = ("vars", '"vars"')
    if dollar and scope.secrets is not None:
        root, where = "secrets", '"secrets" of runner.yaml'
    elif dollar:
        name = name.lower()
    elif scope.secrets is not None and scope.args is not None:
        root, where = "args", '"parameters"'
    right = f'write "{{{{ {root}.{name} }}}}"'
    if scope.secrets is not None and name in scope.secrets:
        return f"stays as it is, since {why}; {right}"
    return f'stays as it is, since {why}; declare "{name}" under {where}, and {right}'


def expression(node: Node | None, scope: Scope, problems: Problems) -> CompiledTemplate | None:
    """The expression of a scalar without braces, as in a `when`; it keeps its type."""
    if node is None or not isinstance(node.value, str):
        return None
    single = _SINGLE.fullmatch(node.value.strip())
    if single or "{{" in node.value or "{%" in node.value:
        inner = single or _BRACED.fullmatch(node.value.strip().removeprefix("$"))
        right = f'; write "{inner[inner.lastindex or 0]}"' if inner is not None else ""
        message = f"an expression is written here without braces{right}"
        problems.error(node.place, "template-syntax", message)
        return None
    opening = "{{ "
    try:
        compiled = compile_template(f"{opening}{node.value.strip()} }}}}")
    except TemplateError as error:
        column = max(1, error.column - len(opening)) if error.line == 1 else error.column
        # The braces are ours.
        message = str(error).replace(' before "}}"', " at its end").replace('unexpected "}", ', "")
        problems.error(node.place_in(error.line, column), "template-syntax", message)
        return None
    if not _has_findings(compiled, node, scope, problems, before=len(opening)):
        scope.templates.append(PlacedTemplate(template=compiled, node=node, scope=scope))
    return compiled


def templated(node: Node, scope: Scope, problems: Problems) -> Templated:
    """A JSON value whose strings are templates. Keys are never templates."""
    if isinstance(node.value, Mapping):
        return {key: templated(entry, scope, problems) for key, entry in node.items()}
    if isinstance(node.value, tuple):
        return [templated(entry, scope, problems) for entry in node.entries()]
    if isinstance(node.value, str):
        return template(node, scope, problems)
    return node.value
