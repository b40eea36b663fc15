"""Tracks the messages that we add to the conversation, until the API confirms their place in it."""

from runner.call.recent_ids import NO_IDS
from runner.model.action import AddItem


class AddedMessages:
    """Numbers the messages, keeps those that could not be sent, and knows which are not confirmed yet."""

    __slots__ = ("_count", "_unplaced", "_unsent")

    def __init__(self) -> None:
        self._count = 0
        self._unsent: list[AddItem] = []
        self._unplaced: frozenset[str] = NO_IDS

    @property
    def are_placed(self) -> bool:
        """Whether the API has confirmed every message that was sent."""
        return not self._unplaced

    def new(self, text: str, *, as_caller: bool = False) -> AddItem:
        """Make a message with an id of its own. Report it with `sent` or `keep`."""
        self._count += 1
        return AddItem(item_id=f"item_{self._count}", text=text, as_caller=as_caller)

    def count_from(self, number: int) -> None:
        """Begin at a number that a process before us, whose messages are not known, has not reached."""
        self._count = number

    def is_ours(self, item_id: str) -> bool:
        """Whether this is the id of a message that was made here."""
        number = item_id.removeprefix("item_")
        return number.isdecimal() and item_id == f"item_{int(number)}" and 0 < int(number) <= self._count

    def sent(self, item: AddItem) -> None:
        """The message goes to the API now."""
        self._unplaced |= {item.item_id}

    def keep(self, item: AddItem) -> None:
        """There is no sideband: keep the message for the next one."""
        self._unsent.append(item)

    def take_kept(self) -> list[AddItem]:
        """Take the messages that waited, to send them now. A message that was sent before and not confirmed
        may be lost.
        """
        kept, self._unsent = self._unsent, []
        self._unplaced = frozenset(item.item_id for item in kept)
        return kept

    def placed(self, item_id: str) -> None:
        """The API has confirmed where an item stands."""
        if item_id in self._unplaced:
            self._unplaced -= {item_id}
