"""Builds an agent's conduct of a call: its limits, keys, guardrails, and the way out when the model fails."""

from collections.abc import Iterable, Iterator

from runner.api.realtime.facts import LONGEST_S
from runner.call.regex import compile_regex
from runner.config.building.destination import build_destination
from runner.config.building.duration import duration_s
from runner.config.building.templates import spoken, template
from runner.config.checking.scope import Scope
from runner.config.node import Node
from runner.config.problem import Problems
from runner.model.agent import Guardrail, IfBroken, Keys, Limits, Silence, Then, WindDown
from runner.model.call import Role
from runner.model.price import PriceList


def build_limits(
    node: Node | None, *, models: Iterable[str], prices: PriceList, scope: Scope, problems: Problems
) -> Limits:
    """`limits`. One that cannot be enforced (an unknown price) is an error, one that is never reached a
    warning.

    `models` are those that a call pays for.
    """
    if node is None:
        return Limits()
    default = Limits()
    duration, most = node.get("max_duration"), node.get("max_cost")
    seconds = duration_s(duration, problems, at_least_s=1.0)
    if duration is not None and seconds is not None and seconds > LONGEST_S:
        longest = f"{LONGEST_S / 60:g} minutes"
        message = f'"{duration.text}" is never reached: the voice API ends every call after {longest}'
        problems.warning(duration.place, "never-reached", message)
    unknown = [model for model in models if prices.of(model) is None]
    if most is not None and unknown:
        message = (
            f'the price of "{unknown[0]}" is not known, so "max_cost" could not be enforced; declare it in'
            ' runner.yaml, at "provider.prices"'
        )
        problems.error(node.key_place("max_cost"), "unknown-price", message)
    return Limits(
        max_duration_s=seconds or default.max_duration_s,
        wind_down=_wind_down(node.get("wind_down"), seconds or default.max_duration_s, scope, problems),
        silence=_silence(node.get("silence"), scope, problems),
        max_cost_usd=float(most.text) if most is not None else None,
        max_tool_calls=_count(node.get("max_tool_calls")),
        concurrent_calls=_count(node.get("concurrent_calls")),
        calls_per_day=_count(node.get("calls_per_day")),
        ghost_after_s=duration_s(node.get("ghost_after"), problems),
    )


def build_keys(node: Node | None, problems: Problems) -> Keys | None:
    """`keys`; without it, pressed keys change nothing."""
    if node is None:
        return None
    until, private = node.get("until"), node.get("private")
    return Keys(
        until=until.text if until is not None else None,
        timeout_s=duration_s(node.get("timeout"), problems) or Keys().timeout_s,
        max_keys=_count(node.get("max")),
        private=private is not None and private.value is True,
    )


def build_if_broken(node: Node | None, scope: Scope, problems: Problems) -> IfBroken:
    """`if_broken`; without it, a call whose model fails is hung up."""
    if node is None:
        return IfBroken()
    return IfBroken(
        transfer=build_destination(node.get("transfer"), scope, problems),
        say=spoken(node.get("say"), scope, problems),
    )


def build_guardrails(entries: Iterable[Node], scope: Scope, problems: Problems) -> Iterator[Guardrail]:
    """`guardrails`, each with a pattern that RE2 accepts."""
    for entry in entries:
        name, on, matches, then = (entry.get(key) for key in ("name", "on", "matches", "then"))
        say, is_pattern = spoken(entry.get("say"), scope, problems), _check_pattern(matches, problems)
        if name is None or on is None or matches is None or then is None or not is_pattern:
            continue
        act = Then.HANDOFF if then.get("handoff") is not None else Then(then.text)
        if act is Then.SAY and entry.get("say") is None:
            problems.error(then.place, "missing-key", '"then: say" needs "say", the sentence for the caller')
        agent = then.get("handoff")
        yield Guardrail(
            name=name.text,
            on=Role(on.text),
            pattern=matches.text,
            then=act,
            say=say,
            handoff=agent.text if agent is not None else None,
        )


def _check_pattern(node: Node | None, problems: Problems) -> bool:
    if node is None:
        return False
    try:
        compile_regex(node.text)
    except ValueError as error:
        problems.error(node.place, "regex", f'"{node.text}" is not a pattern in RE2 syntax: {error}')
        return False
    return True


def _wind_down(node: Node | None, max_duration_s: float, scope: Scope, problems: Problems) -> WindDown | None:
    if node is None:
        return None
    before, instruction = node.get("before"), template(node.get("tell"), scope, problems)
    seconds = duration_s(before, problems)
    if before is None or seconds is None or instruction is None:
        return None
    if seconds >= max_duration_s:
        message = f'"{before.text}" before the end is before the call begins: "max_duration" is not longer'
        problems.error(before.place, "never-reached", message)
    return WindDown(before_s=seconds, tell=instruction)


def _silence(node: Node | None, scope: Scope, problems: Problems) -> Silence | None:
    if node is None:
        return None
    after_s, say = duration_s(node.get("after"), problems), spoken(node.get("say"), scope, problems)
    if after_s is None or say is None:
        return None
    return Silence(after_s=after_s, say=say, times=_count(node.get("times")) or 2)


def _count(node: Node | None) -> int | None:
    return int(node.text) if node is not None else None
