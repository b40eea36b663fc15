"""Writes to the sideband: the events that carry out an action."""

import json
from typing import assert_never
from zlib import crc32

from runner.api.port import SidebandAction
from runner.api.realtime.session import session_updates
from runner.model.action import AddItem, Approve, Interrupt, RemoveItem, SendOutput, Speak, SwitchAgent
from runner.model.json_text import compact_json
from runner.model.values import Json, JsonObject


def events(action: SidebandAction, *, fence: int = 0) -> tuple[dict[str, Json], ...]:
    """The events that carry out `action`.

    Each event has an id, so that an `error` can be matched to it. The API echoes the metadata of a response
    to every sideband of the call: the `fence` in it lets runners notice that they have lost the call.
    """
    match action:
        case Speak():
            return (_response_create(action, fence),)
        case Interrupt():
            return (
                {"type": "response.cancel", "event_id": "interrupt_cancel"},
                {"type": "output_audio_buffer.clear", "event_id": "interrupt_clear"},
            )
        case AddItem(item_id=item_id, text=text, as_caller=as_caller):
            message = {
                "id": item_id,
                "type": "message",
                "role": "user" if as_caller else "system",
                "content": [{"type": "input_text", "text": text}],
            }
            return ({"type": "conversation.item.create", "event_id": item_id, "item": message},)
        case SwitchAgent(update_id=update_id):
            # The last update counts: it alone has the id that the machine knows.
            *earlier, last = session_updates(action)
            ids = [*(f"{update_id}_{number}" for number in range(1, len(earlier) + 1)), update_id]
            return tuple(
                {"type": "session.update", "event_id": event_id, "session": session}
                for event_id, session in zip(ids, [*earlier, last], strict=True)
            )
        case RemoveItem(item_id=item_id):
            # We choose the ids of events; the item's may be longer than the API accepts for one.
            event_id = f"remove_{crc32(item_id.encode()):08x}"
            return ({"type": "conversation.item.delete", "event_id": event_id, "item_id": item_id},)
        case Approve():
            return (_approval(action),)
        case SendOutput(call_id=call_id, output=output):
            item = {"type": "function_call_output", "call_id": call_id, "output": output}
            return ({"type": "conversation.item.create", "event_id": f"output_{call_id}", "item": item},)
        case _:
            assert_never(action)


def frame(event: JsonObject) -> str:
    """The text of an event. Half of a surrogate pair, which models do write, has no form in a frame and
    becomes a question mark.
    """
    text = compact_json(event)
    return text.encode("utf-8", "replace").decode()


def _approval(approve: Approve) -> dict[str, Json]:
    """Ids of our own are at most 32 characters, and the request's may be longer."""
    response: dict[str, Json] = {
        "id": f"approval_{crc32(approve.request_id.encode()):08x}",
        "type": "mcp_approval_response",
        "approval_request_id": approve.request_id,
        "approve": approve.approved,
    }
    if not approve.approved:
        response["reason"] = "nobody is there to approve it"
    return {"type": "conversation.item.create", "event_id": response["id"], "item": response}


def _response_create(speak: Speak, fence: int) -> dict[str, Json]:
    metadata = {"wish": speak.wish, "fence": str(fence)} if fence else {"wish": speak.wish}
    response: dict[str, Json] = {"metadata": metadata}
    instructions = speak.tell
    if speak.say is not None:
        # Told to "ignore" its instructions, the model refuses; told what to say, it says it.
        sentence = json.dumps(speak.say, ensure_ascii=False)
        instructions = f"Say the following to the caller, word for word and nothing else: {sentence}"
    if instructions is not None:
        # The caller should hear words now, not a tool call and a silence.
        response |= {"instructions": instructions, "tool_choice": "none"}
    return {"type": "response.create", "event_id": speak.wish, "response": response}
