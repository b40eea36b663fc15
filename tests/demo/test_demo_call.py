"""A whole call on the real server, and the verdict on it."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from runner.call.examples.call_for_agent import CallFinder, FixedParts
from runner.call.templates.template import compile_template
from runner.demo.default_script import DefaultScript, default_script
from runner.demo.demo_call import DemoCall, Plan, placeholders
from runner.demo.demo_result import DemoResult, problems_of
from runner.demo.timeline import EntryKind, TimelineEntry
from runner.model.agent import Agent, OutcomeQuestion, Say
from runner.model.record import CallRecord, ToolUse
from runner.model.route import Conditions, ExactNumber, Route
from runner.model.settings import Configuration, SecretRef, Settings
from runner.model.tool import Body, BodyKind, HttpBinding
from runner.model.values import Place

PLACE = Place("a.yaml", 1, 1)
MONDAY_NOON = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()
RECORD: dict[str, Any] = {
    "id": "rtc_1",
    "agent": "a",
    "route": None,
    "why": "",
    "caller": None,
    "called": None,
    "transport": "sip",
    "created_at": 0.0,
}


def plan(secrets: dict[str, str] | None = None, **fields: Any) -> Plan:
    agent = Agent(
        **fields,
        id="a",
        model="gpt-realtime-2.1",
        instructions=compile_template("Be kind."),
        greeting=Say(text=compile_template("Hello.")),
        routes=(Route(agent="a", conditions=Conditions(called=ExactNumber("+18005551212")), place=PLACE),),
        place=PLACE,
    )
    configuration = Configuration(directory=".", agents={"a": agent})
    example = CallFinder(configuration, MONDAY_NOON, FixedParts()).call_for(agent)
    assert example is not None
    play = default_script(agent, [], date(2026, 11, 22))
    return Plan(
        configuration=configuration,
        agent=agent,
        played=agent,
        example=example,
        play=play,
        tool_secrets=secrets or {},
    )


async def test_a_watcher_who_fails_is_told_so_and_disturbs_no_call() -> None:
    """A closed pipe, e.g. of `| head`, is not the stand-in's to stumble over."""
    shown: list[TimelineEntry] = []

    def show(entry: TimelineEntry) -> None:
        shown.append(entry)
        # The second entry is told from within the stand-in's answer to `accept`.
        if len(shown) >= 2:
            raise BrokenPipeError("nobody reads")

    with pytest.raises(BrokenPipeError, match="nobody reads"):
        await DemoCall(plan(), show).play()
    assert len(shown) == 2


def tool(status: str, name: str = "find", error: str | None = None) -> ToolUse:
    return ToolUse(
        name=name, call_id="c", arguments={}, started_at=0.0, took_s=0.0, status=status, error=error
    )


def result(ended: str = "hangup", tools: tuple[ToolUse, ...] = (), **more: Any) -> DemoResult:
    detail = more.pop("detail", "")
    record = CallRecord(**RECORD, ended=ended, tools=tools, detail=detail)
    return DemoResult(**{"record": record, **more})


@pytest.mark.parametrize(
    ("play", "came", "problems"),
    [
        ({}, result(), []),
        ({}, result("transferred", (tool("completed"),)), []),
        ({}, result("failed", detail="no sideband"), ["the call ended with failed: no sideband"]),
        ({}, result("max_duration"), ["the call ended with max_duration"]),
        ({}, result(tools=(tool("error", error="down"),)), ['tool "find" is error: down']),
        ({}, result(tools=(tool("not_completed"),)), ['tool "find" is not_completed']),
        ({"failing": ("find",)}, result(tools=(tool("not_completed"),)), []),
        ({"tools": ("find", "book")}, result(tools=(tool("ok"),)), ['tool "book" was never called']),
        ({}, result(violations=["Unknown parameter: 'x'."]), ["Unknown parameter: 'x'."]),
        ({}, result(unfinished=["the delivery is not done: x"]), ["the delivery is not done: x"]),
        ({}, result(ended_in_time=False), ["the call did not come to its end, and was ended"]),
        (
            {},
            DemoResult(webhook_status=503),
            ["the call was not answered (the webhook got 503)"],
        ),
    ],
)
def test_the_verdict_names_what_went_wrong(
    play: dict[str, Any], came: DemoResult, problems: list[str]
) -> None:
    assert problems_of(DefaultScript(script=(), **play), came) == problems


def test_each_secret_of_the_tools_has_a_placeholder() -> None:
    settings = Settings(secrets={"TOKEN": SecretRef(env="TOKEN")})
    made = placeholders(Configuration(directory=".", settings=settings))
    assert made == {"TOKEN": "placeholder-TOKEN"}


@pytest.mark.parametrize("name", ["A", "AB", "ABC", "ABCD", "A_B-C", "CALLS_WEBHOOK"])
def test_a_placeholder_can_sign(name: str) -> None:
    settings = Settings(secrets={name: SecretRef(env="X")})
    [secret] = placeholders(Configuration(directory=".", settings=settings)).values()
    assert Webhook(secret).sign("msg_1", datetime(2026, 11, 23, 12, tzinfo=UTC), "{}").startswith("v1,")


POST = HttpBinding(
    method="POST",
    url=compile_template("https://api.maple.example/calls?key={{ secrets.KEY }}"),
    body=Body(kind=BodyKind.JSON, is_arguments=True),
    sign=compile_template("{{ secrets.KEY }}"),
)
OUTCOME = OutcomeQuestion(
    model="gpt-5-mini", schema={"type": "object", "properties": {"booked": {"type": "boolean"}}}
)


async def test_outcome_and_deliveries_are_part_of_the_story() -> None:
    shown: list[TimelineEntry] = []
    played = plan({"KEY": "placeholder-KEYx"}, outcome=OUTCOME, on_end=(POST,))
    result = await DemoCall(played, shown.append).play()
    assert result.outcome == {"booked": True}
    assert [(each.method, each.url) for each in result.deliveries] == [
        ("POST", "https://api.maple.example/calls?key=<KEY>")
    ]
    assert (result.requests, result.unfinished, problems_of(played.play, result)) == ([], [], [])
    assert [(entry.what, entry.text) for entry in shown[-2:]] == [
        (EntryKind.OUTCOME, '{"booked": true}'),
        (EntryKind.DELIVERY, "POST https://api.maple.example/calls?key=<KEY>"),
    ]


async def test_a_delivery_that_cannot_be_made_is_a_problem() -> None:
    result = await DemoCall(plan(on_end=(POST,)), lambda _: None).play()
    assert result.unfinished == [
        'the delivery is not done: the secret of "sign" is not a Standard Webhooks secret (whsec_…)'
    ]
