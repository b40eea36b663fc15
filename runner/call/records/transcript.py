"""Keeps the conversation of a call in its own order, whatever order its parts arrive in."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from runner.model.call import Role
from runner.model.conversation_event import ItemPlaced, Transcribed, TurnTruncated
from runner.model.record import Turn
from runner.model.values import Instant


@dataclass(slots=True)
class _Item:
    """One item of the conversation. `text` is None while nothing was transcribed."""

    role: Role | None = None
    text: str | None = None
    at: Instant = 0.0
    is_placed: bool = False
    """Whether the API has said where it stands; until then it stays where it was first mentioned."""
    is_turn: bool = True
    heard_ms: int | None = None
    is_hidden: bool = False
    waited_s: float | None = None


class Transcript:
    """The conversation in its own order.

    Transcription of the caller comes late and out of order, so text is put to its item, and items stand where
    the API says: after the item that it names.
    """

    __slots__ = ("_items", "_order")

    def __init__(self) -> None:
        self._items: dict[str, _Item] = {}
        self._order: list[str] = []

    def __len__(self) -> int:
        """How many items there are, those that nobody says included."""
        return len(self._items)

    def place(self, placed: ItemPlaced, now: Instant) -> None:
        """Give an item its place. A second place changes nothing."""
        if placed.after is not None:
            # The event of that item was missed, as when a sideband was lost.
            self._mention(placed.after, now)
        item = self._mention(placed.item_id, now)
        if not item.is_placed:
            self._put(placed)
        item.is_placed = True
        item.role = item.role or placed.role
        if not item.is_hidden:
            item.text = item.text or placed.text or None

    def write(self, transcribed: Transcribed, now: Instant) -> None:
        """Set the text of an item, known or not."""
        item = self._mention(transcribed.item_id, now)
        item.role = transcribed.role
        if not transcribed.failed:
            item.text = transcribed.text

    def _mention(self, item_id: str, now: Instant) -> _Item:
        """The item; a new one is added at the end."""
        item = self._items.get(item_id)
        if item is None:
            item = self._items[item_id] = _Item()
            self._order.append(item_id)
        item.at = item.at or now
        return item

    def _put(self, placed: ItemPlaced) -> None:
        """Move an item to where the API has placed it."""
        del self._order[self._where(placed.item_id)]
        is_after = placed.after not in {None, placed.item_id}
        where = self._where(placed.after) + 1 if is_after else len(self._order)
        self._order.insert(where, placed.item_id)

    def _where(self, item_id: str | None) -> int:
        """The index of an item. Searched from the end, where nearly everything happens."""
        where = len(self._order) - 1
        while self._order[where] != item_id:
            where -= 1
        return where

    def hide(self, item_id: str, shown: str, now: Instant) -> None:
        """Keep this in place of the item's own text, which is private."""
        item = self._mention(item_id, now)
        item.role, item.text, item.is_hidden = Role.CALLER, shown, True

    def truncate(self, truncated: TurnTruncated, now: Instant) -> None:
        """The caller has not heard all of an item."""
        self._mention(truncated.item_id, now).heard_ms = truncated.heard_ms

    def waited(self, item_id: str, waited_s: float) -> None:
        """The caller waited this long for the agent's item."""
        self._items[item_id].waited_s = waited_s

    def leave_out(self, item_id: str, now: Instant) -> None:
        """This item is nobody's turn."""
        self._mention(item_id, now).is_turn = False

    def turns(self) -> tuple[Turn, ...]:
        """The turns of caller and agent, in order."""
        return tuple(turn for _, turn in self._named(self._order))

    def latest(self, most: int) -> list[tuple[str, Turn]]:
        """The last turns in order, each with the id of its item."""
        return [*islice(self._named(reversed(self._order)), most)][::-1]

    def last(self) -> Turn | None:
        """The last turn whose text is known."""
        return next((turn for _, turn in self._named(reversed(self._order)) if turn.text), None)

    def _named(self, order: Iterable[str]) -> Iterator[tuple[str, Turn]]:
        for item_id in order:
            item = self._items[item_id]
            if item.is_turn and item.role is not None and item.role is not Role.SYSTEM and item.text != "":
                yield (
                    item_id,
                    Turn(
                        role=item.role.value,
                        text=item.text,
                        at=item.at,
                        heard_ms=item.heard_ms,
                        waited_s=item.waited_s,
                    ),
                )
