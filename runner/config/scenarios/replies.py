"""Builds a scenario's replies to the requests of a call, and finds replies that are never used."""

import json
from collections.abc import Iterator

from runner.config.building.duration import duration_s
from runner.config.checking.suggest import one_of
from runner.config.node import Node
from runner.config.problem import Problems
from runner.config.scenarios.scenario_scope import ScenarioScope
from runner.model.action import LOOKUP
from runner.model.scenario import IF_BROKEN, NoReply, Replies, Reply, TransferEnd
from runner.model.values import Place

_FAILURES = {each.value: each for each in NoReply}
_ENDS = {each.value: each for each in TransferEnd}
_NOBODY = {LOOKUP: "no agent has a lookup", IF_BROKEN: 'no agent transfers calls in "if_broken"'}


def build_replies(node: Node | None, problems: Problems) -> dict[str, Replies]:
    """The replies by the names of their requests."""
    replies: dict[str, Replies] = {}
    for name, value in node.items() if node is not None else ():
        in_turn = isinstance(value.value, tuple)
        entries = value.entries() if in_turn else (value,)
        replies[name] = Replies(
            entries=tuple(_reply(entry, problems) for entry in entries), in_turn=in_turn, place=value.place
        )
    return replies


def _reply(node: Node, problems: Problems) -> Reply | TransferEnd:
    if isinstance(node.value, str) and node.value in _ENDS:
        return _ENDS[node.text]
    if isinstance(node.value, str):
        return Reply(failure=_FAILURES[node.value])
    named = [key for key in _FAILURES if node.get(key) is not None]
    beside = [key for key, _ in node.items() if key not in {*named[:1], "delay"}]
    if named and (beside or (named == ["timeout"] and node.get("delay") is not None)):
        other = beside[0] if beside else "delay"
        message = f'"{other}" cannot be combined with "{named[0]}", which is not a reply'
        problems.error(node.key_place(other), "one-of", message)
    delay, status, text, body, kind = (
        node.get(key) for key in ("delay", "status", "text", "json", "content_type")
    )
    content, default = None, ""
    if body is not None:
        content, default = json.dumps(body.data(), ensure_ascii=False), "application/json"
    elif text is not None:
        content, default = text.text, "text/plain; charset=utf-8"
    return Reply(
        status=int(status.text) if status is not None else None,
        body=content.encode() if content is not None else None,
        content_type=kind.text if kind is not None else default,
        delay_s=duration_s(delay, problems, at_least_s=0.0) or 0.0,
        failure=_FAILURES[named[0]] if named else None,
    )


def check_replies(scenario: Node, scope: ScenarioScope, problems: Problems) -> None:
    """Note replies under unknown names, of a wrong kind, and for requests that the scenario never makes."""
    called: set[str] = set()
    names: set[str] = set()
    for step in scenario.entries_at("steps"):
        calls = step.get("model_calls")
        entries = () if calls is None else calls.entries() or (calls,)
        before = names if step.get("restart") is not None else set()
        names = {name for entry in entries for name in entry.key_places}
        called |= names
        names |= before  # What a restart has cut short may be sent again.
        for name, place, value in _named(step.get("replies")):
            if not scope.check_tool(name, place, problems):
                continue
            if name not in names:
                message = f'this step does not call "{name}", so that this reply is never used'
                problems.error(place, "unused-reply", message)
            else:
                _check_kind(name, value, scope, problems)
    for name, place, value in _named(scenario.get("replies")):
        if not scope.check_tool(name, place, problems, [LOOKUP, IF_BROKEN]):
            continue
        if name not in called and name not in {LOOKUP, IF_BROKEN}:
            message = f'no step calls "{name}", so that this reply is never used'
            problems.error(place, "unused-reply", message)
        else:
            _check_kind(name, value, scope, problems)


def _check_kind(name: str, value: Node, scope: ScenarioScope, problems: Problems) -> None:
    asks, transfers = scope.asks(name), scope.transfers(name)
    if not scope.is_whole:
        return
    if not asks and not transfers:
        nobody = _NOBODY.get(name, f'"{name}" sends no request')
        message = f"{nobody}, so that this reply is never used"
        problems.error(value.place, "unused-reply", message)
        return
    for entry in value.entries() or (value,):
        is_end = isinstance(entry.value, str) and entry.value in _ENDS
        if is_end and not transfers:
            message = f'"{name}" is not a transfer, so it is never "{entry.text}"'
            problems.error(entry.place, "reply-kind", message)
        elif not is_end and not asks:
            message = f'"{name}" is a transfer; its reply is {one_of(_ENDS)}'
            problems.error(entry.place, "reply-kind", message)


def _named(replies: Node | None) -> Iterator[tuple[str, Place, Node]]:
    for name, value in replies.items() if replies is not None else ():
        yield name, replies.key_place(name) if replies is not None else value.place, value
