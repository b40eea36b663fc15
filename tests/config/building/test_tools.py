"""Tools from YAML. What is said of mistakes is in golden/in-*; here is what sound ones become."""

import pytest

from runner.call.addresses.target import e164_target, is_target
from runner.call.templates.names import NOTHING
from runner.call.templates.template import compile_template
from runner.call.tools.arguments import check_arguments
from runner.call.tools.tool_request import build_request
from runner.config.building.tools import build_tool
from runner.config.checking.schema import check
from runner.config.checking.scope import Scope
from runner.config.problem import Problems
from runner.config.reading.yaml_text import read
from runner.model.tool import (
    ApiKey,
    Basic,
    Bearer,
    Body,
    BodyKind,
    HangupBinding,
    HttpBinding,
    KeyIn,
    ResultSpec,
    Retries,
    StaticBinding,
    Tool,
    TransferBinding,
)

t = compile_template
NO_ARGUMENTS = {"type": "object", "properties": {}, "additionalProperties": False}
SCOPE = Scope(secrets=frozenset({"TOKEN"}), vars={"clinic": NOTHING})


def build(tool: str) -> Tool:
    problems = Problems()
    node = read("a.yaml", f"agent: a\nmodel: m\ninstructions: i\ntools:\n- {tool}\n".encode(), problems)
    assert node is not None
    tools = check(node, "agent", problems).root.find("tools")
    assert tools is not None
    (only,) = tools.entries()
    built = build_tool(only, scope=SCOPE, problems=problems)
    assert [str(problem) for problem in problems.sorted()] == []
    assert built is not None
    return built


def http(fields: str) -> HttpBinding:
    binding = build(f"{{name: x, http: {{url: https://a.example/, {fields}}}, idempotent: true}}").binding
    assert isinstance(binding, HttpBinding)
    return binding


def test_the_least_http_tool_posts_its_arguments() -> None:
    assert build("{name: x, http: {url: https://a.example/}}") == Tool(
        name="x",
        description="",
        parameters=NO_ARGUMENTS,
        binding=HttpBinding(
            method="POST", url=t("https://a.example/"), body=Body(kind=BodyKind.JSON, is_arguments=True)
        ),
        result=ResultSpec(),
    )


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ("method: GET", None),
        ("method: DELETE", None),
        ("method: PUT", Body(kind=BodyKind.JSON, is_arguments=True)),
        ("method: PATCH", Body(kind=BodyKind.JSON, is_arguments=True)),
        ("method: DELETE, json: {a: 1}", Body(kind=BodyKind.JSON, content={"a": 1})),
        (
            "json: {a: '{{ now }}', b: [true, null, 01]}",
            Body(kind=BodyKind.JSON, content={"a": t("{{ now }}"), "b": [True, None, t("01")]}),
        ),
        ("json: null", Body(kind=BodyKind.JSON, content=None)),
        (
            "form: {a: [x, 5], b: null, c: true, d: +1415}",
            Body(kind=BodyKind.FORM, content={"a": [t("x"), t("5")], "b": None, "c": True, "d": t("+1415")}),
        ),
        ("text: 'On {{ now }}'", Body(kind=BodyKind.TEXT, content=t("On {{ now }}"))),
    ],
)
def test_a_body_is_the_declared_one_or_the_arguments_where_a_method_has_one(
    fields: str, body: Body | None
) -> None:
    assert http(fields).body == body


@pytest.mark.parametrize(
    ("fields", "auth"),
    [
        ("auth: {bearer: '{{ secrets.TOKEN }}'}", Bearer(token=t("{{ secrets.TOKEN }}"))),
        (
            "auth: {basic: {username: u, password: '{{ secrets.TOKEN }}'}}",
            Basic(username=t("u"), password=t("{{ secrets.TOKEN }}")),
        ),
        (
            "auth: {api_key: {name: X-Key, value: '{{ secrets.TOKEN }}'}}",
            ApiKey(name="X-Key", value=t("{{ secrets.TOKEN }}")),
        ),
        (
            "auth: {api_key: {name: host, value: '{{ secrets.TOKEN }}', in: query}}",
            ApiKey(name="host", value=t("{{ secrets.TOKEN }}"), location=KeyIn.QUERY),
        ),
    ],
)
def test_credentials_are_taken_as_declared(fields: str, auth: object) -> None:
    assert http(fields).auth == auth


@pytest.mark.parametrize(
    ("fields", "retries"),
    [
        ("method: GET", Retries()),
        (
            "retries: {attempts: 3}",
            Retries(attempts=3, on=frozenset({"timeout", "connection", 502, 503, 504})),
        ),
        (
            "retries: {attempts: 2, backoff: 1s, on: [timeout, 429]}",
            Retries(attempts=2, backoff_s=1.0, on=frozenset({"timeout", 429})),
        ),
    ],
)
def test_nothing_is_tried_again_unless_that_is_declared(fields: str, retries: Retries) -> None:
    assert http(fields).retries == retries


def test_query_headers_signature_and_timeout_keep_digits_as_they_are_written() -> None:
    made = http(
        "query: {n: +14155550100, z: 007, no: null, on: false}, "
        "headers: {X-N: 0123, X-T: '{{ vars.clinic }}'}, "
        "sign: '{{ secrets.TOKEN }}', timeout: 1.5s"
    )
    assert made.query == {"n": t("+14155550100"), "z": t("007"), "no": None, "on": False}
    assert made.headers == {"X-N": t("0123"), "X-T": t("{{ vars.clinic }}")}
    assert made.sign == t("{{ secrets.TOKEN }}")
    assert made.timeout_s == 1.5


def test_a_result_is_selected_cut_and_explained() -> None:
    tool = build(
        "{name: x, parameters: {type: object, properties: {day: {type: string}}}, http: {url: https://a.example/},"
        " result: {select: 'slots[].start', on_error: 'No calendar for {{ args.day }}.', max_chars: 100,"
        " example: {day: 2026-11-27, slots: [{start: '09:00'}]}}}"
    )
    assert tool.result == ResultSpec(
        select="slots[].start",
        on_error=t("No calendar for {{ args.day }}."),
        example={"day": "2026-11-27", "slots": [{"start": "09:00"}]},
        has_example=True,
        max_chars=100,
    )


def test_an_example_of_null_is_an_example() -> None:
    assert build("{name: x, http: {url: https://a.example/}, result: {example: null}}").result == ResultSpec(
        has_example=True
    )


def test_a_transfer_asks_the_model_for_one_of_its_names() -> None:
    tool = build(
        "{name: x, description: To a person., "
        "transfer: {destinations: {billing: tel:+14155550123, nurse: sip:n@a.example},"
        " say: 'To {{ args.destination }}.', if_not_completed: Say sorry.}}"
    )
    assert tool.description == "To a person."
    assert tool.binding == TransferBinding(
        destinations={"billing": t("tel:+14155550123"), "nurse": t("sip:n@a.example")},
        say=t("To {{ args.destination }}."),
        if_not_completed=t("Say sorry."),
    )
    assert check_arguments(tool, '{"destination": "nurse"}') == {"destination": "nurse"}
    assert check_arguments(tool, '{"destination": "tel:+19005550000"}') == (
        '"destination" is "tel:+19005550000", it must be one of "billing", "nurse"'
    )


def test_a_hangup_and_a_fixed_answer_are_taken_as_declared() -> None:
    assert build("{name: x, hangup: {}}").binding == HangupBinding()
    assert build("{name: x, hangup: {say: Goodbye!}}").binding == HangupBinding(say=t("Goodbye!"))
    assert build(
        "{name: x, static: {parking: 'Behind {{ vars.clinic }}', free: true}}"
    ).binding == StaticBinding(answer={"parking": t("Behind {{ vars.clinic }}"), "free": True})
    assert build("{name: x, static: Closed.}").binding == StaticBinding(answer=t("Closed."))


def test_the_example_of_the_language_becomes_the_request_that_it_promises() -> None:
    tool = build(
        """
    name: find_slots
    description: Find free appointment slots on one day.
    parameters:
      type: object
      properties:
        day: {type: string, format: date, description: The day the caller asked for.}
      required: [day]
    http:
      method: GET
      url: https://api.maple.example/slots
      query: {day: "{{ args.day }}", caller: "{{ call.from.number }}"}
      auth: {bearer: "{{ secrets.TOKEN }}"}
      timeout: 5s
      retries: {attempts: 2, backoff: 200ms, on: [timeout, 502, 503, 504]}"""
    )
    arguments = check_arguments(tool, '{"day": "2026-11-27"}')
    assert isinstance(tool.binding, HttpBinding)
    request = build_request(
        tool.binding,
        {"args": arguments, "call": {"from": {"number": "+14155550100"}}, "secrets": {"TOKEN": "t0ken"}},
        call_id="rtc_1",
        tool_call_id="call_1",
        agent_id="front-desk",
        now=0.0,
    )
    assert (request.method, request.timeout_s) == ("GET", 5.0)
    assert request.url == "https://api.maple.example/slots?day=2026-11-27&caller=%2B14155550100"
    assert ("Authorization", "Bearer t0ken") in request.headers


@pytest.mark.parametrize(
    ("address", "is_one"),
    [
        ("tel:+14155550123", True),
        ("tel:+14155550123;ext=5", True),
        ("sip:nurse@maple.example", True),
        ("sips:nurse@maple.example:5061;transport=tls", True),
        ("SIP:[::1]", True),
        ("tel:4155550123", False),
        ("tel:+0155550123", False),
        ("tel:+1415555012345678", False),
        ("+14155550123", False),
        ("sip:", False),
        ("sip:a b@c.example", False),
        ("sip:a@b@c.example", False),
        # A value that is put before the host brings no host of its own.
        ("sip:x@evil.example?@pbx.example", False),
        ("sip:x@evil.example;@pbx.example", False),
        ("sip:nurse@maple.example\r\nX: y", False),
        ("https://maple.example", False),
    ],
)
def test_a_target_is_a_tel_or_sip_address(address: str, is_one: bool) -> None:
    assert is_target(address) is is_one


@pytest.mark.parametrize(
    ("address", "meant"),
    [
        ("tel:+1 (415) 555-0123", "tel:+14155550123"),
        ("+1.415.555.0123", "tel:+14155550123"),
        ("tel:415", None),
        ("x", None),
    ],
)
def test_a_number_that_was_written_for_people_is_recognised(address: str, meant: str | None) -> None:
    assert e164_target(address) == meant
