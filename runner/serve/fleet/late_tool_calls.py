"""Makes up for what other runners could not write of our calls: carries out the tool calls among it.

The store keeps a late piece until what follows from it is in the journal of the call: if this process is lost
before, the next one that has the call takes it up again. A machine ignores a tool call that it knows.
"""

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from runner.errors import JournalError
from runner.model.conversation_event import OutputTaken, ResponseEnded, ToolCalled
from runner.model.entry import Entry
from runner.model.event import ToolCallMissed
from runner.serve.latch import Latch
from runner.store.journal.entries import decode
from runner.store.journal.seal import Seal
from runner.store.journal.sealed import SealedEntries
from runner.store.store import JournalStore

log = logging.getLogger("runner.serve.fleet.late_tool_calls")


class ServedCall(Protocol):
    """A call that is served here. `runner.serve.live_call` has the real one."""

    def take_up(self, called: Sequence[ToolCalled]) -> Latch:
        """Carry out these tool calls; the latch is set once the journal of the call has them."""


class _TakenUp(NamedTuple):
    """The late pieces of a call that is given their tool calls."""

    call: ServedCall
    pieces: Sequence[SealedEntries]
    written: Latch
    """Set once the journal of the call has the tool calls."""


class LateToolCalls:
    """The tool calls in late pieces, by the calls that are served here."""

    def __init__(self, store: JournalStore, seal: Seal, find: Callable[[str], ServedCall | None]) -> None:
        self._store = store
        self._seal = seal
        self._find = find
        self._taken_up: dict[str, _TakenUp] = {}

    async def take_up(self, late: Sequence[SealedEntries]) -> list[SealedEntries]:
        """Give calls the tool calls in these pieces; returns the pieces that nobody needs any more.

        Never waits for a call. Pieces of one that is not served yet, or has no sideband, are to be given
        again. Raises StoreError.
        """
        by_call: dict[str, list[SealedEntries]] = {}
        for piece in late:
            by_call.setdefault(piece.call_id, []).append(piece)
        served = {call_id: call for call_id in by_call if (call := self._find(call_id)) is not None}
        self._taken_up = {
            call_id: taken for call_id, taken in self._taken_up.items() if served.get(call_id) is taken.call
        }
        done: list[SealedEntries] = []
        for call_id, taken in list(self._taken_up.items()):
            if taken.written.is_set:
                done += taken.pieces
                del self._taken_up[call_id]
        new = {call_id: by_call[call_id] for call_id in served if call_id not in self._taken_up}
        new = {call_id: left for call_id, pieces in new.items() if (left := _without(pieces, done))}
        for call_id, called in (await self._missed(new)).items():
            if not called:
                done += new[call_id]
                continue
            call, pieces = served[call_id], new[call_id]
            log.info("missed tool calls are taken up", extra={"call_id": call_id, "tools": len(called)})
            self._taken_up[call_id] = _TakenUp(call, pieces, call.take_up(called))
        return done

    async def _missed(self, late: dict[str, list[SealedEntries]]) -> dict[str, list[ToolCalled]]:
        """The tool calls in late pieces that have no output, by call. What else they tell cannot be made up
        for.
        """
        missed: dict[str, list[ToolCalled]] = {}
        journals = await self._store.journals(list(late)) if late else {}
        for call_id, pieces in late.items():
            # A journal that another runner began anew has another key than these pieces.
            first = next(
                (piece for piece in [*pieces, *journals.get(call_id, ())] if not piece.first_seq), None
            )
            try:
                if first is None:
                    raise JournalError("the beginning of the journal is missing")
                key, head = self._seal.open(first.entries, call_id)
                texts = key.open_all([piece for piece in pieces if piece.first_seq])
                entries = decode(*([head] if first in pieces else []), *texts)
            except JournalError as error:
                extra = {"call_id": call_id, "reason": str(error)}
                log.warning("late journal entries cannot be read", extra=extra)
                missed[call_id] = []
            else:
                answered = {each.event.call_id for each in entries if isinstance(each.event, OutputTaken)}
                # Each is told twice: by itself, and with its response.
                calls = {called.call_id: called for each in entries for called in _tool_calls(each)}
                missed[call_id] = [called for called in calls.values() if called.call_id not in answered]
        return missed


def _without(pieces: Sequence[SealedEntries], done: Sequence[SealedEntries]) -> list[SealedEntries]:
    return [piece for piece in pieces if piece not in done]


def _tool_calls(entry: Entry) -> Sequence[ToolCalled]:
    match entry.event:
        case ToolCalled():
            return (entry.event,)
        case ToolCallMissed(called=called):
            return (called,)
        case ResponseEnded(calls=calls):
            return calls
        case _:
            return ()
