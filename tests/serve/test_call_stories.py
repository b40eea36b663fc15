"""The log alone tells what happened to a call: very different calls, and every line of each."""

import asyncio
import logging
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from runner.call.examples.example_call import sip_headers
from runner.config.load import load
from runner.serve.log_lines import TextLines, call_id_of
from runner.serve.runner import Runner
from runner.serve.secrets import FoundSecrets
from runner.standin.faults import FINE, Faults, HttpFault, SidebandRefusal
from runner.standin.script import (
    CallerHangsUp,
    CallerSays,
    Complains,
    Drops,
    Ending,
    Expires,
    ScriptedResponse,
    ScriptStep,
    calls,
    greets,
    says,
)
from runner.standin.server import StandIn
from runner.standin.webhook import call_incoming
from tests.clock import clock
from tests.serve.test_runner import SECRET, TIMEOUTS

DESK, PLAIN, CRM, WRONG = "+18005551212", "+18005550001", "+18005552222", "+18005553333"
AGENT = """\
agent: front-desk
routes: [{to: "+18005551212"}]
model: gpt-realtime-2.1
instructions: Be kind.
greeting: Hello.
if_broken: {transfer: "tel:+14155550123"}
tools:
  - {name: slots, description: Find., http: {method: GET, url: "http://crm.example/500"}}
  - {name: moved, description: Find., http: {method: GET, url: "http://crm.example/302"}}
  - name: text
    description: Find.
    http: {method: GET, url: "http://crm.example/200"}
    result: {select: "length(private[0])"}
  - name: order
    description: Order.
    parameters: {type: object, properties: {n: {type: integer}}, required: [n]}
    http: {url: "http://crm.example/409", auth: {bearer: "{{ secrets.SHOP }}"}}
  - {name: to_a_person, description: On., transfer: {destinations: {nurse: "sip:nurse@maple.example"}}}
  - {name: end_call, description: End., hangup: {}}
  - {name: to_spanish, description: On., handoff: {agent: recepcion}}
guardrails: [{name: no-cards, on: agent, matches: card, then: hangup}]
"""
HEAD = """\
agent: {name}
routes: [{{to: "{to}"}}]
model: gpt-realtime-2.1
"""
RECEPCION = HEAD.format(name="recepcion", to=PLAIN) + "instructions: Hola.\n"
LOOKING = (
    HEAD.format(name="looking", to=CRM)
    + """\
instructions: "{{ lookup.name }}"
lookup: {http: {method: GET, url: "http://crm.example/500"}, default: {name: null}}
"""
)
FAILING = HEAD.format(name="failing", to=WRONG) + "instructions: \"{{ 1 / (call.headers['X-N'] or 0) }}\"\n"
SETTINGS = """\
provider: {{base_url: "{api}"}}
store: "sqlite:{store}"
egress: {{allow: [crm.example], private_networks: allow}}
secrets: {{SHOP: {{env: SHOP}}}}
routing: {{reject: [{{from: "+19005550000", status: 603}}]}}
environments: {{test: {{hosts: {{crm.example: "{crm}"}}}}}}
server: {{port: 0}}
"""

HI = (greets(), CallerSays(text="Hi."))
OVER = 'info    sideband is lost  lost=gone detail="the call is over: the API does not know it any more"'
ANSWERED = "info    call was answered  agent=front-desk result=accepted"
ATTACHED = "info    sideband is attached  again=false"
FAULT = "the voice API answered {} (server_error: The server had an error while processing your request.)"

NO_CREDIT = "the API account has no quota left; add credit to it: Pay."


def rings(to: str, agent: str) -> str:
    place = f"agents/{agent}.yaml:2:10"
    return (
        f"info    call rings  from=+14155550100 to={to} to_found_in=To agent={agent} route={place}"
        f' why="the route at {place} matches: to is {to}" headers="Via, From, To, Call-ID, CSeq"'
    )


RINGS = rings(DESK, "front-desk")


def ended(reason: str = "caller_hung_up", *, detail: str = '""', tools: int = 0) -> str:
    return f"info    call has ended  agent=front-desk ended={reason} detail={detail} tools={tools}"


def has_faults(fault: str) -> str:
    return f'warning call has faults  agent=front-desk faults=["{fault}"]'


Story = tuple[tuple[ScriptStep, ...], Faults, list[str]]
SERVED: dict[str, Story] = {
    "the caller hangs up": ((*HI, says("Yes."), CallerHangsUp()), FINE, [OVER, ended()]),
    "an endpoint fails": (
        (*HI, calls("slots"), says("Sorry."), CallerHangsUp()),
        FINE,
        [
            "warning endpoint replied  tool=slots attempt=1 status=500 failure=null"
            ' detail="Internal Server Error"',
            OVER,
            ended(tools=1),
        ],
    ),
    "an endpoint refuses": (
        (*HI, calls("order", {"n": 1}), says("Sorry."), CallerHangsUp()),
        FINE,
        [
            "warning endpoint replied  tool=order attempt=1 status=409 failure=null"
            ' detail="Sold out: [redacted]"',
            OVER,
            ended(tools=1),
        ],
    ),
    "an endpoint's reply is not what is selected from": (
        (*HI, calls("text"), says("Sorry."), CallerHangsUp()),
        FINE,
        [
            'info    endpoint replied  tool=text attempt=1 status=200 failure=null detail=""',
            "warning reply could not be used  tool=text"
            ' detail="the endpoint answered 200, but its reply is not of the expected form"',
            OVER,
            ended(tools=1),
        ],
    ),
    "an endpoint redirects": (
        (*HI, calls("moved"), says("Sorry."), CallerHangsUp()),
        FINE,
        [
            "warning endpoint replied  tool=moved attempt=1 status=302 failure=null"
            ' detail="Found, a redirect, which is not followed"',
            OVER,
            ended(tools=1),
        ],
    ),
    "a tool is made up": (
        (*HI, calls("fly"), says("Sorry."), CallerHangsUp()),
        FINE,
        ["warning tool call was refused  tool=fly because=unknown_tool", OVER, ended(tools=1)],
    ),
    "arguments do not fit": (
        (*HI, calls("order", {"n": "my secret"}), says("Sorry."), CallerHangsUp()),
        FINE,
        ["warning tool call was refused  tool=order because=arguments", OVER, ended(tools=1)],
    ),
    "a transfer": (
        (*HI, calls("to_a_person", {"destination": "nurse"})),
        FINE,
        [OVER, "info    transfer was completed  destination=nurse", ended("transferred", tools=1)],
    ),
    "a transfer that is refused": (
        (*HI, calls("to_a_person", {"destination": "nurse"}), says("Sorry."), CallerHangsUp()),
        Faults(refer=(HttpFault(status=403),)),
        [
            f'warning transfer was refused  detail="{FAULT.format(403)}"',
            f'warning transfer was not completed  destination=nurse detail="{FAULT.format(403)}"',
            OVER,
            has_faults(f"a transfer was not completed: {FAULT.format(403)}"),
            ended(tools=1),
        ],
    ),
    "a hang-up": (
        (*HI, calls("end_call")),
        FINE,
        ["info    call is being ended  reason=hangup", ended("hangup", tools=1)],
    ),
    "a hang-up that fails": (
        (*HI, calls("end_call")),
        Faults(hangup=(HttpFault(status=503), HttpFault(status=400))),
        [
            "info    call is being ended  reason=hangup",
            f'warning api request failed  order=hang-up attempt=1 status=503 detail="{FAULT.format(503)}"',
            f'error   hang-up failed  detail="{FAULT.format(400)}" final=true',
            has_faults(f"the call could not be hung up: {FAULT.format(400)}"),
            ended("hangup", tools=1),
        ],
    ),
    "a hand-off": (
        (*HI, calls("to_spanish"), says("Hola."), CallerHangsUp()),
        FINE,
        [
            'info    call was handed off  agent=recepcion because="tool \\"to_spanish\\""',
            OVER,
            ended(tools=1),
        ],
    ),
    "a guardrail": (
        (*HI, says("Your card."), greets()),
        FINE,
        [
            "info    guardrail matched  guardrail=no-cards",
            "info    call is being ended  reason=guardrail",
            ended("guardrail", detail='"guardrail \\"no-cards\\""'),
        ],
    ),
    "a sideband that is lost": (
        (*HI, Drops(), CallerSays(text="Hm."), says("Yes."), CallerHangsUp()),
        FINE,
        [
            'warning sideband was away  detail="the connection broke"',
            "info    sideband is attached  again=true",
            OVER,
            ended(),
        ],
    ),
    "a session that expires": (
        (greets(), Expires()),
        FINE,
        [
            "warning api error  code=session_expired"
            ' detail="Your session hit the maximum duration of 60 minutes."',
            "info    call is being ended  reason=session_expired",
            ended("session_expired"),
        ],
    ),
    "an error of the API": (
        (
            greets(),
            Complains(code="invalid_value", message="No."),
            CallerSays(text="Hi."),
            says("Yes."),
            CallerHangsUp(),
        ),
        FINE,
        ["warning api error  code=invalid_value detail=No.", OVER, ended()],
    ),
    "an account without quota": (
        (greets(), Complains(code="insufficient_quota", message="Pay.")),
        FINE,
        [
            'error   api error  code=insufficient_quota detail="Pay. (add credit to the API account)"',
            f'error   model cannot serve the call  detail="{NO_CREDIT}"',
            OVER,
            "info    transfer was completed  destination=if_broken",
            has_faults(NO_CREDIT),
            ended("transferred"),
        ],
    ),
    "a model that fails": (
        (*HI, *2 * (ScriptedResponse(ending=Ending.FAILED),)),
        FINE,
        [
            *2 * ['warning response failed  outcome=failed detail="server_error The model failed."'],
            "error   model cannot serve the call "
            ' detail="the model failed 2 times in a row: server_error The model failed."',
            OVER,
            "info    transfer was completed  destination=if_broken",
            "warning call has faults  agent=front-desk"
            ' faults=["the model failed 2 times in a row: server_error The model failed."]',
            ended("transferred"),
        ],
    ),
    "a session that the API refuses": (
        (),
        Faults(refusal=SidebandRefusal(code="invalid_model", message="No model.")),
        [
            'error   sideband is lost  lost=unreachable detail="the API closed the sideband with 3000"',
            'warning api error  code=invalid_model detail="No model."',
            "info    call is being ended  reason=failed",
            ended("failed", detail='"the API closed the sideband with 3000"'),
        ],
    ),
}
"""The script, what breaks, and the lines after the call was answered."""

OTHERS: dict[str, tuple[tuple[ScriptStep, ...], dict[str, Any], list[str]]] = {
    "a lookup that fails": (
        (CallerHangsUp(),),
        {"to": CRM},
        [
            rings(CRM, "looking"),
            "warning endpoint replied  tool=lookup attempt=1 status=500 failure=null"
            ' detail="Internal Server Error"',
            "info    call was answered  agent=looking result=accepted",
            ATTACHED,
            OVER,
            "warning call has faults  agent=looking"
            ' faults=["the lookup gave its default: the endpoint answered 500 Internal Server Error"]',
            'info    call has ended  agent=looking ended=caller_hung_up detail="" tools=0',
        ],
    ),
    "nobody answers": (
        (),
        {"to": "+18005559999"},
        [
            "info    call rings  from=+14155550100 to=+18005559999 to_found_in=To agent=null route=null"
            ' why="no route matches, and routing.otherwise rejects with 404"'
            ' headers="Via, From, To, Call-ID, CSeq"',
            "info    call was not answered  agent=null result=rejected status=404",
        ],
    ),
    "a caller who is rejected": (
        (),
        {"caller": "+19005550000"},
        [
            "info    call rings  from=+19005550000 to=+18005551212 to_found_in=To agent=null route=null"
            ' why="the reject rule at agents/runner.yaml:5:20 matches: from is +19005550000"'
            ' headers="Via, From, To, Call-ID, CSeq"',
            "info    call was not answered  agent=null result=rejected status=603",
        ],
    ),
    "a caller who has gone": (
        (),
        {"faults": Faults(accept=(HttpFault(status=404),))},
        [
            RINGS,
            f'info    call was not answered  agent=front-desk result=gone detail="{FAULT.format(404)}"',
        ],
    ),
    "an API that refuses the session": (
        (),
        {"faults": Faults(accept=(HttpFault(status=400),))},
        [
            RINGS,
            "error   call was not answered  agent=front-desk result=failed status=480"
            f' detail="{FAULT.format(400)}"',
        ],
    ),
    "instructions that fail": (
        (),
        {"to": WRONG},
        [
            rings(WRONG, "failing"),
            "error   call was not answered  agent=failing result=failed status=480"
            ' detail="the template \\"{{ 1 / (call.headers[\'X-N\'] or 0) }}\\" failed: division by zero"',
        ],
    ),
}
"""The script, how it rings, and every line in order."""


class Lines(logging.Handler):
    """Keeps the lines of each call as they are written, without what no two calls have in common."""

    def __init__(self) -> None:
        super().__init__()
        self.of: dict[str, list[str]] = defaultdict(list)
        self.setFormatter(TextLines())

    def emit(self, record: logging.LogRecord) -> None:
        call_id = call_id_of(record)
        # The task of a call may be the first to see that a busy machine's store is late.
        if call_id is not None and record.name != "runner.serve.fleet.lease_keeper":
            line = self.format(record).replace(f"call_id={call_id} ", "").partition(" ")[2]
            self.of[call_id].append(re.sub(r" (took_s|lasted_s|cost_usd|turns)=\S+", "", line))


@pytest.fixture
def lines() -> Iterator[Lines]:
    ours, lines = logging.getLogger("runner"), Lines()
    level = ours.level
    ours.addHandler(lines)
    ours.setLevel(logging.INFO)
    yield lines
    ours.removeHandler(lines)
    ours.setLevel(level)


async def test_the_log_tells_the_story_of_each_call(
    tmp_path: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(StandIn())
        crm = await stack.enter_async_context(TestServer(endpoint()))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        stack.push_async_callback((runner := a_runner(api, str(crm.make_url("")))).close)
        await runner.start()

        async def ring(
            *script: ScriptStep, faults: Faults = FINE, to: str = DESK, caller: str = "+14155550100"
        ) -> list[str]:
            call = api.place_call(*script, faults=faults)
            headers = sip_headers(caller=caller, called=to, call_id=call.id)
            webhook = call_incoming(call_id=call.id, headers=headers, secret=SECRET, now=clock())
            url = runner.url + "/webhooks/openai"
            async with session.post(url, data=webhook.body, headers=webhook.headers) as response:
                await response.read()
            return lines.of[call.id]

        told = {name: await ring(*script, faults=faults) for name, (script, faults, _) in SERVED.items()}
        others = {name: await ring(*script, **ring_of) for name, (script, ring_of, _) in OTHERS.items()}
        await runner.drain(asyncio.Event())
    # Some lines come from tasks of their own: which of two is first is not said here.
    assert {name: sorted(story) for name, story in told.items()} == {
        name: sorted([RINGS, ANSWERED, ATTACHED, *after]) for name, (_, _, after) in SERVED.items()
    }
    assert others == {name: story for name, (_, _, story) in OTHERS.items()}


def endpoint() -> web.Application:
    async def fails(request: web.Request) -> web.Response:
        refusal = {"message": f"Sold out:\n{request.headers.get('Authorization', '')[7:]}", "private": "Ada"}
        body = refusal if request.path == "/409" else {"private": "Ada"}
        return web.json_response(body, status=int(request.path[1:]))

    app = web.Application()
    app.router.add_route("*", "/{status}", fails)
    return app


def a_runner(api: StandIn, crm: str) -> Runner:
    """A runner of the agents above, in the working directory."""
    files = {
        "front-desk.yaml": AGENT,
        "recepcion.yaml": RECEPCION,
        "looking.yaml": LOOKING,
        "failing.yaml": FAILING,
        "runner.yaml": SETTINGS.format(api=api.base_url, store="calls.db", crm=crm.rstrip("/")),
    }
    Path("agents").mkdir()
    for name, text in files.items():
        (Path("agents") / name).write_text(text)
    loaded = load(Path("agents"), environment="test")
    assert loaded.configuration is not None, loaded.problems
    secrets = FoundSecrets.fixed(
        api_key=api.api_key, webhook_secrets=(SECRET,), tools={"SHOP": "a-private-key"}
    )
    return Runner(loaded.configuration, secrets, timeouts=TIMEOUTS, clock=clock)
