"""Rules that share a long list are compared at the price of one list."""

import time
from dataclasses import replace
from pathlib import Path

from runner.difference.call_changes import CallChanges, call_changes
from runner.model.route import AnyOf, Conditions, ExactNumber, Route
from runner.model.settings import Configuration
from runner.model.values import Place
from tests.cpu import took_at_most
from tests.difference.compared import NOW, agent, calls, compared, loaded

LISTED = 8_000


def configuration(rules: int, listed: int, base: Configuration) -> Configuration:
    """So many routes, each to a number of its own, from whom one list names."""
    entries = tuple(ExactNumber(f"+1415{2_000_000 + number}") for number in range(listed))
    callers = AnyOf(entries, listed_in="_lists/vip.txt")
    (desk,) = base.agents.values()
    routes = [
        Route(
            agent="desk",
            conditions=Conditions(called=ExactNumber(f"+1800555{1_000 + number}"), caller=callers),
            place=Place("desk.yaml", number + 1, 1),
        )
        for number in range(rules)
    ]
    return replace(base, agents={"desk": replace(desk, routes=tuple(routes))})


def test_rules_that_share_a_long_list_cost_no_more_than_one(tmp_path: Path) -> None:
    base = loaded(tmp_path, {"desk.yaml": agent("desk", "routes: [{to: '+18005551000'}]\n")})
    old, same = (configuration(60, LISTED, base) for _ in range(2))
    began = time.process_time()
    assert call_changes(old, same, NOW) == CallChanges(moved=(), without_example=(), has_schedules=False)
    assert took_at_most(time.process_time() - began, 0.5)


def test_an_entry_that_is_new_in_a_shared_list_is_shown_for_each_rule(tmp_path: Path) -> None:
    base = loaded(tmp_path, {"desk.yaml": agent("desk", "routes: [{to: '+18005551000'}]\n")})
    old, more = (configuration(2, listed, base) for listed in (300, 301))
    (moved,) = call_changes(old, more, NOW).moved
    assert {(example.call.caller, example.call.called) for example in moved.examples} == {
        ("+14152000300", "+18005551000"),
        ("+14152000300", "+18005551001"),
    }


def test_a_list_means_the_same_in_a_file_in_another_order_and_in_the_route_itself(tmp_path: Path) -> None:
    routes = "routes: [{to: '+18005551000', from: %s}]\n"
    inline = {"desk.yaml": agent("desk", routes % "['+14155550100', '+14155550101']")}
    file = {
        "desk.yaml": agent("desk", routes % "{in: _lists/vip.txt}"),
        "_lists/vip.txt": "+14155550101\n+14155550100\n",
    }
    both = {
        "desk.yaml": agent("desk", routes % "['+14155550101', {in: _lists/vip.txt}]"),
        "_lists/vip.txt": "+14155550100\n",
    }
    found = [compared(tmp_path / str(number), inline, other) for number, other in enumerate((file, both))]
    assert [(calls(one), one.is_empty) for one in found] == [([], True), ([], True)]
