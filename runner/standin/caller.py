"""Plays the caller's side of a conversation: the script's steps, one after the other. Pure."""

from typing import assert_never

from runner.model.values import JsonObject
from runner.standin.conversation import PlayedConversation
from runner.standin.flows import Flow
from runner.standin.items import Event, Item
from runner.standin.outgoing import CloseCall, CloseSideband, Outgoing, RawFrame
from runner.standin.output_items import words
from runner.standin.script import (
    CallerHangsUp,
    CallerIsSilent,
    CallerPresses,
    CallerSays,
    Complains,
    Drops,
    Ending,
    Expires,
    Occasion,
    ScriptedResponse,
    ScriptEvent,
    Sends,
    Transcription,
    When,
)

NUDGE = (
    "No user speech was detected for a while. Please review the recorded audio: If the user was speaking, "
    "respond naturally. If not, follow up on their last message."
)


class Caller:
    """Plays the steps of a script that do not wait for the model."""

    def __init__(self, conversation: PlayedConversation, now: float) -> None:
        self._conversation = conversation
        self._started_at = now
        self._transcripts: list[Event] = []
        """Held back until after those of the next turn."""

    def flow(self) -> Flow[Outgoing]:
        """Everything that happens by itself, for as long as the call lasts."""
        conversation = self._conversation
        while True:
            yield self._is_next_due
            step = self._next()
            if step is not None and step.when is When.QUIET:
                yield conversation.pace.reaction_s
                if not self._is_next_due():
                    continue
            step = self._next()
            if step is not None:
                conversation.steps.popleft()
                yield from self._step(step)

    def _next(self) -> ScriptEvent | None:
        """The next step, unless it is the model's."""
        steps = self._conversation.steps
        return steps[0] if steps and not isinstance(steps[0], ScriptedResponse) else None

    def _is_next_due(self) -> bool:
        step = self._next()
        return self._conversation.attached and step is not None and self._conversation.holds(step.when)

    def _step(self, step: ScriptEvent) -> Flow[Outgoing]:
        conversation = self._conversation
        match step:
            case CallerSays():
                yield from self._turn(step)
            case CallerPresses(keys=keys):
                for key in keys:
                    yield self._key(key)
                    yield conversation.pace.key_s
            case CallerHangsUp(close_code=code):
                yield CloseCall(code)
            case CallerIsSilent():
                yield from self._nudge()
            case Drops(close_code=code):
                yield CloseSideband(code)
            case Sends(frame=frame):
                yield RawFrame(frame)
            case Complains():
                yield conversation.error(step.type, step.code, step.message)
                if step.close_code is not None:
                    yield CloseSideband(step.close_code)
            case Expires():
                message = "Your session hit the maximum duration of 60 minutes."
                yield conversation.error("invalid_request_error", "session_expired", message)
                yield CloseCall(1001)
            case _:
                assert_never(step)

    def _key(self, key: str) -> Event:
        # The one event without an `event_id` (API reference, `input_audio_buffer.dtmf_event_received`).
        received_at = int(self._started_at + self._conversation.flows.now_s)
        return {"type": "input_audio_buffer.dtmf_event_received", "event": key, "received_at": received_at}

    def _turn(self, step: CallerSays) -> Flow[Outgoing]:
        conversation = self._conversation
        detection = self._detection()
        if detection is None:
            return
        item_id = conversation.ids.new("item")
        conversation.caller_speaks = True
        yield conversation.event(
            "input_audio_buffer.speech_started", audio_start_ms=self._ms(), item_id=item_id
        )
        if detection.get("interrupt_response", True):
            yield from self._interrupt()
        spoken = words(step.text)
        yield conversation.pace.spoken_word_s * len(spoken)
        conversation.meter.heard(len(spoken))
        yield conversation.event(
            "input_audio_buffer.speech_stopped", audio_end_ms=self._ms(), item_id=item_id
        )
        yield from self._commit(item_id)
        conversation.caller_speaks = False
        if self._audio_input().get("transcription"):
            conversation.flows.start(self._transcript(step, item_id))
        yield from self._answered(detection)

    def _commit(self, item_id: str) -> Flow[Outgoing]:
        """The caller's turn becomes an item of the conversation."""
        conversation = self._conversation
        item: Item = {
            "id": item_id,
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_audio", "transcript": None}],
        }
        before = conversation.items.last_id
        yield conversation.event("input_audio_buffer.committed", previous_item_id=before, item_id=item_id)
        yield from conversation.add_item(item)

    def _answered(self, detection: JsonObject) -> Flow[Outgoing]:
        """With turn detection the API makes the response by itself."""
        conversation = self._conversation
        conversation.answer_is_due = True
        if not detection.get("create_response", True):
            return
        yield conversation.pace.thinking_s
        if conversation.active is None and conversation.answer_is_due:
            yield from conversation.begin_response(None, Occasion.TURN)

    def _interrupt(self) -> list[Event]:
        """A barge-in: the response is cancelled, and its unplayed audio dropped."""
        conversation = self._conversation
        playing = conversation.playing
        events = conversation.cut_response(Ending.TURN_DETECTED)
        events += conversation.clear_playback()
        messages = [item for item in playing.output if item["type"] == "message"] if playing else []
        if messages:
            heard_ms = round(1000 * (conversation.flows.now_s - conversation.playing_since_s))
            truncated = {"item_id": messages[-1]["id"], "content_index": 0, "audio_end_ms": heard_ms}
            events.append(conversation.event("conversation.item.truncated", **truncated))
        return events

    def _transcript(self, step: CallerSays, item_id: str) -> Flow[Outgoing]:
        conversation = self._conversation
        about = {"item_id": item_id, "content_index": 0}
        if step.transcription is Transcription.NEVER:
            return
        if step.transcription is Transcription.AFTER_ANSWER:
            yield lambda: conversation.active is not None
            yield lambda: conversation.active is None
        yield conversation.pace.thinking_s
        if step.transcription is Transcription.FAILED:
            message = f"Input transcription failed for item '{item_id}'."
            error = {"type": "server_error", "code": "server_error", "message": message, "param": None}
            events = [self._transcription("failed", **about, error=error)]
        else:
            spoken = words(step.text)
            usage = {"type": "duration", "seconds": round(conversation.pace.spoken_word_s * len(spoken), 2)}
            events = [self._transcription("delta", **about, delta=word) for word in spoken]
            events.append(self._transcription("completed", **about, transcript=step.text, usage=usage))
        if step.transcription is Transcription.AFTER_NEXT:
            self._transcripts += events
            return
        held, self._transcripts = self._transcripts, []
        yield from [*events, *held]

    def _transcription(self, kind: str, **fields: object) -> Event:
        return self._conversation.event(f"conversation.item.input_audio_transcription.{kind}", **fields)

    def _nudge(self) -> Flow[Outgoing]:
        conversation = self._conversation
        item_id = conversation.ids.new("item")
        yield conversation.event(
            "input_audio_buffer.timeout_triggered",
            audio_start_ms=self._ms() - 5000,
            audio_end_ms=self._ms(),
            item_id=item_id,
        )
        nudge: Item = {
            "id": conversation.ids.new("item"),
            "type": "message",
            "status": "completed",
            "role": "system",
            "content": [{"type": "input_text", "text": NUDGE}],
        }
        yield from conversation.add_item(nudge)
        yield from self._commit(item_id)
        yield from self._answered({})

    def _detection(self) -> JsonObject | None:
        """How turns are detected: `server_vad` unless the session says otherwise, None when detection is
        off."""
        detection = self._audio_input().get("turn_detection", {})
        return detection if isinstance(detection, dict) else None

    def _audio_input(self) -> JsonObject:
        audio_input: JsonObject = self._conversation.session.get("audio", {}).get("input", {})
        return audio_input

    def _ms(self) -> int:
        return int(self._conversation.flows.now_s * 1000)
