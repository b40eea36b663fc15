"""A mistyped command, option or value: one line, and the one that was meant."""

import pytest

from runner.cli.main import OK, USAGE, main

COMMANDS = '"phone-agents --help" shows what there is'


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("valdate", 'phone-agents: there is no command "valdate"; did you mean "validate"?'),
        ("Run --host x", 'phone-agents: there is no command "Run"; did you mean "run"?'),
        ("agents", f'phone-agents: there is no command "agents"; {COMMANDS}'),
        ("valdate --help", 'phone-agents: there is no command "valdate"; did you mean "validate"?'),
        ("", f"phone-agents: missing: COMMAND; {COMMANDS}"),
        ("--versoin", 'phone-agents: there is no option "--versoin"; did you mean "--version"?'),
        (
            "validate --fomat json",
            'phone-agents validate: there is no option "--fomat"; did you mean "--format"?',
        ),
        (
            "validate --form=json",
            'phone-agents validate: there is no option "--form"; did you mean "--format"?',
        ),
        (
            "validate -format json",
            'phone-agents validate: there is no option "-format"; did you mean "--format"?',
        ),
        (
            "explain --agnet x",
            'phone-agents explain: there is no option "--agnet"; '
            '"phone-agents explain --help" shows what there is',
        ),
        ("validate --format jsn", 'phone-agents validate: --format is "jsn"; did you mean "json"?'),
        (
            "validate --format xy",
            'phone-agents validate: --format is "xy"; write "text", "json", "github", "sarif" or "junit"',
        ),
        ("schema agnt", 'phone-agents schema: kind is "agnt"; did you mean "agent"?'),
        ("calls shw", 'phone-agents calls: there is no action "shw"; did you mean "show"?'),
        (
            "calls --dir x --folow show 1",
            'phone-agents calls: there is no option "--folow"; did you mean "--follow"?',
        ),
        (
            "test --run",
            'phone-agents test: --run: expected one argument; "phone-agents test --help" shows what there is',
        ),
        ("explain agents a b", f'phone-agents: unexpected argument "b"; {COMMANDS}'),
        (
            "run --port abc",
            'phone-agents run: --port: "abc" is not a valid port; write a number from 0 to 65535',
        ),
    ],
)
def test_the_word_that_was_meant_is_told(
    words: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words.split()) == USAGE
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", f"{message}\n")


def test_what_looks_like_an_option_and_is_a_value_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "--", "agent"]) == OK
    assert main(["schema", "-1"]) == USAGE
    assert 'kind is "-1"' in capsys.readouterr().err
