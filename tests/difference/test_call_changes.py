"""Two routing tables, and calls that show what they answer otherwise."""

from pathlib import Path

import pytest

from tests.difference.compared import Files, agent, calls, compared

TWO: Files = {
    "desk.yaml": agent("desk", 'routes: [{to: "+18005551212"}]\n'),
    "sales.yaml": agent("sales", 'routes: [{to: {prefix: "+1800"}}]\n'),
}
HOURS = "schedules: {hours: {timezone: America/New_York, open: {mon-fri: 09:00-%s}, closed: [%s]}}\n"


def with_routes(desk: str, sales: str, runner: str = "") -> Files:
    """Two agents with these routes."""
    files = {
        "desk.yaml": agent("desk", f"routes: {desk}\n"),
        "sales.yaml": agent("sales", f"routes: {sales}\n"),
    }
    return {**files, "runner.yaml": runner} if runner else files


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (TWO, TWO, []),
        (
            TWO,
            with_routes('[{to: "+18005551213"}]', '[{to: {prefix: "+1800"}}]'),
            ["desk → sales: +14155550100 > +18005551212", "sales → desk: +14155550100 > +18005551213"],
        ),
        # A longer prefix is carved out of a shorter one, and given back.
        (
            TWO,
            with_routes('[{to: ["+18005551212", {prefix: "+180055"}]}]', '[{to: {prefix: "+1800"}}]'),
            ["sales → desk: +14155550100 > +18005550100"],
        ),
        (
            with_routes('[{to: {prefix: "+180055"}}]', '[{to: {prefix: "+1800"}}]'),
            with_routes('[{to: {prefix: "+180056"}}]', '[{to: {prefix: "+1800"}}]'),
            ["desk → sales: +14155550100 > +18005520100", "sales → desk: +14155550100 > +18005620100"],
        ),
        # Each entry of a list that moves is shown.
        (
            with_routes('[{to: ["+18005550001", "+18005550002", "+18005550003"]}]', "[]"),
            with_routes('[{to: "+18005550001"}]', '[{to: ["+18005550002", "+18005550003"]}]'),
            ["desk → sales: +14155550100 > +18005550002, +14155550100 > +18005550003"],
        ),
        # The same, written otherwise.
        (
            with_routes('[{to: ["+18005550001", {country: [US, CA]}]}]', "[]"),
            with_routes('[{to: {country: CA}}, {to: {country: US}}, {to: "+1 800 555 0001"}]', "[]"),
            [],
        ),
        # A prefix whose first numbers are others'.
        (
            with_routes('[{to: {prefix: "+1800"}}]', '[{to: [{prefix: "+18002"}, {prefix: "+18003"}]}]'),
            with_routes("[]", '[{to: [{prefix: "+18002"}, {prefix: "+18003"}]}, {to: {prefix: "+1800"}}]'),
            ["desk → sales: +14155550100 > +18004500100"],
        ),
        # Names of headers and hosts have no case, not even beside a pattern.
        (
            with_routes('[{to: ["sip:a@PBX.example", {user: "b*"}], headers: {X-Plan: "g*"}}]', "[]"),
            with_routes('[{to: [{user: "b*"}, "sip:a@pbx.example"], headers: {x-plan: "g*"}}]', "[]"),
            [],
        ),
        # Callers.
        (
            with_routes('[{to: "+18005550001"}]', "[]"),
            with_routes('[{to: "+18005550001", from: {country: US}}]', "[]"),
            ["desk → reject 404: +442079460123 > +18005550001"],
        ),
        (
            with_routes("[{from: {not: {country: US}}}]", "[]"),
            with_routes("[{from: {not: {country: [US, CA]}}}]", "[]"),
            ["desk → reject 404: +15062345678 > +18005550100"],
        ),
        (
            with_routes('[{to: "+18005550001"}]', "[]"),
            with_routes('[{to: "+18005550001", from: {not: {anonymous: true}}}]', "[]"),
            ["desk → reject 404: anonymous > +18005550001"],
        ),
        # A higher priority that changes nothing, and one that does.
        (TWO, with_routes('[{to: "+18005551212", priority: 3}]', '[{to: {prefix: "+1800"}}]'), []),
        (
            TWO,
            with_routes('[{to: "+18005551212"}]', '[{to: {prefix: "+1800"}, priority: 1}]'),
            ["desk → sales: +14155550100 > +18005551212"],
        ),
        # A route that another one has covered all along.
        (
            with_routes('[{to: {prefix: "+1800"}}]', "[]"),
            with_routes('[{to: {prefix: "+1800"}}, {to: "+18005551212"}]', "[]"),
            [],
        ),
        # SIP addresses.
        (
            with_routes('[{to: "sip:desk@pbx.example"}]', "[]"),
            with_routes("[]", '[{to: {host: PBX.example}}]'),
            [
                "desk → sales: +14155550100 > sip:desk@pbx.example",
                "reject 404 → sales: +14155550100 > sip:1@PBX.example",
            ],
        ),
        # Reject rules come before everything.
        (
            TWO,
            {**TWO, "runner.yaml": "routing: {reject: [{from: {prefix: \"+1900\"}, status: 480}]}\n"},
            [
                "desk → reject 480: +19002500100 > +18005551212",
                "sales → reject 480: +19002500100 > +18005550100",
                "reject 404 → reject 480: +19002500100 > +442079460999",
            ],
        ),
        (
            TWO,
            {**TWO, "runner.yaml": "routing: {otherwise: {agent: desk}}\n"},
            ["reject 404 → desk: +14155550100 > +442079460999"],
        ),
    ],
)  # fmt: skip
def test_calls_that_go_elsewhere_are_found(
    tmp_path: Path, old: Files, new: Files, expected: list[str]
) -> None:
    found = compared(tmp_path, old, new)
    assert calls(found) == expected
    assert found.calls.without_example == ()


def test_an_otherwise_that_no_call_reaches_moves_no_call(tmp_path: Path) -> None:
    old = {"desk.yaml": agent("desk", "routes: [{}]\n")}
    new = {**old, "runner.yaml": "routing: {otherwise: {reject: 480}}\n"}
    assert calls(compared(tmp_path, old, new)) == []


def test_an_example_says_which_rule_decided_before_and_now(tmp_path: Path) -> None:
    new = {**TWO, "runner.yaml": "routing: {reject: [{from: {anonymous: true}}]}\n"}
    found = compared(tmp_path, TWO, new).calls
    example = next(moved for moved in found.moved if moved.old == "desk").examples[0]
    assert example.old.why == f"the route at {tmp_path}/old/desk.yaml:4:10 matches: to is +18005551212"
    assert example.new.why == f"the reject rule at {tmp_path}/new/runner.yaml:1:20 matches: from is withheld"
    assert not found.has_schedules


def test_a_list_in_a_file_is_compared_by_its_lines(tmp_path: Path) -> None:
    rule = "routing: {reject: [{from: {in: %s}}]}\n"
    old = {**TWO, "runner.yaml": rule % "_a.txt", "_a.txt": "+19005550001\n+19005550002\n"}
    same = {**TWO, "runner.yaml": rule % "_b.txt", "_b.txt": "+19005550002\n+1 900 555 0001\n"}
    more = {**same, "_b.txt": "+19005550002\n+19005550001\n+19005550003\n"}
    assert calls(compared(tmp_path / "1", old, same)) == []
    assert "desk → reject 603: +19005550003 > +18005551212" in calls(compared(tmp_path / "2", old, more))


def test_a_number_far_down_a_long_list_is_found(tmp_path: Path) -> None:
    numbers = [f"+1900555{number:04}" for number in range(5000)]
    old = {**TWO, "runner.yaml": "routing: {reject: [{from: {in: _a.txt}}]}\n", "_a.txt": "\n".join(numbers)}
    new = {**old, "_a.txt": "\n".join([*numbers[:4000], "+19015550000", *numbers[4001:]])}
    found = [group for group in calls(compared(tmp_path, old, new)) if "desk" in group]
    assert found == [
        "desk → reject 603: +19015550000 > +18005551212",
        "reject 603 → desk: +19005554000 > +18005551212",
    ]


@pytest.mark.parametrize("more", ["share: 10%", "during: weekend"])
def test_each_of_many_numbers_is_found_where_few_callers_or_hours_matter(tmp_path: Path, more: str) -> None:
    numbers = ", ".join(f'"+1800555{number:04}"' for number in range(300))
    runner = "schedules: {weekend: {timezone: UTC, open: {sat: 09:00-17:00}}}\n"
    routes = f"[{{to: [{numbers}], {more}}}]"
    old, new = with_routes(routes, "[]", runner), with_routes("[]", routes, runner)
    found = {
        (moved.old, moved.new): len(moved.examples) for moved in compared(tmp_path, old, new).calls.moved
    }
    assert found["desk", "sales" if "during" in more else 404] == 300


def test_headers_that_a_route_asks_for_are_sent(tmp_path: Path) -> None:
    old = with_routes('[{to: "+18005550001"}]', '[{to: "+18005550001", headers: {X-Plan: gold}}]')
    new = with_routes(
        '[{to: "+18005550001"}]', '[{to: "+18005550001", headers: {X-Plan: [gold, "silver-*"]}}]'
    )
    (moved,) = compared(tmp_path, old, new).calls.moved
    assert (moved.old, moved.new) == ("desk", "sales")
    assert [example.call.headers for example in moved.examples] == [(("X-Plan", "silver-x"),)]


def test_a_transport_that_a_route_asks_for_is_used(tmp_path: Path) -> None:
    old = with_routes('[{to: "+18005550001"}]', "[{transport: webrtc}]")
    new = with_routes('[{to: "+18005550001"}]', "[]")
    (moved,) = compared(tmp_path, old, new).calls.moved
    assert (moved.old, moved.new) == ("sales", 404)
    assert [(example.call.caller, example.call.called) for example in moved.examples] == [
        ("web:user-1", "web:sales")
    ]


def test_a_share_that_grows_takes_callers_over(tmp_path: Path) -> None:
    routes = '[{to: "+18005550001", share: %s}]'
    old = with_routes('[{to: "+18005550001"}]', routes % "10%")
    new = with_routes('[{to: "+18005550001"}]', routes % "30%")
    found = compared(tmp_path, old, new)
    assert [(moved.old, moved.new) for moved in found.calls.moved] == [("desk", "sales")]
    assert found.calls.without_example == ()


def test_a_share_that_grows_a_little_is_told_without_a_call(tmp_path: Path) -> None:
    routes = '[{to: "+18005550001", share: %s}]'
    old = with_routes('[{to: "+18005550001"}]', routes % "10%")
    new = with_routes('[{to: "+18005550001"}]', routes % "10.001%")
    found = compared(tmp_path, old, new)
    assert found.calls.moved == ()
    assert [
        (without_example.is_new, without_example.rule.conditions.share)
        for without_example in found.calls.without_example
    ] == [
        (False, 0.1),
        (True, pytest.approx(0.10001)),
    ]
    assert not found.is_empty


def test_a_pattern_that_no_call_can_be_thought_of_for_is_told_by_itself(tmp_path: Path) -> None:
    old = with_routes('[{to: {regex: "sip:1[0-9]{3}@pbx.example"}}]', "[]")
    new = with_routes('[{to: {regex: "sip:1[0-8]{3}@pbx.example"}}]', "[]")
    found = compared(tmp_path, old, new)
    assert calls(found) == []
    assert [
        (without_example.is_new, without_example.rule.place.file.rpartition("/")[2])
        for without_example in found.calls.without_example
    ] == [
        (False, "desk.yaml"),
        (True, "desk.yaml"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (("17:00", ""), ("18:00", ""), {"sales → desk": ["2026-11-23T22:00:00+00:00"]}),
        (("18:00", ""), ("17:00", ""), {"desk → sales": ["2026-11-23T22:00:00+00:00"]}),
        (("17:00", ""), ("17:00", "2026-12-25"), {"desk → sales": ["2026-12-25T14:00:00+00:00"]}),
        (("17:00", "2025-12-25"), ("17:00", ""), {"sales → desk": ["2025-12-25T14:00:00+00:00"]}),
        (("17:00", ""), ("17:00", "2026-12-26"), {}),  # a Saturday
    ],
)
def test_hours_that_change_are_shown_at_a_time_when_it_matters(
    tmp_path: Path, old: tuple[str, str], new: tuple[str, str], expected: dict[str, list[str]]
) -> None:
    from datetime import UTC, datetime

    routes = ('[{to: "+18005550001", during: hours}]', '[{to: "+18005550001"}]')
    found = compared(tmp_path, with_routes(*routes, HOURS % old), with_routes(*routes, HOURS % new))
    assert found.calls.has_schedules
    assert {
        f"{moved.old} → {moved.new}": [
            datetime.fromtimestamp(example.call.at, UTC).isoformat() for example in moved.examples
        ]
        for moved in found.calls.moved
    } == expected


def test_a_header_that_holds_the_dialled_number_from_now_on(tmp_path: Path) -> None:
    new = {**TWO, "runner.yaml": "routing: {called_number: [X-Dialled]}\n"}
    found = compared(tmp_path, TWO, new)
    example = next(moved for moved in found.calls.moved if moved.new == "desk").examples[0]
    assert (example.call.called, example.call.headers) == (
        "sip:proj_example@voice-api.example",
        (("X-Dialled", "+18005551212"),),
    )


def test_a_default_country_reads_the_same_digits_as_another_number(tmp_path: Path) -> None:
    routes = ('[{to: "+442079460999"}]', "[]")
    old = with_routes(*routes, "routing: {default_country: US}\n")
    new = with_routes(*routes, "routing: {default_country: GB}\n")
    assert calls(compared(tmp_path, old, new)) == ["reject 404 → desk: +14155550100 > 2079460999"]


def test_many_routes_that_change_take_a_few_seconds(tmp_path: Path) -> None:
    def routes(first: int) -> str:
        return "".join(f'- to: "+1800555{first + number:04}"\n' for number in range(2000))

    old = {"desk.yaml": agent("desk", f"routes:\n{routes(0)}")}
    new = {"desk.yaml": agent("desk", f"routes:\n{routes(2000)}")}
    gone, come = compared(tmp_path, old, new).calls.moved
    assert (gone.old, gone.new, len(gone.examples)) == ("desk", 404, 2000)
    assert (come.old, come.new, len(come.examples)) == (404, "desk", 2000)
