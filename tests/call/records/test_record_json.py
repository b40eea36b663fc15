"""A record survives the way to JSON and back."""

import json
import math
from dataclasses import fields

from runner.call.records.record_json import encode, of_json
from runner.model.record import Attempt, CallRecord, Deed, Handoff, Span, ToolUse, Turn
from runner.model.usage import TranscriptionUsage, Usage

LEAST = CallRecord(
    id="rtc_1", agent="a", route=None, why="", caller=None, called=None, transport="sip", created_at=1.0
)


def with_arguments(arguments: object) -> CallRecord:
    tool = ToolUse(
        name="t",
        call_id="c",
        arguments=arguments,
        started_at=2.5,
        took_s=None,
        status="unfinished",
        tries=(Attempt(at=2.5, took_s=0.5, http_status=200, error="x"),),
        reply={"ok": [1]},
    )
    return CallRecord(
        id="rtc_1",
        agent="front-desk",
        route="front-desk.yaml:4:3",
        why='to is "+18005551212"',
        caller="+14155550100",
        called="+18005551212",
        transport="sip",
        created_at=1.0,
        accepted_at=1.25,
        attached_at=1.5,
        ended_at=9.0,
        ended="hangup",
        turns=(
            Turn(role="agent", text="Grüß Gott \U0001f600", at=2.0, heard_ms=820, waited_s=0.5),
            Turn(role="caller", text=None, at=3.0),
        ),
        tools=(tool,),
        deeds=(
            Deed(
                id="deed_1",
                by="shift-lead",
                what="say",
                given={"say": "One moment."},
                at=2.0,
                result="failed",
                detail="x",
                settled_at=3.0,
            ),
        ),
        spans=(Span(who="caller", since=1.0, until=2.0, interrupted=True),),
        handoffs=(Handoff(agent="recepcion", because="a tool", at=4.0),),
        lookup_s=0.25,
        headers={"X-Plan": "gold"},
        busy={"overflow": {"concurrent_calls": 3}},
        faults=("a template failed",),
        model="gpt-realtime-2.1",
        served_by="gpt-realtime-2.1-2026-08-01",
        usage=Usage(text_in=1, audio_out=2),
        transcription=TranscriptionUsage(text_in=1, audio_in=2, text_out=3, seconds=0.5),
        detail="as asked",
        cost_usd=0.125,
        complaints=1,
        unknown_events=2,
        malformed_events=3,
    )


def test_the_least_and_the_fullest_record_come_back_as_they_were() -> None:
    full = with_arguments({"day": "2026-11-27", "list": [1, 2.5, None, True, {"a": []}]})
    alike = {field.name for field in fields(full) if getattr(full, field.name) == getattr(LEAST, field.name)}
    assert alike == {"id", "transport", "created_at"}
    assert of_json(json.loads(encode(LEAST))) == LEAST
    assert of_json(json.loads(encode(full))) == full


def test_half_of_a_surrogate_pair_comes_back_as_it_was() -> None:
    record = with_arguments({"name": "\ud83d"})
    text = encode(record)
    assert text.isascii()
    assert of_json(json.loads(text)) == record


def test_a_number_that_json_does_not_have_becomes_null() -> None:
    record = with_arguments({"a": math.nan, "b": [math.inf, -math.inf], "c": 1.5})
    assert of_json(json.loads(encode(record))).tools[0].arguments == {"a": None, "b": [None, None], "c": 1.5}


def test_it_is_one_line_of_plain_json() -> None:
    text = encode(LEAST)
    assert "\n" not in text
    assert json.loads(text)["created_at"] == 1.0
    assert json.loads(text)["turns"] == []
