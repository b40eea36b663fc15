"""Tables of commands, their options and the rules of `validate`, made from what the program itself says."""

import argparse
from collections.abc import Iterator
from importlib import import_module

from runner.cli.main import COMMANDS
from runner.config.checking.rules import RULES, Pass
from tests.docs.pages import table


def parser(command: str) -> argparse.ArgumentParser:
    """The parser of one command, or of an action of it such as `calls show`, as the program makes it."""
    name, *action = command.split()
    made = argparse.ArgumentParser(prog=f"phone-agents {name}", exit_on_error=False)
    import_module(f"runner.cli.{name}").configure(made)
    return actions(made)[action[0]] if action else made


def actions(of: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers of a command's actions, by their names."""
    found = (each for each in of._actions if isinstance(each, argparse._SubParsersAction))
    return {name: parser for each in found for name, parser in each.choices.items()}


def commands_table() -> str:
    """Every command with its summary."""
    rows = [(f"[`{command}`](#{command})", summary) for command, summary in COMMANDS.items()]
    return table(("command", "does"), rows)


def options_table(command: str) -> str:
    """Every argument and option of one command."""
    return table(("option", "meaning"), list(_options(command)))


def rules_table() -> str:
    """Every rule of `validate` with its pass."""
    rows = [
        (f"`{name}`", step.value, rule.help)
        for step in Pass
        for name, rule in sorted(RULES.items())
        if rule.step is step
    ]
    return table(("rule", "pass", "asks that"), rows)


def _options(command: str) -> Iterator[tuple[str, ...]]:
    for action in parser(command)._actions:
        if "--help" in action.option_strings or isinstance(action, argparse._SubParsersAction):
            continue
        *_, name = action.option_strings or [""]
        value = "" if action.nargs == 0 else _value(action)
        yield f"`{' '.join(part for part in (name, value) if part)}`", str(action.help)


def _value(action: argparse.Action) -> str:
    if action.metavar is not None:
        return str(action.metavar)
    return "|".join(str(choice) for choice in action.choices or (action.dest.upper(),))
