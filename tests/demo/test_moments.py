"""What travels becomes a story: who speaks, which tool, which output."""

from typing import Any

import pytest

from runner.demo.moments import Moment, Story, What


def item(status: str = "completed", **fields: Any) -> dict[str, Any]:
    return {"type": "response.output_item.done", "item": {"status": status, **fields}}


def message(status: str) -> dict[str, Any]:
    content = [{"type": "output_audio", "transcript": "Hello there"}]
    return item(status, type="message", role="assistant", content=content)


SPEAKS = {"type": "input_audio_buffer.speech_started"}
CALL = item(type="function_call", name="find", call_id="c", arguments="{}")


@pytest.mark.parametrize(
    ("event", "moment"),
    [
        (SPEAKS, Moment(at_s=1.0, what=What.CALLER, text="Hi")),
        (
            {"type": "input_audio_buffer.dtmf_event_received", "event": "#"},
            Moment(at_s=1.0, what=What.CALLER, text="presses #"),
        ),
        (message("completed"), Moment(at_s=1.0, what=What.AGENT, text="Hello there")),
        (message("incomplete"), Moment(at_s=1.0, what=What.AGENT, text="Hello there —")),
        (CALL, Moment(at_s=1.0, what=What.TOOL, text="find {}", tool_call_id="c")),
        (
            {"type": "error", "error": {"message": "No."}},
            Moment(at_s=1.0, what=What.ERROR, text="No.", ok=False),
        ),
        ({"type": "response.done"}, None),
    ],
)
def test_an_event_of_the_api_tells(event: dict[str, Any], moment: Moment | None) -> None:
    assert list(Story(["Hi"]).sent(event, 1.0)) == ([moment] if moment else [])


def test_the_callers_lines_come_in_order_and_end() -> None:
    story = Story(["one", "two"])
    told = [moment.text for _ in range(3) for moment in story.sent(SPEAKS, 0.0)]
    assert told == ["one", "two"]


def output(text: str) -> dict[str, Any]:
    return {
        "type": "conversation.item.create",
        "item": {"type": "function_call_output", "call_id": "c", "output": text},
    }


@pytest.mark.parametrize(
    ("kind", "value", "moment"),
    [
        ("reject", {"status_code": 603}, Moment(at_s=1.0, what=What.REJECTED, text="603", ok=False)),
        ("refer", {"target_uri": "tel:+1"}, Moment(at_s=1.0, what=What.TRANSFER, text="tel:+1")),
        ("hangup", {}, Moment(at_s=1.0, what=What.HANGUP, text="")),
        ("event", output("[1]"), Moment(at_s=1.0, what=What.OUTPUT, text="[1]", tool_call_id="c")),
        ("event", output("text"), Moment(at_s=1.0, what=What.OUTPUT, text="text", tool_call_id="c")),
        (
            "event",
            output('{"error": "down"}'),
            Moment(at_s=1.0, what=What.OUTPUT, text='{"error": "down"}', tool_call_id="c", ok=False),
        ),
        ("event", {"type": "response.create"}, None),
    ],
)
def test_what_the_runner_sends_tells(kind: str, value: dict[str, Any], moment: Moment | None) -> None:
    assert list(Story([]).received(kind, value, 1.0)) == ([moment] if moment else [])
