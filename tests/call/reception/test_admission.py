"""What becomes of an event: who answers, who is turned away, what is passed over."""

import pytest

from runner.call.reception.admission import Admit, Decision, Ignore, TurnAway, decide
from runner.call.reception.webhook import WebhookEvent
from runner.call.routes.routing import RouteTable
from runner.model.route import (
    Conditions,
    ExactNumber,
    Otherwise,
    Prefix,
    Reject,
    RejectRule,
    Route,
    RoutingSettings,
    ToAgent,
)
from runner.model.settings import Server, Settings
from runner.model.values import Place

NOW = 1_795_000_000.0
DESK = Route(
    agent="front-desk",
    conditions=Conditions(called=ExactNumber("+18005551212")),
    place=Place("front-desk.yaml", 4, 5),
)
BLOCKED = RejectRule(
    conditions=Conditions(caller=Prefix("+1900")), status=486, place=Place("runner.yaml", 3, 5)
)


def decided(
    event: WebhookEvent, *, otherwise: Otherwise | None = None, default_country: str | None = None
) -> Decision:
    routing = RoutingSettings(default_country=default_country, called_number=("X-Dialled",))
    return decide(
        event,
        table=RouteTable([DESK], rejects=[BLOCKED], otherwise=otherwise),
        settings=Settings(server=Server(max_call_age_s=120.0), routing=routing),
        now=NOW,
    )


def incoming(*, to: str = "+18005551212", caller: str = "+14155550100", age_s: float = 0.5) -> WebhookEvent:
    return WebhookEvent(
        webhook_id="wh_1",
        type="realtime.call.incoming",
        created_at=NOW - age_s,
        call_id="rtc_1",
        sip_headers=(
            ("From", f"<sip:{caller}@pstn.example>;tag=a"),
            ("To", "<sip:proj_1@sip.api.openai.com>"),
            ("X-Dialled", to),
        ),
    )


def test_a_call_that_a_route_matches_is_admitted() -> None:
    decision = decided(incoming())
    assert isinstance(decision, Admit)
    assert (decision.agent, decision.route) == ("front-desk", DESK)
    assert decision.why == "the route at front-desk.yaml:4:5 matches: to is +18005551212"
    assert decision.call.id == "rtc_1"
    assert decision.call.created_at == NOW - 0.5
    assert (decision.call.caller.number, decision.call.called.number) == ("+14155550100", "+18005551212")
    assert decision.call.called_found_in == "X-Dialled"


def test_a_number_is_read_in_the_default_country() -> None:
    decision = decided(incoming(to="(800) 555-1212"), default_country="US")
    assert isinstance(decision, Admit)
    assert decision.agent == "front-desk"


def test_a_reject_rule_comes_before_every_route() -> None:
    decision = decided(incoming(caller="+19005550000"))
    assert isinstance(decision, TurnAway)
    assert (decision.status, decision.call.id) == (486, "rtc_1")
    assert decision.why == "the reject rule at runner.yaml:3:5 matches: from begins with +1900"


@pytest.mark.parametrize("status", [404, 480])
def test_a_call_that_no_route_matches_is_rejected_as_otherwise_says(status: int) -> None:
    decision = decided(incoming(to="+18005550000"), otherwise=Reject(status=status))
    assert isinstance(decision, TurnAway)
    assert decision.status == status
    assert decision.why == f"no route matches, and routing.otherwise rejects with {status}"


def test_a_call_that_no_route_matches_goes_to_the_agent_that_otherwise_names() -> None:
    decision = decided(incoming(to="+18005550000"), otherwise=ToAgent(agent="front-desk"))
    assert isinstance(decision, Admit)
    assert (decision.agent, decision.route) == ("front-desk", None)
    assert decision.why == 'no route matches, and routing.otherwise names "front-desk"'


@pytest.mark.parametrize(("age_s", "is_late"), [(-10, False), (119.9, False), (120, False), (120.1, True)])
def test_a_call_older_than_the_limit_is_not_answered(age_s: float, is_late: bool) -> None:
    assert (decided(incoming(age_s=age_s)) is Ignore.LATE) is is_late


def test_an_event_that_announces_no_call_is_passed_over() -> None:
    event = WebhookEvent(webhook_id="wh_1", type="batch.completed", created_at=NOW - 9999)
    assert decided(event) is Ignore.OTHER_EVENT
