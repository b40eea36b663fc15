"""What a person sees when a runner starts."""

import io

import pytest

from runner.call.templates.template import compile_template
from runner.cli.summary import MOST_ROUTES, asks, show_summary
from runner.cli.terminal import Terminal
from runner.model.agent import Agent
from runner.model.call import Transport
from runner.model.route import (
    Conditions,
    ExactNumber,
    Otherwise,
    Prefix,
    Reject,
    RejectRule,
    Route,
    RoutingSettings,
    Text,
    ToAgent,
)
from runner.model.settings import Configuration, Settings
from runner.model.tool import HangupBinding, Tool
from runner.model.values import Place

PLACE = Place("a.yaml", 1, 1)


def agent(id: str, *, routes: int = 0, tools: int = 0, description: str = "") -> Agent:  # noqa: A002 - as in Agent
    return Agent(
        id=id,
        description=description,
        model="gpt-realtime-2.1",
        instructions=compile_template("A secret."),
        routes=tuple(
            Route(
                agent=id,
                conditions=Conditions(called=ExactNumber(f"+180055512{number:02}")),
                place=Place("a.yaml", number + 1, 1),
            )
            for number in range(routes)
        ),
        tools=tuple(
            Tool(name=f"tool_{n}", description="", parameters={}, binding=HangupBinding())
            for n in range(tools)
        ),
        place=PLACE,
    )


def shown(
    *agents: Agent,
    otherwise: Otherwise | None = None,
    reject: tuple[RejectRule, ...] = (),
    is_dev: bool = False,
) -> str:
    stream = io.StringIO()
    configuration = Configuration(
        directory="agents",
        settings=Settings(routing=RoutingSettings(otherwise=otherwise or Reject(status=404), reject=reject)),
        agents={agent.id: agent for agent in agents},
    )
    url = "http://127.0.0.1:8080/webhooks/openai"
    console = "http://127.0.0.1:8081/console/"
    show_summary(configuration, url, Terminal(stream, has_colour=False), console, is_dev=is_dev)
    return stream.getvalue()


def section(text: str, title: str) -> list[str]:
    return next(part for part in text.split("\n\n") if part.startswith(title)).splitlines()[1:]


def test_an_agent_is_one_line_however_it_is_described() -> None:
    text = shown(
        agent("front-desk", tools=1, description="Answers\nthe\x1b[31m line. "), agent("after-hours", tools=2)
    )
    assert section(text, "agents") == [
        "  front-desk   gpt-realtime-2.1, 1 tool: Answers the\\x1b[31m line.",
        "  after-hours  gpt-realtime-2.1, 2 tools",
    ]
    assert "A secret." not in text


@pytest.mark.parametrize(
    ("is_dev", "how"),
    [
        (False, "sign in with a token of server.admin.tokens"),
        (True, "open to everybody at this machine, without a token"),
    ],
)
def test_the_console_is_named_and_how_one_gets_in(is_dev: bool, how: str) -> None:
    text = shown(agent("front-desk"), is_dev=is_dev)
    assert section(text, "console") == [f"  http://127.0.0.1:8081/console/  {how}"]


def test_reject_rules_come_first_and_otherwise_last() -> None:
    blocked = RejectRule(conditions=Conditions(caller=Prefix("+1900")), place=PLACE)
    text = shown(agent("front-desk", routes=1), reject=(blocked,), otherwise=ToAgent(agent="front-desk"))
    assert section(text, "routes") == [
        "  reject 603  from begins with +1900",
        "  front-desk  to is +18005551200",
        "  front-desk  otherwise",
    ]


def test_many_routes_are_counted() -> None:
    lines = section(shown(agent("front-desk", routes=MOST_ROUTES + 3)), "routes")
    assert len(lines) == MOST_ROUTES + 2
    assert lines[-3:] == [
        "  front-desk  to is +18005551219",
        "  …           and 3 more",
        "  reject 404  otherwise",
    ]


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        (Conditions(), "every call"),
        (Conditions(called=ExactNumber("+1")), "to is +1"),
        (Conditions(headers=(("X-Plan", Text("gold")),)), 'header X-Plan is "gold"'),
        (
            Conditions(caller=Prefix("+1"), during="office-hours"),
            "from begins with +1, while office-hours is open",
        ),
        (Conditions(transport=Transport.SIP, share=0.1), "over sip, 10% of callers"),
        (Conditions(share=0.0005), "0.0500% of callers"),
    ],
)
def test_conditions_are_said_in_words(conditions: Conditions, words: str) -> None:
    assert asks(conditions) == words
