"""Writes a value into a query or a form: names with texts, not encoded yet. A null is never sent."""

from collections.abc import Iterator, Mapping

from runner.call.templates.template import as_text
from runner.model.json_text import compact_json
from runner.model.tool import ParameterStyle
from runner.model.values import Json

_SEPARATORS = {ParameterStyle.COMMAS: ",", ParameterStyle.SPACES: " ", ParameterStyle.PIPES: "|"}


def pairs(name: str, value: Json, style: ParameterStyle | None) -> Iterator[tuple[str, str]]:
    """The pairs for a named value. Without a style a list repeats the name and an object is JSON."""
    if value is None:
        return
    if style is ParameterStyle.JSON:
        yield name, compact_json(value)
    elif style is ParameterStyle.BRACKETS and isinstance(value, (list, Mapping)):
        yield from _bracketed(name, value)
    elif style is ParameterStyle.NAMES and isinstance(value, Mapping):
        for key, entry in value.items():
            yield from pairs(key, entry, None)
    elif style in _SEPARATORS and isinstance(value, (list, Mapping)):
        texts = [as_text(entry) for entry in _flat(value) if entry is not None]
        if texts:
            yield name, _SEPARATORS[style].join(texts)
    else:
        for entry in value if isinstance(value, list) else [value]:
            if entry is not None:
                yield name, as_text(entry)


def _flat(value: Json) -> Iterator[Json]:
    """The entries of a list; the keys of an object, each before its value."""
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield from () if entry is None else (key, entry)
    else:
        yield from value


def _bracketed(name: str, value: Json) -> Iterator[tuple[str, str]]:
    """OpenAPI leaves lists open here. Most servers read `[]`, and numbers where objects are inside."""
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _bracketed(f"{name}[{key}]", entry)
    elif isinstance(value, list):
        is_plain = not any(isinstance(entry, (list, Mapping)) for entry in value)
        for index, entry in enumerate(value):
            yield from _bracketed(f"{name}[]" if is_plain else f"{name}[{index}]", entry)
    elif value is not None:
        yield name, as_text(value)
