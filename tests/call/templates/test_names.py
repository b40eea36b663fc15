"""What a call is called in templates."""

from runner.call.templates.names import CALL, call_names, names
from runner.call.templates.template import compile_template
from runner.model.call import Address, IncomingCall, SipOrigin

CALL_IN = IncomingCall(
    id="rtc_1",
    caller=Address(
        uri="sip:+14155550100@pstn.example",
        user="+14155550100",
        host="pstn.example",
        number="+14155550100",
        country="US",
    ),
    called=Address(uri="sip:desk@pbx.example", user="desk", host="pbx.example", anonymous=False),
    called_found_in="To",
    origin=SipOrigin(headers=(("X-Plan", "gold"), ("Diversion", "<sip:a@b>"), ("x-plan", "silver"))),
    created_at=1795464000.9,
)


def test_a_call_has_the_names_of_the_language() -> None:
    assert call_names(CALL_IN) == {
        "id": "rtc_1",
        "from": {
            "number": "+14155550100",
            "uri": "sip:+14155550100@pstn.example",
            "user": "+14155550100",
            "host": "pstn.example",
            "display_name": None,
            "country": "US",
            "anonymous": False,
        },
        "to": {
            "number": None,
            "uri": "sip:desk@pbx.example",
            "user": "desk",
            "host": "pbx.example",
            "display_name": None,
            "country": None,
            "anonymous": False,
        },
        "headers": {"x-plan": "gold, silver", "diversion": "<sip:a@b>"},
        "started_at": "2026-11-23T20:00:00Z",
        "transport": "sip",
    }


def test_the_checked_shape_of_a_call_is_its_real_one() -> None:
    made = call_names(CALL_IN)
    assert made.keys() == CALL.keys()
    for party in ("from", "to"):
        shape = CALL[party]
        assert shape is not None
        assert made[party].keys() == shape.keys()


def test_headers_are_found_in_any_case_and_nothing_else_is() -> None:
    template = compile_template(
        "{{ call.headers['X-PLAN'] }}/{{ call.headers.diversion }}/{{ call.headers.get }}"
    )
    assert template.text({"call": call_names(CALL_IN)}) == "gold, silver/<sip:a@b>/"


def test_a_template_may_name_the_call_the_agent_the_variables_and_the_time() -> None:
    made = names(call=call_names(CALL_IN), agent_id="front-desk", vars={"clinic": "Maple"}, now=0.0)
    template = compile_template(
        "{{ agent }} {{ vars.clinic }} {{ now }} {{ call.from.country }} {{ lookup.x }}."
    )
    assert template.text(made) == "front-desk Maple 1970-01-01T00:00:00Z US ."
