"""Values of the model in the words of the language, whatever fields they have."""

import dataclasses
from datetime import date, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from runner.call.templates.template import compile_template
from runner.difference.outline import KINDS, NAMES, NOT_FOR_CALLERS, duration, fields_of, outline
from runner.difference.tree import changes
from runner.model import agent, route, schedule, settings, tool
from runner.model.agent import Agent, Lookup, ModelOpens, Recording, Say, Sensitive, Tell, Wait
from runner.model.route import AnyOf, Prefix, Reject, ToAgent
from runner.model.schedule import ClosedDays, DayOfYear, OpenHours, Schedule, YearlyClosedDays
from runner.model.tool import Body, BodyKind, HandoffBinding, HttpBinding, ResultSpec, Tool
from runner.model.values import Json, Place

MODEL = [
    value
    for module in (agent, route, schedule, settings, tool)
    for value in vars(module).values()
    if dataclasses.is_dataclass(value) and isinstance(value, type)
]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0s"), (0.2, "200ms"), (1.0, "1s"), (1.5, "1.5s"), (90.0, "90s"), (900.0, "15m"), (7200.0, "2h")],
)
def test_durations_are_written_as_people_write_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Say(text=compile_template("Hello {{ vars.a }}")), {"say": "Hello {{ vars.a }}"}),
        (Tell(text=compile_template("Greet.")), {"tell": "Greet."}),
        (Wait(), {"wait": True}),
        (ModelOpens(), "the model opens"),
        (settings.Records(keep_s=90 * 86400.0), {"keep": "90d"}),
        (Reject(status=486), {"reject": 486}),
        (ToAgent(agent="overflow"), {"agent": "overflow"}),
        (HandoffBinding(agent="two"), {"handoff": {"agent": "two"}}),
        (
            Recording(kinds=frozenset({Sensitive.SSN, Sensitive.EMAIL})),
            {"transcript": True, "kinds": ["email", "ssn"]},
        ),
        (Body(kind=BodyKind.JSON, content={"a": compile_template("b")}), {"json": {"a": "b"}}),
        (Body(kind=BodyKind.JSON, is_arguments=True), {"json": "what it carries by default"}),
        (AnyOf((Prefix("+1"),), listed_in="x"), {"matchers": [{"prefix": "+1"}], "listed_in": "x"}),
        ([frozenset({503, "timeout"}), (1, None)], [[503, "timeout"], [1, None]]),
    ],
)
def test_values_are_written_as_the_language_has_them(value: object, expected: Json) -> None:
    assert outline(value) == expected


def test_a_week_says_days_that_are_alike_together() -> None:
    day, saturday = (OpenHours(start=time(9), end=time(17)),), (OpenHours(start=time(10), end=time(1, 30)),)
    week = (day, day, (), day, day, saturday * 2, ())
    closed = (
        YearlyClosedDays(DayOfYear(1, 1), DayOfYear(1, 1)),
        ClosedDays(date(2026, 8, 1), date(2026, 8, 20)),
        ClosedDays(date(2026, 12, 25), date(2026, 12, 25)),
    )
    hours = Schedule(name="x", timezone=ZoneInfo("America/New_York"), week=week, closed=closed)
    assert outline(hours) == {
        "timezone": "America/New_York",
        "open": "mon-tue 09:00-17:00, thu-fri 09:00-17:00, sat 10:00-01:30 and 10:00-01:30",
        "closed": ["01-01", "2026-08-01..2026-08-20", "2026-12-25"],
    }


def test_a_binding_stands_under_its_own_key() -> None:
    http = HttpBinding(method="GET", url=compile_template("https://x.example"), timeout_s=5.0)
    made = Tool(
        name="a",
        description="b",
        parameters={},
        binding=http,
        result=ResultSpec(example={}, has_example=True),
    )
    written = {
        "method": "GET",
        "url": "https://x.example",
        "timeout": "5s",
        "retries": {"attempts": 1, "backoff": "200ms"},
    }
    assert fields_of(made, without=frozenset({"name"})) == {
        "description": "b",
        "parameters": {},
        "http": written,
        "result": {"max_chars": 8000},
    }
    assert outline(Lookup(http=http))["http"] == written
    assert outline([http]) == [{"http": written}]


def test_what_cannot_be_written_is_an_error_and_not_passed_over() -> None:
    with pytest.raises(TypeError, match=r"^<object object at .*> cannot be compared$"):
        outline(object())


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unheard:
    """As the model may have one tomorrow."""

    tomorrow: object = None
    after_s: float = 1.0
    inner: "Unheard | None" = None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Unheard(tomorrow=1), Unheard(tomorrow=2)),
        (Unheard(tomorrow=False), Unheard(tomorrow=0)),
        (Unheard(tomorrow={}), Unheard()),
        (Unheard(after_s=0.2), Unheard(after_s=0.3)),
        (Unheard(inner=Unheard(tomorrow="a")), Unheard(inner=Unheard(tomorrow="b"))),
        (Unheard(tomorrow=(Unheard(tomorrow=1),)), Unheard(tomorrow=(Unheard(tomorrow=2),))),
    ],
)
def test_a_field_that_nobody_has_heard_of_is_compared(one: Unheard, other: Unheard) -> None:
    assert list(changes(outline(one), outline(other))) != []


@pytest.mark.parametrize(
    ("type_", "fields"),
    [
        (Say, ["text"]),
        (Tell, ["text"]),
        (Wait, []),
        (ModelOpens, []),
        (Reject, ["status"]),
        (ToAgent, ["agent"]),
        (Schedule, ["name", "timezone", "week", "closed"]),
    ],
)
def test_what_is_written_in_its_own_way_has_no_field_that_is_forgotten(
    type_: type[Any], fields: list[str]
) -> None:
    """Whoever adds a field to one of these has to write it in `outline` too."""
    assert [field.name for field in dataclasses.fields(type_)] == fields


def test_the_tables_name_fields_and_types_that_there_are() -> None:
    names = {field.name for type_ in MODEL for field in dataclasses.fields(type_)}
    assert set(NAMES) <= names
    assert set(KINDS) <= set(MODEL)
    for type_, fields in NOT_FOR_CALLERS.items():
        assert fields <= {field.name for field in dataclasses.fields(type_)}
    assert "description" not in fields_of_agent()


def fields_of_agent() -> dict[str, object]:
    made = Agent(
        id="a",
        description="for people",
        model="m",
        instructions=compile_template("i"),
        place=Place("a", 1, 1),
    )
    return fields_of(made)
