"""Templates over plain data: what they render, what they refuse, and that their work is bounded."""

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.call.templates.filters import filters
from runner.call.templates.template import TemplateError, TemplateFailure, compile_template, render
from runner.model.template import Templated
from runner.model.values import Json
from tests.cpu import took_at_most

NAMES = {
    "args": {
        "items": [1, 2, None],
        "n": 3,
        "yes": True,
        "text": "x{{ 7*7 }}",
        "map": {"k": None, "a b": 1},
        "none": None,
        "people": [{"name": "Ada", "on": True}, {"name": "Bob", "on": False}],
    },
    "call": {"from": {"number": "+14155550100"}},
    "now": "2026-11-23T20:00:00Z",
    "lookup": None,
}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        # One whole expression keeps its type; a line break after it is YAML's, anything else is text.
        ("{{ args.n }}", 3),
        ("{{ args.n }}\n", 3),
        (" {{ args.n }}", " 3"),
        ("{{ args.n }}{{ args.n }}", "33"),
        ("{{ args.yes }}", True),
        ("{{ args.items }}", [1, 2, None]),
        ("{{ args.map }}", {"k": None, "a b": 1}),
        ("{{ [args.none, args.n] }}", [None, 3]),
        ("{{ args.n + 1.5 }}", 4.5),
        ("{% set x = args.n %}{{ x }}", "3"),
        # In text null is empty, booleans are JSON's, lists and mappings are JSON.
        ("a {{ args.none }}b", "a b"),
        ("{{ args.yes }} {{ not args.yes }}", "true false"),
        ("{{ args.items }} {{ args.map }}", '[1,2,null] {"k":null,"a b":1}'),
        ("{{ 'a' ~ args.yes ~ args.none ~ args.n }}", "atrue3"),
        # Keys come before everything that Python has.
        ("{{ args.items[0] }}", 1),
        ("{{ args['map']['a b'] }}", 1),
        ("{{ args.keys }}", None),
        ("{{ args.text.upper }}", None),
        ("{{ args.text.__class__ }}", None),
        ("{{ args['__class__'] }}", None),
        ("{{ args.people | map(attribute='__class__') | list }}", [None, None]),
        # Null and what does not exist are one.
        ("{{ args.nope.deeper['still'] }}", None),
        ("{{ lookup.name }}", None),
        ("{{ args.none | default('z') }}", "z"),
        ("{{ args.nope | default('z') }}", "z"),
        ("{{ args.nope is none }} {{ args.none == none }} {{ args.none is defined }}", "true true false"),
        ("{{ args.none | upper }}|{{ args.none | length }}", "|0"),
        ("{% for x in args.none %}x{% else %}nothing{% endfor %}", "nothing"),
        ("{% for x in args.items %}{{ loop.index }}:{{ x }} {% endfor %}", "1:1 2:2 3: "),
        ("{% for k, v in args.map | items %}{{ k }}={{ v | upper }};{% endfor %}", "k=;a b=1;"),
        ("{% if args.n > 2 and not args.none %}big{% endif %}", "big"),
        ("{{ 'x' if args.none }}", None),
        # Ordinary filters.
        ("{{ args.people | selectattr('on') | map(attribute='name') | join(', ') }}", "Ada"),
        ("{{ '%.2f' | format(args.n) }}", "3.00"),
        ("{{ args.items | tojson }}", "[1,2,null]"),
        ("{{ 2.567 | round(1) }}", 2.6),
        ("{{ args.items[:2] | sum }}", 3),
        ("{{ range(3) | list }}", [0, 1, 2]),
        ("{{ now | date_format('%H:%M') }}", "20:00"),
        ("{{ now | date_format('%A %H:%M', 'America/New_York') }}", "Monday 15:00"),
        ("{{ '2026-11-27' | date_format('%d.%m.%Y') }}", "27.11.2026"),
        ("{{ args.none | date_format }}", ""),
        # White space is as written; data is never template text.
        ("a\n{% raw %}{{ x }}{% endraw %}\n", "a\n{{ x }}\n"),
        ("{{ args.text }}", "x{{ 7*7 }}"),
        ("{{ args.text | upper }}!", "X{{ 7*7 }}!"),
    ],
)
def test_a_template_renders(source: str, value: Json) -> None:
    rendered = compile_template(source).value(NAMES)
    assert rendered == value
    assert type(rendered) is type(value)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{{ args.n / 0 }}", "division by zero"),
        ("{{ args.none + 1 }}", '"none" is null'),
        ("{{ args.n < 'a' }}", '"<" cannot compare a number and text'),
        ("{{ args.none | round }}", '"round" does not work on null'),
        ("{{ 'x' | abs }}", '"abs" does not work on text'),
        ("{{ -'x' }}", '"-" does not work on text'),
        ("{{ 'x' in args.n }}", '"in" cannot search a number'),
        ("{{ args.n | first }}", "a list is needed here, not a number"),
        ("{{ range('x') }}", "a whole number is needed here, not text"),
        ("{{ {[]: 1} }}", "a list cannot be a key"),
        ("{{ 'x'[0:'y'] }}", "a slice has whole numbers, as in [0:3]"),
        ("{{ 'x' * 10**9 }}", '"*" works on numbers only'),
        ("{{ '%999d' % 3 }}", '"%" works on numbers only'),
        ("{{ [1] * 10**9 }}", '"*" works on numbers only'),
        ("{{ 2 ** 10_000 }}", "the number is too large"),
        ("{{ 1e300 ** 2.0 }}", "the number is too large"),
        ("{{ range(10**6) | list }}", "the range has more than 10000 entries"),
        ("{{ 'x' | center(10**9) }}", "a width of 1000000000 is too large, at most 1000"),
        ("{{ 'x' | indent(10**9) }}", "a width of 1000000000 is too large, at most 1000"),
        ("{{ '%1000000000d' | format(1) }}", "the format is too wide"),
        ("{{ '%*d' | format(10**9, 1) }}", "the format is too wide"),
        ("{{ 1.5 | round(10**9, 'ceil') }}", "cannot round to 1000000000 digits, at most 15"),
        (
            "{{ '2026-11-27' | date_format(5) }}",
            'the format and the time zone of a date are texts, such as "%A"',
        ),
        (
            "{{ '2026-11-27' | date_format('%A', 5) }}",
            'the format and the time zone of a date are texts, such as "%A"',
        ),
        ("{{ 'soon' | date_format }}", "the value is not a date or time such as 2026-11-27T09:30:00Z"),
        (
            "{{ now | date_format('%H', 'Mars/Base') }}",
            'there is no time zone "Mars/Base"; write one such as America/New_York',
        ),
        ("{% for x in args.n %}{% endfor %}", "a loop goes through a list or a mapping"),
        (
            "{% for x in range(999) %}{% for y in range(999) %}{% endfor %}{% endfor %}",
            "the loops run more than 10000 times",
        ),
        ("{{ args.n | items }}", "only a mapping has items"),
        ("{{ range }}", "the value of the expression is not data"),
        ("a {{ range }}", "the value of the expression is not data"),
        ("{{ '1e999' | float }}", "inf is not a number that JSON can hold"),
    ],
)
def test_what_data_and_expression_cannot_do_together_fails_with_its_reason(source: str, reason: str) -> None:
    with pytest.raises(TemplateFailure) as caught:
        compile_template(source).text(NAMES)
    assert str(caught.value).endswith(f'" failed: {reason}')


def test_the_failure_names_the_template_in_short() -> None:
    with pytest.raises(TemplateFailure) as caught:
        compile_template("Dear caller,\n  {{ 1 / args.zero }} " + "and so on " * 20).text(
            {"args": {"zero": 0}}
        )
    shown = "Dear caller, {{ 1 / args.zero }} and so on and so on and so…"
    assert str(caught.value) == f'the template "{shown}" failed: division by zero'


@pytest.mark.parametrize(
    "source",
    [
        "{{ big | replace('', big) }}",
        "{{ many | join(big) }}",
        "{% for a in many %}{{ big }}{{ big }}{% endfor %}",
        "{{ big ~ big ~ big ~ big ~ big ~ big ~ big ~ big ~ big ~ big ~ big }}",
        "{{ big | indent(1000) }}",
    ],
)
def test_no_text_grows_beyond_a_million_characters(source: str) -> None:
    names = {"big": "a\n" * 50_000, "many": ["x"] * 100}
    with pytest.raises(TemplateFailure, match="the result would be longer than 1000000 characters"):
        compile_template(source).text(names)


def test_loops_over_the_models_data_are_bounded_in_time() -> None:
    names = {"rows": [1] * 5_000}
    template = compile_template(
        "{% for a in rows %}{% for b in rows %}{% for c in rows %}{% endfor %}{% endfor %}{% endfor %}"
    )
    began = time.process_time()
    with pytest.raises(TemplateFailure):
        template.text(names)
    assert took_at_most(time.process_time() - began, 1)


@pytest.mark.parametrize(
    ("source", "place", "message"),
    [
        ("{{ a b }}", (1, 6), 'this template cannot be read: expected "}}", got "b"'),
        ("a {{ b", (1, 3), 'this "{{" is never closed; it ends with "}}"'),
        ("a\n{{ b\n{% if c %}d{% endif %}", (2, 1), 'this "{{" is never closed; it ends with "}}"'),
        ("{{ a {{ b }}", (1, 1), 'this "{{" is never closed; it ends with "}}"'),
        ("{% if {{ a }} %}b{% endif %}", (1, 7), 'names stand without braces between "{%" and "%}"'),
        ("{% if a\n{% if b %}c{% endif %}", (1, 1), 'this "{%" is never closed; it ends with "%}"'),
        ("{{ a }", (1, 6), 'this template cannot be read: unexpected "}"; an expression ends with "}}"'),
        ("{% if a }}", (1, 9), 'this template cannot be read: unexpected "}"; a statement ends with "%}"'),
        ("{{ 'a }}", (1, 4), "this quote is never closed"),
        ("{{ a = b }}", (1, 6), '"=" is not an operator here; write "==" to compare'),
        ("{{ a === b }}", (1, 6), '"===" is not an operator here; write "=="'),
        ("{{ a !== b }}", (1, 6), '"!==" is not an operator here; write "!="'),
        ("{{ a && b }}", (1, 6), '"&&" is not an operator here; write "and"'),
        ("{{ a || b }}", (1, 6), '"||" is not an operator here; write "or"'),
        ("{{ !a }}", (1, 4), '"!" is not an operator here; write "not"'),
        ("{{ a ?? b }}", (1, 6), '"??" is not an operator here; write "| default(…)"'),
        ("{{ a?.b }}", (1, 5), '"?." is not an operator here; write "."; what does not exist is null'),
        ("{{ a ? b : c }}", (1, 6), '"?" is not an operator here; write "a if condition else b"'),
        ("a\n  b {{ $ }}", (2, 8), 'this template cannot be read: unexpected char "$"'.replace('"$"', '"$"')),
        ("{{ a[ }}", (1, 7), 'this template cannot be read: unexpected "}", expected "]"'),
        (
            "{% if a %}x",
            (1, 11),
            'this template cannot be read: unexpected end of template: "if" is not closed; '
            'it ends with "{% endif %}"',
        ),
        ("{%- vars.a -%}", (1, 5), '"{% … %}" holds no expression; write "{{ vars.a }}"'),
        ("a {{{ vars.a }}}", (1, 3), 'an expression stands in two braces, "{{ … }}", not in three'),
        ("{% foo %}", (1, 4), '"foo" is not supported in templates; use "if", "for", "set" or "raw"'),
        ("{{" + "(" * 900 + "1" + ")" * 900 + "}}", (1, 1), "this template is nested too deeply"),
        ("{{ a }}{% x %}" * 2_001, (1, 1), "this template has 4,002 expressions, at most 4,000 are allowed"),
        (
            "x\n  {{ args.items() }}",
            (2, 16),
            '".items()" cannot be called: data has no methods; write "| items"',
        ),
        ("{{ name.encode('x') }}", (1, 15), '".encode()" cannot be called: data has no methods'),
        ("{{ cycler(1) }}", (1, 10), '"cycler()" cannot be called; templates have no functions but range()'),
        ("{{ ''['x']() }}", (1, 11), "this cannot be called; templates have no functions but range()"),
        ("{{ x | uper }}", (1, 8), 'unknown filter "uper"; did you mean "upper"?'),
        ("{{ x | attr('y') }}", (1, 8), 'unknown filter "attr"'),
        ("{{ x | _each }}", (1, 8), 'unknown filter "_each"'),
        ("{{ x | map('nope') }}", (1, 8), 'unknown filter "nope"'),
        ("{{ x | selectattr('a', 'numbr') }}", (1, 8), 'unknown test "numbr"; did you mean "number"?'),
        ("{{ x is numer }}", (1, 6), 'unknown test "numer"; did you mean "number"?'),
        (
            "{% include 'x' %}",
            (1, 4),
            '"include" is not supported in templates; use "if", "for", "set" or "raw"',
        ),
        (
            "{% import 'x' as y %}",
            (1, 4),
            '"import" is not supported in templates; use "if", "for", "set" or "raw"',
        ),
        (
            "{% from 'x' import y %}",
            (1, 4),
            '"from" is not supported in templates; use "if", "for", "set" or "raw"',
        ),
        (
            "{% extends 'x' %}",
            (1, 4),
            '"extends" is not supported in templates; use "if", "for", "set" or "raw"',
        ),
        (
            "{% macro f() %}{% endmacro %}",
            (1, 4),
            '"macro" is not supported in templates; use "if", "for", "set" or "raw"',
        ),
        (
            "{% set x %}a{% endset %}",
            (1, 4),
            '"set … endset" is not supported in templates; use "if", "for", "set" or "raw"',
        ),
        ("{% for x in y recursive %}{% endfor %}", (1, 4), '"recursive" is not supported in templates'),
        ("{% set a.b = 1 %}", (1, 8), '"a.b" cannot be set; only a plain name can'),
    ],
)
def test_a_mistake_is_told_with_its_place(source: str, place: tuple[int, int], message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        compile_template(source)
    assert (str(caught.value), (caught.value.line, caught.value.column)) == (message, place)


def test_references_are_what_a_template_takes_from_outside_with_exact_places() -> None:
    source = (
        "Hi {{ args.a }} {{ args.b if call.from.x else args.c['d'] }}\n"
        "  {%- for i in args.l if i.ok %} {{ i.x }} {{ loop.index }} {{ args[i] }}{% endfor %}{{ i }}\n"
        "{% set y = vars.q %}{{ y.z }} {{ args.a | default(vars.z.w) }} {{ args.l[0].x }}"
    )
    found = [(str(r), r.line, r.column, r.open_end) for r in compile_template(source).references]
    assert sorted(found, key=lambda entry: entry[1:3]) == [
        ("args.a", 1, 7, False),
        ("args.b", 1, 20, False),
        ("call.from.x", 1, 30, False),
        ("args.c.d", 1, 47, False),
        ("args.l", 2, 16, False),
        ("args", 2, 64, True),
        ("i", 2, 89, False),
        ("vars.q", 3, 12, False),
        ("args.a", 3, 34, False),
        ("vars.z.w", 3, 51, False),
        ("args.l", 3, 67, True),
    ]


def test_templates_are_equal_when_they_are_written_the_same() -> None:
    assert compile_template("{{ a }}") == compile_template("{{ a }}")
    assert compile_template("{{ a }}") != compile_template("{{ b }}")
    assert hash(compile_template("{{ a }}")) == hash(compile_template("{{ a }}"))


def test_render_goes_through_a_tree_and_leaves_keys_alone() -> None:
    tree: Templated = {
        "{{ k }}": [compile_template("{{ args.n }}"), compile_template("n={{ args.n }}"), True, None, 1.5]
    }
    assert render(tree, NAMES) == {"{{ k }}": [3, "n=3", True, None, 1.5]}


NEED_ARGUMENTS = ("groupby", "map", "rejectattr", "replace", "selectattr")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_a_whole_expression_gives_the_data_as_it_is(value: Json) -> None:
    assert compile_template("{{ args.x }}").value({"args": {"x": value}}) == value


@given(st.text() | st.sampled_from(["{{ secrets.A }}", "{% for x in y %}", "{{ ''.__class__ }}", "{#", "}}"]))
def test_data_is_never_template_text(value: str) -> None:
    names = {"args": {"x": value}, "secrets": {"A": "hidden"}}
    assert compile_template("<{{ args.x }}>").text(names) == f"<{value}>"


@given(
    JSON,
    st.sampled_from(
        [name for name in filters if name not in NEED_ARGUMENTS]
        + ["replace('a', 'b')", "map('upper')", "groupby('a')"]
    ),
)
def test_whatever_the_data_a_filter_gives_data_or_a_template_failure(value: Json, name: str) -> None:
    template = compile_template("{{ args.x | " + name + " }}{% for y in args.x %}{{ y.a }}{% endfor %}")
    with suppress(TemplateFailure):
        assert isinstance(template.text({"args": {"x": value}}), str)


@pytest.mark.parametrize("height", range(1, 40))
def test_a_template_that_python_cannot_compile_is_refused_when_it_is_read(height: int) -> None:
    """Compiling waits until a template is rendered; what is read without a complaint must compile then."""
    loops = "".join(f"{{% for x{i} in [1] %}}" for i in range(height)) + "a" + "{% endfor %}" * height
    sums = "{{ " + "(" * height + "1" + " + 1)" * height + " }}"
    branches = "{% if 1 %}" * height + "a" + "{% endif %}" * height
    for source in (loops, sums, branches):
        with suppress(TemplateError):
            assert compile_template(source).value({}) in ("a", height + 1)


@pytest.mark.parametrize(
    "source", ["{% for loop in [1] %}{% endfor %}", "{% for x in [1] %}{% set loop = 1 %}{% endfor %}"]
)
def test_the_name_of_a_loop_is_its_own(source: str) -> None:
    with pytest.raises(TemplateError, match=r'^"loop" is reserved for the loop itself; choose another name$'):
        compile_template(source)


def test_the_same_text_is_compiled_once() -> None:
    assert compile_template("{{ args.n }}x") is compile_template("{{ args.n }}x")
