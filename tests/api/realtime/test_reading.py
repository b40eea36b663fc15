"""What each event of the sideband means to a call."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.api.realtime.meanings import READS
from runner.model.call import Role
from runner.model.conversation_event import (
    ApiError,
    ApiErrorKind,
    ApprovalAsked,
    CallerSpeaks,
    Ignored,
    IgnoredBecause,
    ItemPlaced,
    KeyPressed,
    McpCallEnded,
    McpCallStarted,
    McpListed,
    Outcome,
    OutputTaken,
    PlaybackEnded,
    PlaybackStarted,
    ResponseEnded,
    ResponseStarted,
    SessionUpdated,
    SilenceNudge,
    ToolCalled,
    Transcribed,
    TranscriptGrew,
    TurnTruncated,
)
from runner.model.event import CallEvent
from runner.model.usage import TranscriptionUsage, Usage
from tests.api.realtime.frames import read

CALL_ITEM = {
    "type": "function_call",
    "id": "item_2",
    "status": "completed",
    "call_id": "call_1",
    "name": "find_slots",
    "arguments": '{"day":"2026-11-27"}',
}
CALLED = ToolCalled(
    response_id="resp_1", call_id="call_1", name="find_slots", arguments='{"day":"2026-11-27"}'
)
SPOKEN_ITEM = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_audio", "transcript": "Hi."}],
}


@pytest.mark.parametrize(
    ("received", "event"),
    [
        (
            {"type": "response.created", "response": {"id": "resp_1", "metadata": {"wish": "wish_1"}}},
            ResponseStarted(response_id="resp_1", wish="wish_1"),
        ),
        (
            {"type": "response.created", "response": {"id": "resp_1", "metadata": None}},
            ResponseStarted(response_id="resp_1"),
        ),
        (
            {"type": "response.output_item.done", "response_id": "resp_1", "item": CALL_ITEM},
            CALLED,
        ),
        (
            {
                "type": "response.done",
                "response": {
                    "id": "resp_1",
                    "status": "completed",
                    "output": [SPOKEN_ITEM, CALL_ITEM],
                    "usage": {
                        "input_token_details": {
                            "text_tokens": 100,
                            "audio_tokens": 50,
                            "cached_tokens": 60,
                            "cached_tokens_details": {"text_tokens": 40, "audio_tokens": 20},
                        },
                        "output_token_details": {"text_tokens": 7, "audio_tokens": 30},
                    },
                },
            },
            ResponseEnded(
                response_id="resp_1",
                outcome=Outcome.COMPLETED,
                calls=(CALLED,),
                usage=Usage(
                    text_in=100, text_cached=40, audio_in=50, audio_cached=20, text_out=7, audio_out=30
                ),
                audible=True,
                audio_s=1.5,
            ),
        ),
        (
            {
                "type": "response.done",
                "response": {
                    "id": "resp_1",
                    "status": "failed",
                    "status_details": {"error": {"code": "server_error", "message": "Sorry."}},
                    "output": [],
                },
            },
            ResponseEnded(
                response_id="resp_1",
                outcome=Outcome.FAILED,
                code="server_error",
                detail="server_error Sorry.",
                audible=False,
                is_empty=True,
            ),
        ),
        *(
            (
                {
                    "type": "response.done",
                    "response": {
                        "id": "resp_1",
                        "status": "failed",
                        "status_details": {"error": {"code": code, "message": "Sorry."}},
                    },
                },
                ResponseEnded(
                    response_id="resp_1",
                    outcome=Outcome.FAILED,
                    cause=cause,
                    code=code,
                    detail=f"{code} Sorry.",
                    audible=False,
                ),
            )
            for code, cause in (
                ("rate_limit_exceeded", ApiErrorKind.RATE_LIMITED),
                ("insufficient_quota", ApiErrorKind.OUT_OF_QUOTA),
            )
        ),
        (
            {
                "type": "response.done",
                "response": {
                    "id": "resp_1",
                    "status": "cancelled",
                    "status_details": {"reason": "turn_detected"},
                    "output": [{**CALL_ITEM, "status": "incomplete"}],
                },
            },
            ResponseEnded(
                response_id="resp_1", outcome=Outcome.CANCELLED, detail="turn_detected", audible=False
            ),
        ),
        (
            {"type": "output_audio_buffer.started", "response_id": "resp_1"},
            PlaybackStarted(response_id="resp_1"),
        ),
        (
            {"type": "output_audio_buffer.stopped", "response_id": "resp_1"},
            PlaybackEnded(response_id="resp_1"),
        ),
        (
            {"type": "output_audio_buffer.cleared", "response_id": "resp_1"},
            PlaybackEnded(response_id="resp_1", interrupted=True),
        ),
        ({"type": "input_audio_buffer.speech_started"}, CallerSpeaks(began=True)),
        ({"type": "input_audio_buffer.speech_stopped"}, CallerSpeaks(began=False)),
        (
            {"type": "input_audio_buffer.committed", "item_id": "item_1", "previous_item_id": "item_0"},
            ItemPlaced(item_id="item_1", after="item_0", role=Role.CALLER),
        ),
        (
            {
                "type": "conversation.item.added",
                "previous_item_id": None,
                "item": {
                    "id": "item_1",
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": "Hello"}],
                },
            },
            ItemPlaced(item_id="item_1", role=Role.CALLER, text="Hello"),
        ),
        (
            {
                "type": "conversation.item.input_audio_transcription.completed",
                "item_id": "item_1",
                "transcript": "Hello",
                "usage": {"type": "duration", "seconds": 2},
            },
            Transcribed(
                item_id="item_1",
                role=Role.CALLER,
                text="Hello",
                usage=TranscriptionUsage(seconds=2.0),
            ),
        ),
        (
            {"type": "conversation.item.input_audio_transcription.failed", "item_id": "item_1"},
            Transcribed(item_id="item_1", role=Role.CALLER, failed=True),
        ),
        (
            {"type": "conversation.item.truncated", "item_id": "i", "content_index": 0, "audio_end_ms": 820},
            TurnTruncated(item_id="i", heard_ms=820),
        ),
        (
            {"type": "session.created", "session": {"model": "gpt-realtime-2.1"}},
            SessionUpdated(model="gpt-realtime-2.1"),
        ),
        (
            {"type": "session.updated", "session": {"model": "gpt-realtime-2.1", "instructions": "Be kind."}},
            SessionUpdated(model="gpt-realtime-2.1", is_unasked=True),
        ),
        ({"type": "session.updated", "session": {}}, SessionUpdated(is_unasked=True)),
        ({"type": "mcp_list_tools.completed", "item_id": "i"}, McpListed(item_id="i", ok=True)),
        ({"type": "mcp_list_tools.failed", "item_id": "i"}, McpListed(item_id="i", ok=False)),
        ({"type": "response.mcp_call.completed", "item_id": "i"}, McpCallEnded(item_id="i", ok=True)),
        ({"type": "response.mcp_call.failed", "item_id": "i"}, McpCallEnded(item_id="i", ok=False)),
        ({"type": "input_audio_buffer.dtmf_event_received", "event": "#"}, KeyPressed(key="#")),
        (
            {"type": "input_audio_buffer.timeout_triggered", "item_id": "item_3"},
            SilenceNudge(item_id="item_3"),
        ),
        (
            {
                "type": "error",
                "error": {
                    "code": "conversation_already_has_active_response",
                    "message": "One is active.",
                    "event_id": "wish_1",
                },
            },
            ApiError(
                kind=ApiErrorKind.BUSY_SPEAKING,
                about="wish_1",
                code="conversation_already_has_active_response",
                message="One is active.",
            ),
        ),
        ({"type": "error"}, ApiError(kind=ApiErrorKind.OTHER)),
        ({"type": "error", "error": "no"}, ApiError(kind=ApiErrorKind.OTHER)),
        (
            {"type": "error", "error": {"code": "session_expired", "message": ""}},
            ApiError(kind=ApiErrorKind.SESSION_EXPIRED, code="session_expired", message="no reason given"),
        ),
        (
            {"type": "error", "error": {"type": "invalid_request_error", "message": "No."}},
            ApiError(kind=ApiErrorKind.OTHER, code="invalid_request_error", message="No."),
        ),
    ],
)
def test_each_event_is_read(received: dict[str, object], event: CallEvent) -> None:
    assert read(json.dumps(received)) == (event,)
    assert read(json.dumps(received).encode()) == (event,)


def test_an_output_that_the_api_holds_is_placed_and_taken() -> None:
    item = {"id": "item_4", "type": "function_call_output", "call_id": "call_1", "output": "{}"}
    received = {"type": "conversation.item.added", "previous_item_id": "item_3", "item": item}
    assert read(json.dumps(received)) == (
        ItemPlaced(item_id="item_4", after="item_3"),
        OutputTaken(call_id="call_1", item_id="item_4"),
    )


@pytest.mark.parametrize(
    ("kind", "event"),
    [
        ("mcp_call", McpCallStarted(item_id="i", server="crm", tool="look_up")),
        ("mcp_approval_request", ApprovalAsked(request_id="i", server="crm", tool="look_up")),
    ],
)
def test_what_the_api_asks_of_mcp_servers_is_told(kind: str, event: CallEvent) -> None:
    item = {"id": "i", "type": kind, "server_label": "crm", "name": "look_up", "arguments": "{}"}
    received = {"type": "conversation.item.added", "previous_item_id": None, "item": item}
    assert read(json.dumps(received)) == (ItemPlaced(item_id="i"), event)


@pytest.mark.parametrize(
    ("kind", "role"),
    [
        ("conversation.item.input_audio_transcription.delta", Role.CALLER),
        ("response.output_audio_transcript.delta", Role.AGENT),
        ("response.output_text.delta", Role.AGENT),
        ("response.audio_transcript.delta", Role.AGENT),
        ("response.text.delta", Role.AGENT),
    ],
)
def test_words_are_told_to_those_who_follow_them(kind: str, role: Role) -> None:
    frame = json.dumps({"type": kind, "item_id": "i", "delta": "Hel"})
    assert read(frame) == ()
    assert read(frame, follow_words=True) == (TranscriptGrew(item_id="i", role=role, text="Hel"),)


def test_a_tool_call_that_was_cut_short_does_not_run() -> None:
    item = {**CALL_ITEM, "status": "incomplete"}
    received = {"type": "response.output_item.done", "response_id": "resp_1", "item": item}
    assert read(json.dumps(received)) == ()


def test_arguments_that_are_only_done_do_not_run_the_tool() -> None:
    received = {"type": "response.function_call_arguments.done", "call_id": "call_1", "arguments": "{}"}
    assert read(json.dumps(received)) == ()


@pytest.mark.parametrize("kind", ["response.output_audio.delta", "response.audio.delta"])
def test_audio_is_dropped_without_being_parsed(kind: str) -> None:
    assert read(f'{{"type":"{kind}","delta":"AAAA') == ()
    assert read(f'{{"event_id": "event_1", "type": "{kind}", "delta": "AAAA') == ()


def test_the_head_of_a_nested_object_is_not_the_type_of_the_event() -> None:
    frame = '{"part": {"type": "response.output_audio.delta"}, "type": "input_audio_buffer.speech_started"}'
    assert read(frame) == (CallerSpeaks(began=True),)


@pytest.mark.parametrize(
    ("frame", "because"),
    [
        ("", IgnoredBecause.MALFORMED),
        ("{", IgnoredBecause.MALFORMED),
        ("[]", IgnoredBecause.MALFORMED),
        ('{"type": 7}', IgnoredBecause.MALFORMED),
        (b"\xff\xfe", IgnoredBecause.MALFORMED),
        ("[" * 100_000, IgnoredBecause.MALFORMED),
        ('{"type": "a", "a": [' + "[]," * 250_000 + "1]}", IgnoredBecause.MALFORMED),
        ('{"type": "response.created"}', IgnoredBecause.MALFORMED),
        (
            '{"type": "conversation.item.truncated", "item_id": "i", "audio_end_ms": Infinity}',
            IgnoredBecause.MALFORMED,
        ),
        (
            '{"type": "conversation.item.truncated", "item_id": "i", "audio_end_ms": 1%s}' % ("0" * 400),
            IgnoredBecause.MALFORMED,
        ),
        ('{"type": "response.created", "response": {"id": 5}}', IgnoredBecause.MALFORMED),
        ('{"type": "response.done", "response": {"id": 5}}', IgnoredBecause.MALFORMED),
        ('{"type": "response.something_new", "delta": "x"}', IgnoredBecause.UNKNOWN),
    ],
)
def test_what_cannot_be_read_is_counted_and_passed_over(frame: str | bytes, because: IgnoredBecause) -> None:
    assert read(frame) == (Ignored(because),)


@pytest.mark.parametrize(
    "odd",
    [
        {"status": "odd"},
        {"status": None},
        {"output": {}},
        {"output": [{"type": "function_call", "status": "completed"}]},
        {"usage": {"input_token_details": "many"}},
        {
            "usage": {
                "input_token_details": {"text_tokens": 10**400, "audio_tokens": -1, "image_tokens": True}
            }
        },
        {"status_details": "odd"},
    ],
)
def test_a_response_that_is_done_is_over_however_odd_it_is(odd: dict[str, object]) -> None:
    done = {"type": "response.done", "response": {"id": "r", "metadata": {"wish": "wish_1"}, **odd}}
    assert read(json.dumps(done)) == (
        ResponseEnded(response_id="r", wish="wish_1", outcome=Outcome.COMPLETED, audible=False),
    )


@pytest.mark.parametrize(
    "output",
    [[None], [{"type": "message", "role": "assistant", "content": [None, {"transcript": 5}]}]],
)
def test_a_response_that_holds_only_oddities_is_empty(output: list[object]) -> None:
    done = {"type": "response.done", "response": {"id": "r", "output": output}}
    assert read(json.dumps(done)) == (
        ResponseEnded(response_id="r", outcome=Outcome.COMPLETED, audible=False, is_empty=True),
    )


AT = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}


@pytest.mark.parametrize(
    ("former", "present", "fields"),
    [
        ("response.audio.delta", "response.output_audio.delta", {"delta": "AAAA"}),
        ("response.audio.done", "response.output_audio.done", {}),
        ("response.audio_transcript.delta", "response.output_audio_transcript.delta", {"delta": "Hi"}),
        ("response.audio_transcript.done", "response.output_audio_transcript.done", {"transcript": "Hi."}),
        ("response.text.delta", "response.output_text.delta", {"delta": "Hi"}),
        ("response.text.done", "response.output_text.done", {"text": "Hi."}),
    ],
)
@pytest.mark.parametrize("follow_words", [False, True])
def test_names_of_the_beta_mean_the_same(
    former: str, present: str, fields: dict[str, str], follow_words: bool
) -> None:
    was, now = (
        read(json.dumps({"type": name, **AT, **fields}), follow_words=follow_words)
        for name in (former, present)
    )
    assert was == now
    assert Ignored(IgnoredBecause.UNKNOWN) not in was


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KNOWN = [
    "conversation.item.added",
    "conversation.item.done",
    "conversation.item.input_audio_transcription.completed",
    "conversation.item.truncated",
    "error",
    "input_audio_buffer.committed",
    "output_audio_buffer.stopped",
    "response.content_part.done",
    "response.created",
    "response.done",
    "response.output_audio_transcript.done",
    "response.output_item.done",
    "session.updated",
]
FIELDS = [
    *("response", "item", "item_id", "response_id", "error", "transcript", "usage", "previous_item_id"),
    *("part", "session", "audio_end_ms", "content_index"),
]


TRICKS = ['","type":"response.done","x":"', '{"type":"error"}', "response.done", "\\", '"', "\ud800", ""]


@given(
    kind=st.sampled_from(
        [*READS, "rate_limits.updated", "response.output_audio.delta", "response.later", *TRICKS]
    ),
    fields=st.dictionaries(
        st.sampled_from(["event_id", "part", "response", "item", 'type":"error', "type "]),
        st.sampled_from(TRICKS)
        | st.fixed_dictionaries({"type": st.sampled_from(["error", "rate_limits.updated"])}),
    ),
    position=st.integers(0, 3),
    separators=st.sampled_from([(",", ":"), (", ", ": "), ("\n,", "\t: ")]),
    follow_words=st.booleans(),
)
def test_a_type_that_is_found_without_parsing_is_the_one_that_json_has(
    kind: str, fields: dict[str, object], position: int, separators: tuple[str, str], follow_words: bool
) -> None:
    others = [*fields.items(), ("item_id", "i"), ("delta", '{"type":"error"}'), ("transcript", "Hi")]
    event = dict([*others[:position], ("type", kind), *others[position:]])
    frame = json.dumps(event, separators=separators)
    is_parsed = '{"": 0,' + frame[1:]
    assert read(frame, follow_words=follow_words) == read(is_parsed, follow_words=follow_words)
    grown = [one for one in read(is_parsed) if isinstance(one, TranscriptGrew)]
    assert grown == [], "nobody follows words"


@given(
    kind=st.sampled_from(KNOWN),
    fields=st.dictionaries(
        st.sampled_from(FIELDS),
        json_values
        | st.fixed_dictionaries(
            {},
            optional={"id": json_values, "output": json_values, "content": json_values, "usage": json_values},
        ),
    ),
)
def test_known_events_with_any_content_never_raise(kind: str, fields: dict[str, object]) -> None:
    for event in read(json.dumps({"type": kind, **fields})):
        assert isinstance(event, CallEvent)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"type": "insufficient_quota", "code": "billing_hard_limit_reached"}, ApiErrorKind.OUT_OF_QUOTA),
        ({"type": "rate_limit_exceeded", "code": None}, ApiErrorKind.RATE_LIMITED),
        ({"type": "tokens", "code": "rate_limit_exceeded"}, ApiErrorKind.RATE_LIMITED),
        ({"type": ["insufficient_quota"], "code": 429}, ApiErrorKind.OTHER),
    ],
)
def test_an_error_is_known_by_its_code_or_else_by_its_type(
    error: dict[str, object], kind: ApiErrorKind
) -> None:
    details = {"type": "failed", "error": error}
    response = {"id": "resp_1", "status": "failed", "status_details": details, "output": []}
    (ended,) = read(json.dumps({"type": "response.done", "response": response}).encode())
    assert isinstance(ended, ResponseEnded)
    (refused,) = read(json.dumps({"type": "error", "error": error}).encode())
    assert isinstance(refused, ApiError)
    assert ended.cause is refused.kind is kind
