"""What each event of the sideband means to a call."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.api.realtime.reading import Reader
from runner.model.call import Role
from runner.model.event import (
    ApiError,
    ApiErrorKind,
    ApprovalAsked,
    CallerSpeaks,
    CallEvent,
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
from runner.model.usage import TranscriptionUsage, Usage


def read(frame: str | bytes, *, follow_words: bool = False) -> tuple[CallEvent, ...]:
    """What a frame means to who has read no other."""
    return Reader().read(frame, follow_words=follow_words)


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
        {"output": [None]},
        {"output": {}},
        {"output": [{"type": "function_call", "status": "completed"}]},
        {"output": [{"type": "message", "role": "assistant", "content": [None, {"transcript": 5}]}]},
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


# The words of the agent


def message(*words: str, status: str = "completed") -> dict[str, object]:
    content = [{"type": "output_audio", "transcript": each} for each in words]
    return {"id": "item_2", "type": "message", "role": "assistant", "status": status, "content": content}


def item_event(kind: str, **fields: object) -> dict[str, object]:
    return {"type": kind, "response_id": "resp_1", "item_id": "item_2", "content_index": 0, **fields}


TOLD_IN_FIVE_PLACES = [
    item_event("response.output_audio_transcript.done", transcript="Hi."),
    item_event("response.content_part.done", part={"type": "audio", "transcript": "Hi."}),
    item_event("conversation.item.done", previous_item_id="item_1", item=message("Hi.")),
    item_event("response.output_item.done", item=message("Hi.")),
    item_event("response.done", response={"id": "resp_1", "status": "completed", "output": [message("Hi.")]}),
]
ADDED = item_event("conversation.item.added", previous_item_id="item_1", item=message(status="in_progress"))
HI = Transcribed(item_id="item_2", role=Role.AGENT, text="Hi.")
PLACED = ItemPlaced(item_id="item_2", after="item_1", role=Role.AGENT)


def all_of(events: list[dict[str, object]]) -> list[CallEvent]:
    """What these events mean, one after the other, but for the end of the response."""
    reader = Reader()
    read = [event for received in events for event in reader.read(json.dumps(received))]
    return [event for event in read if not isinstance(event, ResponseEnded)]


@pytest.mark.parametrize("place", TOLD_IN_FIVE_PLACES, ids=lambda event: str(event["type"]))
def test_any_of_five_events_tells_the_words_of_the_agent(place: dict[str, object]) -> None:
    assert all_of([ADDED, place]) == [PLACED, HI]


@pytest.mark.parametrize(
    "place",
    [
        item_event("response.output_text.done", text="Hi."),
        item_event("response.audio_transcript.done", transcript="Hi."),
        item_event("response.text.done", text="Hi."),
        item_event("response.content_part.done", part={"type": "text", "text": "Hi."}),
    ],
    ids=lambda event: str(event["type"]),
)
def test_text_and_the_names_of_the_beta_are_words_too(place: dict[str, object]) -> None:
    assert all_of([ADDED, place]) == [PLACED, HI]


@pytest.mark.parametrize("missed", range(5))
def test_words_are_told_once_whichever_events_are_missed(missed: int) -> None:
    assert all_of([ADDED, *TOLD_IN_FIVE_PLACES[missed:]]) == [PLACED, HI]


def test_an_item_whose_place_was_missed_is_placed_when_it_is_done() -> None:
    assert all_of(TOLD_IN_FIVE_PLACES) == [HI, replace(PLACED, text="Hi.")]
    assert all_of(TOLD_IN_FIVE_PLACES[3:]) == [HI]


def test_an_item_of_several_parts_has_the_words_of_all() -> None:
    first = item_event("response.output_audio_transcript.done", transcript="Hi.")
    second = item_event("response.output_audio_transcript.done", content_index=1, transcript="Ada here.")
    whole = item_event("response.output_item.done", item=message("Hi.", "Ada here."))
    both = Transcribed(item_id="item_2", role=Role.AGENT, text="Hi. Ada here.")
    assert all_of([ADDED, first, second, whole]) == [PLACED, HI, both]
    assert all_of([ADDED, whole]) == [PLACED, both]


def test_what_is_told_later_without_words_takes_none_away() -> None:
    empty = item_event("conversation.item.done", previous_item_id="item_1", item=message(""))
    assert all_of([ADDED, TOLD_IN_FIVE_PLACES[0], empty]) == [PLACED, HI]


def test_an_item_that_was_made_without_words_is_known_to_have_none() -> None:
    silent = item_event("response.output_audio_transcript.done", transcript="")
    untold = {**message(), "content": [{"type": "output_audio", "transcript": None}]}
    done = item_event("conversation.item.done", previous_item_id="item_1", item=untold)
    assert all_of([ADDED, silent, done]) == [PLACED, Transcribed(item_id="item_2", role=Role.AGENT)]
    assert all_of([ADDED, done]) == [PLACED]


def test_the_callers_item_is_placed_by_either_of_its_events_and_has_its_words_elsewhere() -> None:
    item = {"id": "c", "type": "message", "role": "user", "content": [{"type": "input_audio"}]}
    kind = "conversation.item.added"
    added: dict[str, object] = {"type": kind, "previous_item_id": None, "item": item}
    done: dict[str, object] = {**added, "type": "conversation.item.done"}
    placed = ItemPlaced(item_id="c", role=Role.CALLER)
    assert all_of([added, done]) == all_of([done]) == [placed]


def test_the_place_of_what_the_caller_has_said_is_told_once() -> None:
    kind = "input_audio_buffer.committed"
    committed: dict[str, object] = {"type": kind, "item_id": "c", "previous_item_id": "b"}
    item = {"id": "c", "type": "message", "role": "user", "content": [{"type": "input_audio"}]}
    added: dict[str, object] = {
        "type": "conversation.item.added",
        "previous_item_id": "b",
        "item": item,
    }
    placed = ItemPlaced(item_id="c", after="b", role=Role.CALLER)
    assert all_of([committed, added]) == all_of([added]) == [placed]
    elsewhere = {**added, "previous_item_id": "a"}
    assert all_of([committed, elsewhere]) == [placed, ItemPlaced(item_id="c", after="a", role=Role.CALLER)]


# What the API bills


@pytest.mark.parametrize(
    ("usage", "read_as"),
    [
        (None, Usage()),
        ({"input_token_details": {"cached_tokens": 60}}, Usage(text_cached=60)),
        (
            {
                "input_token_details": {
                    "image_tokens": 300,
                    "cached_tokens": 100,
                    "cached_tokens_details": {"image_tokens": 100},
                }
            },
            Usage(image_in=300, image_cached=100),
        ),
    ],
)
def test_usage_is_read_by_the_kind_of_its_tokens(usage: object, read_as: Usage) -> None:
    done = {"type": "response.done", "response": {"id": "r", "usage": usage}}
    (ended,) = read(json.dumps(done))
    assert isinstance(ended, ResponseEnded)
    assert ended.usage == read_as


@pytest.mark.parametrize(
    ("usage", "read_as"),
    [
        (None, TranscriptionUsage()),
        ("odd", TranscriptionUsage()),
        ({"type": "duration", "seconds": 2.5}, TranscriptionUsage(seconds=2.5)),
        ({"type": "duration", "seconds": "many"}, TranscriptionUsage()),
        ({"type": "duration", "seconds": -1}, TranscriptionUsage()),
        (
            {
                "type": "tokens",
                "total_tokens": 35,
                "input_tokens": 30,
                "output_tokens": 5,
                "input_token_details": {"text_tokens": 10, "audio_tokens": 20},
            },
            TranscriptionUsage(text_in=10, audio_in=20, text_out=5),
        ),
        (
            {"type": "tokens", "input_tokens": 30, "output_tokens": 5},
            TranscriptionUsage(audio_in=30, text_out=5),
        ),
    ],
)
def test_transcription_is_billed_by_tokens_or_by_time(usage: object, read_as: TranscriptionUsage) -> None:
    kind = "conversation.item.input_audio_transcription.completed"
    received = {"type": kind, "item_id": "i", "transcript": "Hello", "usage": usage}
    assert read(json.dumps(received)) == (
        Transcribed(item_id="i", role=Role.CALLER, text="Hello", usage=read_as),
    )


@pytest.mark.parametrize("odd", [10**400, -1, True, "5", None, float("nan"), float("inf")])
def test_usage_that_cannot_be_is_no_usage(odd: object) -> None:
    usage = {"input_token_details": {"text_tokens": odd, "audio_tokens": 3}}
    done = {"type": "response.done", "response": {"id": "r", "usage": usage}}
    [ended] = read(json.dumps(done))
    assert isinstance(ended, ResponseEnded)
    assert ended.usage == Usage(audio_in=3)
    name = "conversation.item.input_audio_transcription.completed"
    heard = {"type": name, "item_id": "i", "transcript": "", "usage": {"total_tokens": odd, "seconds": odd}}
    [transcribed] = read(json.dumps(heard))
    assert isinstance(transcribed, Transcribed)
    assert transcribed.usage == TranscriptionUsage()


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
