"""Holds what the API and the endpoints saw against what is promised. It never reads a runner's log."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from runner.model.stored_call import StoredCall
from runner.standin.placed_call import PlacedCall
from tests.chaos.backend import Backend

GREETING = "Hello from the chaos."
HARMLESS = ("has an output already", "not found in conversation")
"""What the API refuses when an output is sent once more, or to a call that a takeover has answered."""


STALE = "an event on a sideband that a newer one has replaced"
CROSSED = "already has an active response"
"""What the API refuses when two ask for a response at the same moment."""


@dataclass(slots=True)
class Excused:
    """What no runner can help: it stood still, was killed or was cut off between deciding and doing."""

    ungreeted: set[str] = field(default_factory=set)
    """Calls that were attached and not greeted yet when a runner was stopped, or the sideband cut. Nobody can
    know then that the call was not greeted, so the model is asked to go on."""
    stale: Counter[str] = field(default_factory=Counter)
    """By call, events that a runner was about to send when it was stopped, and sent when it went on, or that
    it sent before it could hear that another has the call. The API takes an output once, and refuses the
    later of two requests for a response."""
    contested: set[str] = field(default_factory=set)
    """Calls of a runner that was cut off, and served them until it heard that another had taken them over."""


def losses(
    calls: Iterable[PlacedCall], backend: Backend, stored: dict[str, StoredCall | None], excused: Excused
) -> list[str]:
    """Each promise that was broken, in a sentence that names the call."""
    found: list[str] = []
    for call in calls:
        found += [f"{call.id}: {loss}" for loss in _losses(call, backend, stored.get(call.id), excused)]
    found += [
        f"request {key} to /book was sent {number} times"
        for key, number in backend.asked["/book"].items()
        if number > 1
    ]
    return found


def is_spoken_for(call: PlacedCall) -> bool:
    """Whether the model was ever asked to say something."""
    return any(event["type"] == "response.create" for event in call.received)


def greeted(call: PlacedCall) -> int:
    """How often."""
    return sum(
        GREETING in event.get("response", {}).get("instructions", "")
        for event in call.received
        if event["type"] == "response.create"
    )


def _losses(call: PlacedCall, backend: Backend, stored: StoredCall | None, excused: Excused) -> Iterable[str]:
    requests = Counter((request.action, request.status) for request in call.requests)
    if requests["accept", 200] != 1:
        yield f"accepted {requests['accept', 200]} times"
    if not call.is_over:
        yield "nobody served it to its end"
    greetings = greeted(call)
    is_excused = call.id in excused.ungreeted and is_spoken_for(call)
    if greetings != 1 and not (greetings == 0 and is_excused):
        yield f"greeted {greetings} times"
    unanswered = call.conversation.open_calls if call.conversation is not None else {}
    for tool_call_id, name in unanswered.items():
        # What the model has asked for while nobody was attached, no runner has ever heard of.
        if backend.asked[f"/{name}"][tool_call_id]:
            yield f"tool without an output: {name}"
    notes = [note for note in call.violations if not any(part in note for part in HARMLESS)]
    for _ in range(min(excused.stale[call.id], notes.count(STALE))):
        notes.remove(STALE)
    if excused.stale[call.id] or call.id in excused.contested:
        notes = [note for note in notes if CROSSED not in note]
    yield from notes
    if stored is None:
        yield "it has no record"
        return
    if stored.record["ended"] not in ("caller_hung_up", "lost"):
        yield f"it ended as {stored.record['ended']}"
    if not backend.delivered[call.id]:
        yield "its record was not delivered"
