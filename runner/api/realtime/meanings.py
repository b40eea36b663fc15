"""What each of the API's events means to a call: a table of event names.

Unknown fields are normal. A known event without its essential fields raises KeyError, TypeError, ValueError,
AttributeError or OverflowError.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from runner.api.realtime.agent_items import AgentItems
from runner.api.realtime.responses import (
    content_of,
    error_kind,
    fence_of,
    id_of,
    output_of,
    response_ended,
    text_of,
    tool_call,
    wish_of,
    words_of,
)
from runner.api.realtime.usage import MOST, transcription_usage
from runner.model.call import Role
from runner.model.conversation_event import (
    ApiError,
    ApprovalAsked,
    CallerSpeaks,
    ConversationEvent,
    ItemPlaced,
    KeyPressed,
    McpCallEnded,
    McpCallStarted,
    McpListed,
    OutputTaken,
    PlaybackEnded,
    PlaybackStarted,
    ResponseStarted,
    SessionUpdated,
    SilenceNudge,
    Transcribed,
    TranscriptGrew,
    TurnTruncated,
)
from runner.model.values import Json, JsonObject


class SidebandMemory:
    """What the next event of one call's sideband may refer to."""

    __slots__ = ("_updates", "committed", "fence", "items")

    def __init__(self) -> None:
        self.items = AgentItems()
        self.fence = 0
        """The highest fence in any response."""
        self.committed: ItemPlaced | None = None
        """The caller's last turn of speech."""
        self._updates: dict[str, str | None] = {}
        """Updates of the session that are neither confirmed nor refused, and the instructions in them."""

    def expect_update(self, update_id: str, instructions: str | None) -> None:
        """An update of the session is sent."""
        self._updates.pop(update_id, None)
        self._updates[update_id] = instructions

    @property
    def expects_updates(self) -> bool:
        """Whether an update of ours is neither confirmed nor refused."""
        return bool(self._updates)

    def confirmed_update(self, session: JsonObject) -> str | None:
        """The update that such a session confirms.

        The API does not say which, but reports the whole session, so the update is recognised by its
        instructions. A gateway that reports only a part of the session confirms one update after the other.
        """
        if "instructions" not in session:
            confirmed = next(iter(self._updates), None)
        else:
            instructions = session["instructions"]
            confirmed = next((name for name, sent in self._updates.items() if sent == instructions), None)
        while confirmed in self._updates:
            del self._updates[next(iter(self._updates))]
        return confirmed

    def refused_update(self, update_id: str | None) -> None:
        """The API has refused an event; if it was an update, it will not be confirmed."""
        if update_id is not None:
            self._updates.pop(update_id, None)


def _optional_text(value: Json) -> str | None:
    return value if isinstance(value, str) else None


# Responses


def _response_created(memory: SidebandMemory, received: JsonObject) -> tuple[ConversationEvent, ...]:
    response = received["response"]
    memory.fence = max(memory.fence, fence_of(response))
    return (ResponseStarted(response_id=id_of(response["id"]), wish=wish_of(response)),)


def _response_done(memory: SidebandMemory, received: JsonObject) -> tuple[ConversationEvent, ...]:
    response = received["response"]
    memory.fence = max(memory.fence, fence_of(response))
    output = output_of(response)
    ended = response_ended(response, output)
    words = [event for item in output for event in memory.items.whole(item, is_of_response=True)]
    return (*words, ended)


def _output_item_done(memory: SidebandMemory, received: JsonObject) -> tuple[ConversationEvent, ...]:
    # Here and not at `function_call_arguments.done`, which comes on an interruption too.
    item = received["item"]
    call = tool_call(id_of(received["response_id"]), item)
    return memory.items.whole(item, is_of_response=True) if call is None else (call,)


# Items of the conversation

_ROLES = {"user": Role.CALLER, "assistant": Role.AGENT, "system": Role.SYSTEM}


def _placed(received: JsonObject) -> ItemPlaced:
    item = received["item"]
    is_message = item.get("type") == "message"
    texts = [words_of(part) or "" for part in content_of(item)] if is_message else []
    return ItemPlaced(
        item_id=id_of(item["id"]),
        after=_optional_text(received.get("previous_item_id")),
        role=_ROLES.get(str(item.get("role"))) if is_message else None,
        text=" ".join(texts),
    )


def _item_added(memory: SidebandMemory, received: JsonObject) -> tuple[ConversationEvent, ...]:
    item, placed = received["item"], _placed(received)
    memory.items.place(placed.item_id)
    if placed == memory.committed:
        return ()  # Reported twice for each turn of the caller, and handled once.
    match item.get("type"):
        case "function_call_output":
            return _output_taken(item, placed)
        case "mcp_call":
            server, tool = text_of(item["server_label"]), text_of(item["name"])
            return (placed, McpCallStarted(item_id=placed.item_id, server=server, tool=tool))
        case "mcp_approval_request":
            server, tool = text_of(item["server_label"]), text_of(item["name"])
            return (placed, ApprovalAsked(request_id=placed.item_id, server=server, tool=tool))
        case _:
            return (placed,)


def _item_done(memory: SidebandMemory, received: JsonObject) -> tuple[ConversationEvent, ...]:
    item = received["item"]
    if not memory.items.place(id_of(item["id"])):
        return memory.items.whole(item)
    placed = _placed(received)
    if item.get("type") == "function_call_output":
        return _output_taken(item, placed)
    return (placed, *memory.items.whole(item))


def _output_taken(item: JsonObject, placed: ItemPlaced) -> tuple[ConversationEvent, ...]:
    return (placed, OutputTaken(call_id=text_of(item["call_id"]), item_id=placed.item_id))


def _audio_committed(memory: SidebandMemory, received: JsonObject) -> tuple[ConversationEvent, ...]:
    after = _optional_text(received.get("previous_item_id"))
    placed = ItemPlaced(item_id=id_of(received["item_id"]), after=after, role=Role.CALLER)
    memory.committed = placed
    return (placed,)


def _truncated(_: SidebandMemory, received: JsonObject) -> tuple[ConversationEvent, ...]:
    heard_ms = float(received["audio_end_ms"])
    if not heard_ms < MOST:
        raise ValueError("no turn is so long")
    return (TurnTruncated(item_id=id_of(received["item_id"]), heard_ms=int(max(0, heard_ms))),)


# Words


def _agent_transcript(memory: SidebandMemory, received: JsonObject) -> tuple[ConversationEvent, ...]:
    words = text_of(words_of(received))
    return memory.items.part(id_of(received["item_id"]), _index(received), words)


def _agent_part(memory: SidebandMemory, received: JsonObject) -> tuple[ConversationEvent, ...]:
    return memory.items.part(id_of(received["item_id"]), _index(received), words_of(received["part"]))


def _index(received: JsonObject) -> int:
    index = received.get("content_index")
    return index if isinstance(index, int) else 0


def _agent_delta(_: SidebandMemory, received: JsonObject) -> tuple[ConversationEvent, ...]:
    item_id, words = id_of(received["item_id"]), text_of(received["delta"])
    return (TranscriptGrew(item_id=item_id, role=Role.AGENT, text=words),)


def _caller_transcript(_: SidebandMemory, received: JsonObject) -> tuple[ConversationEvent, ...]:
    item_id, words = id_of(received["item_id"]), text_of(received["transcript"])
    usage = transcription_usage(received.get("usage"))
    return (Transcribed(item_id=item_id, role=Role.CALLER, text=words, usage=usage),)


def _caller_transcript_failed(_: SidebandMemory, received: JsonObject) -> tuple[ConversationEvent, ...]:
    return (Transcribed(item_id=id_of(received["item_id"]), role=Role.CALLER, failed=True),)


def _caller_delta(_: SidebandMemory, received: JsonObject) -> tuple[ConversationEvent, ...]:
    item_id, words = id_of(received["item_id"]), text_of(received.get("delta") or "")
    return (TranscriptGrew(item_id=item_id, role=Role.CALLER, text=words),)


# The session, and errors


def _session(memory: SidebandMemory, received: JsonObject) -> tuple[ConversationEvent, ...]:
    session = received["session"]
    if received["type"] != "session.updated":
        return (SessionUpdated(model=_optional_text(session.get("model"))),)
    # An update of ours in several events confirms the earlier ones without a sign.
    is_unasked = not memory.expects_updates
    update_id = memory.confirmed_update(session)
    model = _optional_text(session.get("model"))
    return (SessionUpdated(model=model, update_id=update_id, is_unasked=is_unasked),)


def _error(memory: SidebandMemory, received: JsonObject) -> tuple[ConversationEvent, ...]:
    error = received.get("error")
    if not isinstance(error, Mapping):
        error = {}
    code = str(error.get("code") or error.get("type") or "unknown_error")
    about = _optional_text(error.get("event_id"))
    memory.refused_update(about)
    refused = ApiError(
        kind=error_kind(error), about=about, code=code, message=str(error.get("message") or "no reason given")
    )
    return (refused,)


_CALLER_BEGAN = (CallerSpeaks(began=True),)
_CALLER_STOPPED = (CallerSpeaks(began=False),)

Read: TypeAlias = Callable[[SidebandMemory, dict[str, Any]], tuple[ConversationEvent, ...]]

READS: Mapping[str, Read] = {
    "conversation.item.added": _item_added,
    "conversation.item.created": _item_added,
    "conversation.item.done": _item_done,
    "conversation.item.input_audio_transcription.completed": _caller_transcript,
    "conversation.item.input_audio_transcription.delta": _caller_delta,
    "conversation.item.input_audio_transcription.failed": _caller_transcript_failed,
    "conversation.item.truncated": _truncated,
    "error": _error,
    "input_audio_buffer.committed": _audio_committed,
    "input_audio_buffer.dtmf_event_received": lambda _, e: (KeyPressed(key=text_of(e["event"])),),
    "input_audio_buffer.speech_started": lambda _, e: _CALLER_BEGAN,
    "input_audio_buffer.speech_stopped": lambda _, e: _CALLER_STOPPED,
    "input_audio_buffer.timeout_triggered": lambda _, e: (SilenceNudge(item_id=id_of(e["item_id"])),),
    "mcp_list_tools.completed": lambda _, e: (McpListed(item_id=id_of(e["item_id"]), ok=True),),
    "mcp_list_tools.failed": lambda _, e: (McpListed(item_id=id_of(e["item_id"]), ok=False),),
    "output_audio_buffer.cleared": lambda _, e: (
        PlaybackEnded(response_id=id_of(e["response_id"]), interrupted=True),
    ),
    "output_audio_buffer.started": lambda _, e: (PlaybackStarted(response_id=id_of(e["response_id"])),),
    "output_audio_buffer.stopped": lambda _, e: (PlaybackEnded(response_id=id_of(e["response_id"])),),
    "response.audio_transcript.delta": _agent_delta,
    "response.audio_transcript.done": _agent_transcript,
    "response.content_part.done": _agent_part,
    "response.created": _response_created,
    "response.done": _response_done,
    "response.mcp_call.completed": lambda _, e: (McpCallEnded(item_id=id_of(e["item_id"]), ok=True),),
    "response.mcp_call.failed": lambda _, e: (McpCallEnded(item_id=id_of(e["item_id"]), ok=False),),
    "response.output_audio_transcript.delta": _agent_delta,
    "response.output_audio_transcript.done": _agent_transcript,
    "response.output_item.done": _output_item_done,
    "response.output_text.delta": _agent_delta,
    "response.output_text.done": _agent_transcript,
    "response.text.delta": _agent_delta,
    "response.text.done": _agent_transcript,
    "session.created": _session,
    "session.updated": _session,
}
"""Names of the beta (`response.text.done`) still come from gateways."""
