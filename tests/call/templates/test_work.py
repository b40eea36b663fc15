"""Templates that would work for minutes, or fill the memory: each is given up at once."""

import time

import pytest

from runner.call.templates.template import compile_template
from runner.errors import TemplateFailure
from tests.cpu import took_at_most

TEXT = ("The quick brown fox, jumps. " * 40_000)[:1_000_000]
WORDS = [f"w{i}" for i in range(5_000)]
NUMBERS = list(range(50_000))
ROWS = [{"a": i, "n": "x" * 90} for i in range(5_000)]
NAMES = {"vars": {"text": TEXT, "words": WORDS, "numbers": NUMBERS, "rows": ROWS}}

TOO_MUCH = "it takes too much work"
TOO_LONG = "the result would be longer than 1000000 characters"


def doubled(start: str, double: str, times: int = 40) -> str:
    return f"{{% set a = {start} %}}" + f"{{% set a = {double} %}}" * times


def in_loop(body: str) -> str:
    return "{% for x in range(10000) %}" + body + "{% endfor %}"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (doubled("'x'", "a + a") + "{{ a | length }}", TOO_LONG),
        (doubled("'x'", "a ~ a") + "{{ a | length }}", TOO_LONG),
        (doubled("[1]", "a + a") + "{{ a | length }}", TOO_MUCH),
        (doubled("'x'", "[a, a]") + "{{ a }}", TOO_MUCH),
        (doubled("'x'", "(a, a)") + "{{ a | length }}", TOO_MUCH),
        (doubled("'x'", "{'a': a, 'b': a}") + "{{ a | length }}", TOO_MUCH),
        (in_loop("{{ vars.text | upper | length }}"), TOO_MUCH),
        (in_loop("{{ vars.text == vars.text ~ '' }}"), TOO_MUCH),
        (in_loop("{{ 'no' in vars.words }}"), TOO_MUCH),
        (in_loop("{{ 'no' is in(vars.words) }}"), TOO_MUCH),
        (in_loop("{{ (vars.words + ['a']) is none }}"), TOO_MUCH),
        (in_loop("{{ [vars.numbers] | length }}"), TOO_MUCH),
        (in_loop("{{ vars.rows | tojson | length }}"), TOO_MUCH),
        (in_loop("{{ vars.rows | groupby('a') | length }}"), TOO_MUCH),
        (in_loop("{{ x }}{{ x }}{{ x }}{{ x }}{{ x }}{{ x }}{{ x }}{{ x }}" * 3), TOO_MUCH),
        ("{{ vars.words | select('in', vars.words) | list | length }}", TOO_MUCH),
        ("{{ vars.rows | selectattr('a', 'in', vars.numbers) | list | length }}", TOO_MUCH),
        ("{{ vars.words | map('replace', 'w', vars.text) | list | length }}", TOO_MUCH),
        ("{{ vars.text | wordwrap(1) | length }}", TOO_MUCH),
        ("{{ vars.text | title | length }}", TOO_MUCH),
        ("{{ vars.text | sort | length }}", TOO_MUCH),
        ("{{ '%s%s' | format(vars.text, vars.text) | length }}", TOO_LONG),
    ],
)
def test_a_template_that_does_too_much_is_given_up(source: str, reason: str) -> None:
    template = compile_template(source)
    started = time.process_time()
    with pytest.raises(TemplateFailure) as failed:
        template.value(NAMES)
    assert str(failed.value).endswith(f"failed: {reason}")
    assert took_at_most(time.process_time() - started, 5)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("{{ vars.text | upper | length }}", 1_000_000),
        ("{{ vars.words | map('upper') | join(',') | length }}", 28_889),
        ("{{ vars.words | map('wordwrap', 20) | list | length }}", 5_000),
        ("{{ vars.rows | selectattr('a', 'eq', 7) | map(attribute='a') | first }}", 7),
        ("{{ vars.numbers | sum }}", 1_249_975_000),
        ("{{ vars.words | sort | last }}", "w999"),
        ("{{ 'w4999' in vars.words }}", True),
        ("{{ vars.text | truncate(9) }}", "The..."),
        ("{{ ('a' + 'b', [1] + [2], 1 + 2) | tojson }}", '["ab",[1,2],3]'),
        ("{% for x in vars.words %}{{ x }}{% endfor %}", "".join(WORDS)),
        ("{% for a, b in {'k': 1}.items %}{% endfor %}{{ (1, 2) == (1, 2) }}", "true"),
    ],
)
def test_what_texts_are_made_of_is_done(source: str, value: object) -> None:
    assert compile_template(source).value(NAMES) == value


def test_a_template_of_many_expressions_takes_time_in_proportion() -> None:
    def seconds(count: int) -> float:
        started = time.process_time()
        compile_template("{{ vars.a }} x\n" * count)
        return time.process_time() - started

    assert seconds(4_000) < 40 * max(seconds(250), 0.0025)
