"""A template that is called sure renders whatever the data; one that can fail is never called so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.call.templates.template import compile_template

SURE = (
    "{{ a.b }}",
    "{{ a['b'].c }} and {{ b[0] }}",
    "{% if a and not b.c %}{{ a | upper }}{% elif a == 'x' %}{{ b | tojson }}{% else %}{{ c }}{% endif %}",
    "{{ a | default('x') | title | trim }}",
    "{{ a.b or c }}{{ 'x' if a is defined else b }}",
    "{% set x = a.b %}{{ x }}{{ x is none }}{{ a is string }}",
    "{{ now | date_format('%A, %B %d', 'America/New_York') }}",
    "{{ call.started_at | date_format }}",
)
UNSURE = (
    "{{ a + 1 }}",
    "{{ a < b }}",
    "{{ a ~ b }}",
    "{{ a[b] }}",
    "{{ a in b }}",
    "{% for x in a %}{{ x }}{% endfor %}",
    "{{ a | replace('x') }}",
    "{{ a | join }}",
    "{{ a is divisibleby(0) }}",
    "{{ range(a) }}",
    "{{ now | date_format('%A', 'Europe/Berln') }}",
    "{{ now | date_format(a) }}",
    "{{ a | date_format }}",
    "{{ now.a | date_format }}",
    "{{ call.id | date_format }}",
)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("source", SURE)
@given(a=DATA, b=DATA, c=DATA)
def test_a_sure_template_renders_whatever_the_data(source: str, a: object, b: object, c: object) -> None:
    template = compile_template(source)
    assert template.is_sure
    time = "2026-11-23T20:00:00Z"
    template.value({"a": a, "b": b, "c": c, "now": time, "call": {"started_at": time}})


@pytest.mark.parametrize("source", UNSURE)
def test_a_template_that_can_fail_is_not_sure(source: str) -> None:
    assert not compile_template(source).is_sure


def test_a_text_without_expressions_is_sure() -> None:
    assert compile_template("Hello.").is_sure
