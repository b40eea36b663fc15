"""Compiles a template that has expressions, and renders it in bounded time and space."""

from collections.abc import Callable, Iterable, Iterator

from jinja2 import TemplateSyntaxError, nodes
from jinja2.runtime import Context

from runner.call.templates.filters import MAX_CHARS, bounded, json_data
from runner.call.templates.reasons import reason_of
from runner.call.templates.references import Reference, check_syntax, output_references, references
from runner.call.templates.sandbox import Bounding, Names, WriteValue, environment
from runner.call.templates.sure import is_sure
from runner.call.templates.syntax_errors import as_template_error
from runner.errors import TemplateError, TemplateFailure
from runner.model.values import Json, JsonObject

MAX_SURE_HEIGHT = 16
"""A template with correct syntax and no higher than this compiles for certain, so it may be compiled when it
is first rendered: Python's compiler takes 20 nested blocks and far more of anything else.
"""
MAX_EXPRESSIONS = 4_000
"""Of one template: Python's compiler takes some 15 KiB for each."""
_CODE = "<template>"
"""Jinja's name for the file of the code that it generates."""

Root = Callable[[Context], Iterator[str]]
"""What renders a template."""


class Program:
    """A template with expressions, compiled. Raises TemplateError where it cannot be."""

    __slots__ = ("_environment", "_line_of", "_root", "_tree", "is_sure", "is_whole", "references")

    def __init__(self, source: str, write: WriteValue, *, typed: bool) -> None:
        self._environment = environment(write)
        self._root: Root | None = None
        self._line_of: Callable[[int], int] | None = None
        expressions = source.count("{{") + source.count("{%")
        if expressions > MAX_EXPRESSIONS:
            raise TemplateError(
                f"this template has {expressions:,} expressions, at most {MAX_EXPRESSIONS:,} are allowed"
            )
        try:
            tree = self._environment.parse(source)
            height = check_syntax(tree)
            self.references: tuple[Reference, ...] = references(tree)
            self.is_sure = is_sure(tree)
            """Whether it renders with any data."""
            whole = _whole_expression(tree) if typed else None
            self.is_whole = whole is not None
            """Whether the template is a single expression, whose type is kept."""
            if whole is not None:
                # As in Jinja's own compile_expression.
                tree = nodes.Template(
                    [nodes.Assign(nodes.Name("result", "store"), whole, lineno=1)], lineno=1
                )
            self._tree: nodes.Template | None = tree
            if height > MAX_SURE_HEIGHT:
                self._compiled()
        except TemplateSyntaxError as error:
            raise as_template_error(error, source) from None
        except (RecursionError, SyntaxError, MemoryError):
            raise TemplateError("this template is nested too deeply") from None

    def _compiled(self) -> Root:
        """The code, generated when it is first needed: most templates are only ever checked."""
        root, tree = self._root, self._tree
        if root is None:
            assert tree is not None  # noqa: S101 - it is kept until there is code
            tree = Bounding().visit(tree)
            tree.set_environment(self._environment)
            template = self._environment.from_string(tree)
            root = self._root = template.root_render_func
            self._line_of = template.get_corresponding_lineno
            self._tree = None
        return root

    def run(self, names: JsonObject) -> Json:
        """The value. Raises TemplateFailure where the data does not fit the expressions."""
        context = Names(self._environment, names)
        try:
            parts = _bounded_parts(self._compiled()(context))
            return json_data(context.vars["result"]) if self.is_whole else "".join(parts)
        except Exception as error:
            # Operators and filters may raise anything for data that they do not expect.
            raise TemplateFailure(reason_of(error), line=self._failed_line(error)) from None

    def _failed_line(self, error: Exception) -> int | None:
        """The line of the template whose code was running."""
        trace, line = error.__traceback__, None
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == _CODE and self._line_of is not None:
                line = self._line_of(trace.tb_lineno)
            trace = trace.tb_next
        return line


def parts_of_result(source: str, write: WriteValue) -> tuple[Reference, ...]:
    """The names in a template whose values can become part of the result. It has been compiled before."""
    return output_references(environment(write).parse(source))


def _whole_expression(tree: nodes.Template) -> nodes.Expr | None:
    """The single expression of a template, or None. A line break after it (YAML's `|`) does not count."""
    if len(tree.body) != 1 or not isinstance(tree.body[0], nodes.Output):
        return None
    match tree.body[0].nodes:
        case [nodes.Expr() as only] | [nodes.Expr() as only, nodes.TemplateData(data="\n")]:
            return None if isinstance(only, nodes.TemplateData) else only
        case _:
            return None


def _bounded_parts(parts: Iterable[str]) -> list[str]:
    kept = []
    length = 0
    for part in parts:
        length += len(part)
        if length > MAX_CHARS:
            bounded(length)
        kept.append(part)
    return kept
