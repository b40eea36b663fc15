"""What is decided about a webhook is carried out at the API, here the stand-in, and calls begin."""

import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp
import pytest

from runner.api.realtime import api as realtime
from runner.api.realtime import text_model
from runner.call.machine.call_counts import CallCounts, Load
from runner.call.machine.world import World
from runner.call.templates.template import compile_template
from runner.model.agent import Agent
from runner.model.call import Ringing, SipOrigin
from runner.model.job import Job
from runner.model.live_call import Owner
from runner.model.reception import RingResult
from runner.model.record import CallRecord
from runner.model.route import Conditions, ExactNumber, Prefix, Reject, RejectRule, Route, RoutingSettings
from runner.model.settings import Configuration, Settings
from runner.model.values import Place
from runner.serve.api_client import ApiClient
from runner.serve.api_connections import ApiConnections
from runner.serve.call_actions import SharedByCalls
from runner.serve.call_answerer import CallAnswerer
from runner.serve.call_driver import CallDriver
from runner.serve.clients import Clients
from runner.serve.live_call import LiveCall
from runner.serve.live_calls import LiveCalls
from runner.serve.metrics import Metrics
from runner.serve.sideband import Sidebands
from runner.serve.timeouts import Timeouts
from runner.serve.tool_client import ToolClient
from runner.standin.faults import Faults, HttpFault
from runner.standin.placed_call import PlacedCall
from runner.standin.script import CallerHangsUp, When
from runner.standin.server import StandIn
from tests.clock import clock
from tests.serve.sole_hold import SoleHold

PLACE = Place("front-desk.yaml", 3, 5)
CLINIC = "+18005551212"


class Office:
    """Answers calls with everything that this needs, and keeps what became of them."""

    def __init__(self, api: StandIn) -> None:
        self._timeouts = timeouts = Timeouts(
            decision_s=2.0, retry_s=0.001, redial_delays_s=(0.0, 0.01, 0.01), attach_delays_s=(0.0, 0.01)
        )
        self._api = api
        self.records: list[CallRecord] = []
        self.is_open = True
        self.taken_over: set[str] = set()
        self.tools = ToolClient(aiohttp.TCPConnector())
        self.call_counts = CallCounts()
        self.metrics = Metrics()
        self.live_calls = LiveCalls(saver=self, metrics=self.metrics, timeouts=timeouts)
        self._client = ApiClient(
            ApiConnections(api.base_url),
            api=realtime,
            text_model=text_model,
            api_key=lambda: api.api_key,
            timeouts=timeouts,
        )

    async def save(self, record: CallRecord, jobs: Sequence[Job] = (), owner: Owner | None = None) -> None:
        self.records.append(record)

    async def attend(self, call_id: str, *, instructions: str = "Be kind.", **event: Any) -> RingResult:
        """What came of a webhook; a call that was answered is over when this returns."""
        world = World.of(configured(instructions), {})

        async def ring(ringing: Ringing) -> LiveCall:
            clients = Clients(
                api=self._client,
                sidebands=Sidebands(self._client, self._timeouts),
                endpoints=self.tools,
            )
            shared = SharedByCalls(
                clients=clients,
                counts=self.call_counts,
                metrics=self.metrics,
                timeouts=self._timeouts,
                clock=clock,
            )
            call = LiveCall(CallDriver(ringing, world, shared, hold=SoleHold()), shared)
            self.live_calls.serve(call)
            return call

        async def has_call(call_id: str) -> bool:
            return call_id in self.taken_over

        answerer = CallAnswerer(ring=ring, has_call=has_call, is_open=lambda: self.is_open)
        result = await answerer.answer(incoming(call_id, **event))
        if call := self._api.calls.get(call_id):
            call.play(CallerHangsUp(when=When.AT_ONCE))
            self._api.wake(call)
        await self.live_calls.idle()
        return result


def configured(instructions: str) -> Configuration:
    agent = Agent(
        id="front-desk",
        model="gpt-realtime-2.1",
        voice="marin",
        instructions=compile_template(instructions),
        routes=(Route(agent="front-desk", conditions=Conditions(called=ExactNumber(CLINIC)), place=PLACE),),
        place=PLACE,
    )
    blocked = RejectRule(conditions=Conditions(caller=Prefix("+1900")), status=486, place=PLACE)
    routing = RoutingSettings(reject=(blocked,), otherwise=Reject(status=404))
    return Configuration(directory="agents", settings=Settings(routing=routing), agents={"front-desk": agent})


def incoming(call_id: str, *, to: str = CLINIC, caller: str = "+14155550100", age_s: float = 0.0) -> Ringing:
    headers = (("From", f"<sip:{caller}@pstn.example>"), ("To", f"<sip:{to}@pstn.example>"))
    return Ringing(call_id=call_id, created_at=clock() - age_s, origin=SipOrigin(headers=headers))


@pytest.fixture
async def api() -> AsyncIterator[StandIn]:
    async with StandIn() as stand_in:
        yield stand_in


@pytest.fixture
async def office(api: StandIn) -> AsyncIterator[Office]:
    office = Office(api)
    async with office.tools:
        yield office


def asked(call: PlacedCall) -> list[tuple[str, int | None]]:
    return [(request.action, request.status) for request in call.requests]


async def test_a_call_that_a_route_matches_is_accepted_and_begins(office: Office, api: StandIn) -> None:
    call = api.place_call()
    assert await office.attend(call.id, instructions="{{ call.from.number }} calls.") is RingResult.ACCEPTED
    assert call.accept_body == {
        "type": "realtime",
        "model": "gpt-realtime-2.1",
        "instructions": "+14155550100 calls.",
        "audio": {"output": {"voice": "marin"}},
    }
    (record,) = office.records
    assert (record.id, record.agent, record.route) == (call.id, "front-desk", "front-desk.yaml:3:5")
    assert record.why == "the route at front-desk.yaml:3:5 matches: to is +18005551212"
    assert b"phone_agents_accept_seconds_count 1.0" in office.metrics.text()


@pytest.mark.parametrize(
    ("event", "status"), [({"caller": "+19005550000"}, 486), ({"to": "+18005550000"}, 404)]
)
async def test_a_call_that_nobody_is_to_answer_is_rejected(
    office: Office, api: StandIn, event: dict[str, Any], status: int
) -> None:
    call = api.place_call()
    assert await office.attend(call.id, **event) is RingResult.REJECTED
    assert [(rest.action, rest.body) for rest in call.requests] == [("reject", {"status_code": status})]
    assert office.records == []


async def test_a_late_call_is_not_asked_about(office: Office, api: StandIn) -> None:
    call = api.place_call()
    assert await office.attend(call.id, age_s=121) is RingResult.LATE
    assert asked(call) == []


async def test_a_closed_office_takes_no_call(office: Office, api: StandIn) -> None:
    office.is_open = False
    call = api.place_call()
    assert await office.attend(call.id) is RingResult.CLOSED
    assert await office.attend(call.id, to="+18005550000") is RingResult.CLOSED
    assert asked(call) == []


@pytest.mark.parametrize("to", [CLINIC, "+18005550000"])
async def test_a_caller_who_has_gone_is_left_in_peace(office: Office, to: str) -> None:
    assert await office.attend("rtc_unknown", to=to) is RingResult.GONE
    assert office.records == []


@pytest.mark.parametrize("to", [CLINIC, "+18005550000"])
async def test_a_call_that_another_runner_has_is_left_to_it(office: Office, api: StandIn, to: str) -> None:
    call = api.place_call()
    call.answer("accept", {"type": "realtime"}, clock())
    assert await office.attend(call.id, to=to) is RingResult.TAKEN
    assert office.records == []


async def test_trouble_that_passes_is_got_over(office: Office, api: StandIn) -> None:
    call = api.place_call(faults=Faults(accept=(HttpFault(status=500), HttpFault(status=503))))
    assert await office.attend(call.id) is RingResult.ACCEPTED
    assert asked(call) == [("accept", 500), ("accept", 503), ("accept", 200)]


async def test_an_accept_whose_answer_is_lost_is_ours(office: Office, api: StandIn) -> None:
    call = api.place_call(faults=Faults(accept=(HttpFault(status=None, carried_out=True),)))
    assert await office.attend(call.id) is RingResult.ACCEPTED
    assert asked(call) == [("accept", None), ("accept", 409)]
    assert [record.id for record in office.records] == [call.id]


@pytest.mark.parametrize("to", [CLINIC, "+18005550000"])
async def test_trouble_that_lasts_asks_for_another_delivery(office: Office, api: StandIn, to: str) -> None:
    down = (HttpFault(status=500),) * 10_000
    call = api.place_call(faults=Faults(accept=down, reject=down))
    assert await office.attend(call.id, to=to) is RingResult.UNAVAILABLE
    assert office.records == []


async def test_a_call_that_may_not_be_accepted_is_not_left_ringing(
    office: Office, api: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    call = api.place_call(faults=Faults(accept=(HttpFault(status=400),)))
    assert await office.attend(call.id) is RingResult.FAILED
    assert asked(call) == [("accept", 400), ("reject", 200)]
    assert call.requests[1].body == {"status_code": 480}
    assert [(r.levelno, r.message) for r in caplog.records] == [(logging.ERROR, "call was not answered")]


async def test_a_call_that_cannot_be_prepared_is_not_left_ringing(
    office: Office, api: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    call = api.place_call()
    assert await office.attend(call.id, instructions="{{ 1 // 0 }}") is RingResult.FAILED
    assert [(rest.action, rest.body) for rest in call.requests] == [("reject", {"status_code": 480})]
    assert [(r.levelno, r.message) for r in caplog.records] == [(logging.ERROR, "call was not answered")]


@pytest.mark.parametrize(
    ("fault", "result"),
    [(HttpFault(status=400), RingResult.FAILED), (HttpFault(status=500), RingResult.UNAVAILABLE)],
)
async def test_a_call_that_was_not_accepted_takes_no_place(
    office: Office, api: StandIn, fault: HttpFault, result: RingResult
) -> None:
    call = api.place_call(faults=Faults(accept=(fault,) * 10_000))
    assert await office.attend(call.id) is result
    assert await office.attend("rtc_unknown") is RingResult.GONE
    other = api.place_call()
    assert await office.attend(other.id, instructions="{{ 1 // 0 }}") is RingResult.FAILED
    assert office.call_counts.load("front-desk", clock()) == Load(live=0, today=0)


async def test_a_call_that_is_over_leaves_its_place_and_counts_for_the_day(
    office: Office, api: StandIn
) -> None:
    call = api.place_call()
    assert await office.attend(call.id) is RingResult.ACCEPTED
    assert office.call_counts.load("front-desk", clock()) == Load(live=0, today=1)


async def test_a_call_that_was_taken_over_is_not_answered_anew(office: Office, api: StandIn) -> None:
    call = api.place_call()
    office.taken_over = {call.id}
    assert await office.attend(call.id) is RingResult.TAKEN
    assert asked(call) == []
