"""Carries out a client's events in a conversation, and refuses what the API refuses. Pure."""

from collections.abc import Mapping
from typing import Any

from runner.model.values import JsonObject
from runner.standin.client_events import EventError, check
from runner.standin.conversation import PlayedConversation
from runner.standin.items import Event
from runner.standin.outgoing import Outgoing
from runner.standin.script import Ending, Occasion


def receive(conversation: PlayedConversation, event: Any) -> list[Outgoing]:
    """Handle an event of the client, and return the direct answers. Everything else follows as flows."""
    error = check(event)
    if error is not None:
        return [conversation.refuse(error, event)]
    conversation.note_received(event["type"])
    return list(_Requests(conversation).answer(event))


class _Requests:
    """Answers the client's events in the conversation `of`."""

    def __init__(self, of: PlayedConversation) -> None:
        self._of = of

    def answer(self, event: JsonObject) -> list[Event]:
        """The answer to an event with a correct shape."""
        match event["type"]:
            case "response.create":
                return self._create_response(event)
            case "response.cancel":
                return self._cancel_response(event)
            case "output_audio_buffer.clear":
                return self._of.clear_playback()
            case "session.update":
                return self._update_session(event)
            case "conversation.item.create":
                return self._create_item(event)
            case _:
                return self._touch_item(event)

    def _update_session(self, event: JsonObject) -> list[Event]:
        if self._of.refused_updates:
            self._of.refused_updates -= 1
            error = EventError("invalid_value", "The session could not be updated.")
            return [self._of.refuse(error, event, violation=False)]
        updated = _merged(self._of.session, event["session"])
        if self._of.has_spoken and _voice(updated) != _voice(self._of.session):
            message = "Cannot update a conversation's voice if assistant audio is present."
            return [self._of.refuse(EventError("cannot_update_voice", message), event)]
        self._of.session.update(updated)
        return [self._of.event("session.updated", session=updated)]

    def _touch_item(self, event: JsonObject) -> list[Event]:
        item_id = event["item_id"]
        item = self._of.items.get(item_id)
        if item is None:
            message = f"Error with the item: the item with id '{item_id}' does not exist."
            error = EventError("item_not_found", message, "item_id")
            return [self._of.refuse(error, event)]
        match event["type"]:
            case "conversation.item.delete":
                self._of.items.remove(item_id)
                return [self._of.event("conversation.item.deleted", item_id=item_id)]
            case "conversation.item.retrieve":
                return [self._of.event("conversation.item.retrieved", item=dict(item))]
            case _:
                fields = {key: event[key] for key in ("item_id", "content_index", "audio_end_ms")}
                return [self._of.event("conversation.item.truncated", **fields)]

    def _create_item(self, event: JsonObject) -> list[Event]:
        item = {"id": self._of.ids.new("item"), **event["item"]}
        if not item["type"].startswith("mcp_"):
            item.setdefault("status", "completed")
        error = self._check_new_item(item, event.get("previous_item_id"))
        if error is not None:
            return [self._of.refuse(error, event)]
        if item["type"] == "function_call_output":
            self._of.open_calls.pop(item["call_id"])
            self._of.answered.add(item["call_id"])
            self._of.answer_is_due = not self._of.open_calls
        elif item["type"] == "mcp_approval_response":
            self._of.approvals[item["approval_request_id"]] = item["approve"]
        self._of.meter.read(str(item.get("output") or item.get("content")))
        return self._of.add_item(item, event.get("previous_item_id"))

    def _check_new_item(self, item: Event, after: str | None) -> EventError | None:
        if after not in (None, "root") and self._of.items.get(after) is None:
            message = f"Previous item with id '{after}' not found."
            return EventError("invalid_value", message, "previous_item_id")
        if self._of.items.get(item["id"]) is not None:
            return EventError("invalid_value", f"Item with id '{item['id']}' exists already.", "item.id")
        if item["type"] != "function_call_output" or item["call_id"] in self._of.open_calls:
            return None
        call_id = item["call_id"]
        if call_id in self._of.answered:
            message = f"Tool call ID '{call_id}' has an output already."
        else:
            message = f"Tool call ID '{call_id}' not found in conversation."
        return EventError("invalid_tool_call_id", message, "item.call_id")

    def _create_response(self, event: JsonObject) -> list[Event]:
        request = event.get("response", {})
        if self._of.active is None and self._of.fits(Occasion.OVERTAKES):
            created = self._of.begin_response(None, Occasion.OVERTAKES)
            return [*created, self._of.refuse(self._busy(), event, violation=False)]
        if self._of.active is not None:
            # The client alone knows whether it has asked for this response.
            return [self._of.refuse(self._busy(), event, violation=not self._of.active.server_made)]
        occasion = Occasion.INSTRUCTION if request.get("instructions") else Occasion.TURN
        return self._of.begin_response(request, occasion)

    def _busy(self) -> EventError:
        active = self._of.active.id if self._of.active else ""
        message = (
            f"Conversation already has an active response in progress: {active}. "
            "Wait until the response is finished before creating a new one."
        )
        return EventError("conversation_already_has_active_response", message)

    def _cancel_response(self, event: JsonObject) -> list[Event]:
        if self._of.active is None or event.get("response_id", self._of.active.id) != self._of.active.id:
            message = "Cancellation failed: no active response found"
            error = EventError("response_cancel_not_active", message)
            return [self._of.refuse(error, event, violation=False)]
        return self._of.cut_response(Ending.NEVER, "client_cancelled")


def _merged(session: JsonObject, update: JsonObject) -> Event:
    """An update replaces what it names and leaves the rest, at every depth of the session."""
    merged = dict(session)
    for key, value in update.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _voice(session: JsonObject) -> object:
    return session.get("audio", {}).get("output", {}).get("voice")
