"""A record becomes a scenario that passes as it is."""

from runner.model.record import CallRecord, ToolUse, Turn
from runner.scenario.from_record import scenario_of

RECORD = CallRecord(
    id="rtc_1",
    agent="front-desk",
    route=None,
    why="",
    caller="+15185550123",
    called="+18005550142",
    transport="sip",
    created_at=1764000000.0,
    ended="caller_hung_up",
    turns=(
        Turn(role="agent", text="Hello.", at=1764000002.0),
        Turn(role="caller", text="Friday?", at=1764000004.0),
        Turn(role="agent", text="At nine.", at=1764000009.0),
    ),
    tools=(
        ToolUse(
            name="find_slots",
            call_id="c",
            arguments={"day": "2026-11-27"},
            started_at=1764000006.0,
            took_s=0.1,
            status="ok",
        ),
    ),
)


def test_a_scenario_tells_what_was_said_and_called_and_how_it_ended() -> None:
    assert scenario_of(RECORD).splitlines() == [
        "- name: call rtc_1",
        "  at: 2025-11-24T16:00:00+00:00",
        '  call: {from: "+15185550123", to: "+18005550142"}',
        "  expect: {agent: front-desk}",
        "  steps:",
        "    - caller: Friday?",
        '    - model_calls: {find_slots: {day: "2026-11-27"}}',
        "    - model_says: At nine.",
        "    - caller_hangs_up: true",
        "      expect: {ended: caller_hung_up}",
    ]
