"""Parses command lines, and suggests a word for a mistyped one. Runs nothing."""

import argparse
import re
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from runner.config.checking.suggest import did_you_mean, nearest, one_of

_WRONG_USAGE = 2
"""argparse's own exit code, and ours."""
_NEGATIVE_NUMBER = re.compile(r"-\d+|-\d*\.\d+")


class CommandParser(argparse.ArgumentParser):
    """argparse with other messages: one line for a mistake, with the word that was probably meant.

    Options cannot be abbreviated: what is short for one today would be ambiguous tomorrow.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **settings})

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse options; ends the process, as argparse does, on a mistake."""
        options, unknown = self.parse_known_args(args, namespace)
        if unknown:
            self.error(f'unexpected argument "{unknown[0]}"')
        return options

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse, but an unknown option is reported before anything else."""
        for word in self._options(args or ()):
            name = word.partition("=")[0]
            if name not in self._option_string_actions:
                self.error(f'there is no option "{name}"{self._instead_of(name)}')
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """End the process with what is wrong, and where to find help."""
        message = message.removeprefix("argument ").replace(
            "the following arguments are required:", "missing:"
        )
        hint = "" if ";" in message else f'; "{self.prog} --help" shows what there is'
        self.exit(_WRONG_USAGE, f"{self.prog}: {message}{hint}\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        choices = list(action.choices)
        name = action.option_strings[-1] if action.option_strings else (action.metavar or action.dest)
        hint = did_you_mean(str(value), choices)
        if isinstance(action, argparse._SubParsersAction):
            self.error(f'there is no {str(name).lower()} "{value}"{hint}')
        self.error(f'{name} is "{value}"{hint or f"; write {one_of(choices)}"}')

    def _options(self, words: Sequence[str]) -> Iterator[str]:
        """The words that are options of this parser, and of no command below it."""
        is_value = False
        for word in words:
            if word == "--" or (self._subparsers is not None and not word.startswith("-") and not is_value):
                return
            option = self._option_string_actions.get(word)
            is_value = option is not None and option.nargs != 0
            if word.startswith("-") and word != "-" and not _NEGATIVE_NUMBER.fullmatch(word):
                yield word

    def _instead_of(self, name: str) -> str:
        known = {option.lstrip("-"): option for option in self._option_string_actions}
        near = nearest(name.lstrip("-"), known)
        return f'; did you mean "{known[near]}"?' if near else ""
