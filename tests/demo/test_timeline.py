"""What travels becomes a timeline: who speaks, which tool, which output."""

from typing import Any

import pytest

from runner.demo.timeline import EntryKind, Timeline, TimelineEntry


def item(status: str = "completed", **fields: Any) -> dict[str, Any]:
    return {"type": "response.output_item.done", "item": {"status": status, **fields}}


def message(status: str) -> dict[str, Any]:
    content = [{"type": "output_audio", "transcript": "Hello there"}]
    return item(status, type="message", role="assistant", content=content)


SPEAKS = {"type": "input_audio_buffer.speech_started"}
CALL = item(type="function_call", name="find", call_id="c", arguments="{}")


@pytest.mark.parametrize(
    ("event", "entry"),
    [
        (SPEAKS, TimelineEntry(at_s=1.0, what=EntryKind.CALLER, text="Hi")),
        (
            {"type": "input_audio_buffer.dtmf_event_received", "event": "#"},
            TimelineEntry(at_s=1.0, what=EntryKind.CALLER, text="presses #"),
        ),
        (message("completed"), TimelineEntry(at_s=1.0, what=EntryKind.AGENT, text="Hello there")),
        (message("incomplete"), TimelineEntry(at_s=1.0, what=EntryKind.AGENT, text="Hello there —")),
        (CALL, TimelineEntry(at_s=1.0, what=EntryKind.TOOL, text="find {}", tool_call_id="c")),
        (
            {"type": "error", "error": {"message": "No."}},
            TimelineEntry(at_s=1.0, what=EntryKind.ERROR, text="No.", ok=False),
        ),
        ({"type": "response.done"}, None),
    ],
)
def test_an_event_of_the_api_tells(event: dict[str, Any], entry: TimelineEntry | None) -> None:
    assert list(Timeline(["Hi"]).sent(event, 1.0)) == ([entry] if entry else [])


def test_the_callers_lines_come_in_order_and_end() -> None:
    timeline = Timeline(["one", "two"])
    texts = [entry.text for _ in range(3) for entry in timeline.sent(SPEAKS, 0.0)]
    assert texts == ["one", "two"]


def output(text: str) -> dict[str, Any]:
    return {
        "type": "conversation.item.create",
        "item": {"type": "function_call_output", "call_id": "c", "output": text},
    }


@pytest.mark.parametrize(
    ("kind", "value", "entry"),
    [
        (
            "reject",
            {"status_code": 603},
            TimelineEntry(at_s=1.0, what=EntryKind.REJECTED, text="603", ok=False),
        ),
        ("refer", {"target_uri": "tel:+1"}, TimelineEntry(at_s=1.0, what=EntryKind.TRANSFER, text="tel:+1")),
        ("hangup", {}, TimelineEntry(at_s=1.0, what=EntryKind.HANGUP, text="")),
        (
            "event",
            output("[1]"),
            TimelineEntry(at_s=1.0, what=EntryKind.OUTPUT, text="[1]", tool_call_id="c"),
        ),
        (
            "event",
            output("text"),
            TimelineEntry(at_s=1.0, what=EntryKind.OUTPUT, text="text", tool_call_id="c"),
        ),
        (
            "event",
            output('{"error": "down"}'),
            TimelineEntry(
                at_s=1.0, what=EntryKind.OUTPUT, text='{"error": "down"}', tool_call_id="c", ok=False
            ),
        ),
        ("event", {"type": "response.create"}, None),
    ],
)
def test_what_the_runner_sends_tells(kind: str, value: dict[str, Any], entry: TimelineEntry | None) -> None:
    assert list(Timeline([]).received(kind, value, 1.0)) == ([entry] if entry else [])
