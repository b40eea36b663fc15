"""Chooses the branch of a union that a mapping was meant to be, so that only that one is checked."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from runner.config.checking.other_words import our_word
from runner.config.checking.suggest import did_you_mean, nearest, one_of
from runner.config.node import Node
from runner.model.values import JsonObject, Place

_OUR_TOOL = "{name: …, description: …, parameters: …, http: …}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """Why no branch can be chosen. The mapping cannot be checked further."""

    place: Place
    rule: str
    message: str


def by_tag(node: Node, tag: str, branches: Mapping[str, JsonObject], subject: str) -> JsonObject | Mistake:
    """The branch named by the value of one key, e.g. `type: server_vad`."""
    value = node.get(tag)
    if value is None:
        message = f'{subject} needs the key "{tag}": {one_of(branches)}'
        return Mistake(place=node.place, rule="missing-key", message=message)
    if value.text in branches:
        return branches[value.text]
    near = nearest(value.text, branches)
    hint = f'did you mean "{near}"?' if near else f"write {one_of(branches)}"
    return Mistake(place=value.place, rule="value", message=f'"{tag}" is "{value.text}"; {hint}')


def by_key(
    node: Node,
    branches: Mapping[str, JsonObject],
    common: Collection[str],
    flat: Callable[[JsonObject], JsonObject],
    *,
    subject: str,
    right: str,
) -> JsonObject | Mistake:
    """The branch whose own key is there, e.g. `http` in a tool. `right` says what would be.

    `common` are the keys that stand beside those of any branch; `flat` reads a schema's `$ref`.
    """
    present = [key for key in branches if node.get(key) is not None]
    for key in present:
        properties = branches[key].get("properties", {})
        if all(other == key or other in properties for other in present):
            return branches[key]
    if present:
        first, second = sorted(present, key=node.key_place)[:2]
        message = f'"{second}" cannot be combined with "{first}"; {right}'
        return Mistake(place=node.key_place(second), rule="one-of", message=message)
    known = {*common, *(key for branch in branches.values() for key in branch.get("properties", {}))}
    unknown = next((key for key, _ in node.items() if key not in known), None)
    if unknown is not None:
        hint = (
            _typed(node, unknown, branches)
            or _in_our_words(unknown, branches)
            or did_you_mean(unknown, branches)
            or _inside(unknown, branches, flat)
            or f"; {right}"
        )
        message = f'unknown key "{unknown}"{hint}'
        return Mistake(place=node.key_place(unknown), rule="unknown-key", message=message)
    what = "incomplete" if node.value else "empty"
    return Mistake(place=node.place, rule="one-of", message=f"{subject} is {what}; {right}")


def _in_our_words(word: str, branches: Collection[str]) -> str:
    ours = our_word(word, branches)
    return f'; did you mean "{ours}"?' if ours is not None else ""


def _typed(node: Node, key: str, branches: Collection[str]) -> str:
    """The API and many products name the branch in a `type` beside its content."""
    if key == "function" and "http" in branches:
        return f"; leave it out, and write {_OUR_TOOL}"
    value = node.get("type")
    if key != "type" or value is None:
        return ""
    if value.text in branches:
        return f"; write {{{value.text}: …}}, with the rest inside of it"
    if value.text == "function" and "http" in branches:
        return f"; leave it out, and write {_OUR_TOOL}"
    return ""


def _inside(key: str, branches: Mapping[str, JsonObject], flat: Callable[[JsonObject], JsonObject]) -> str:
    below = {name: flat(branch.get("properties", {}).get(name, {})) for name, branch in branches.items()}
    names = [name for name, schema in below.items() if key in schema.get("properties", {})]
    return f'; it belongs inside of "{names[0]}"' if len(names) == 1 else ""
