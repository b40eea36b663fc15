"""The messages that we put into the conversation ourselves, until the API has told their place in it."""

from runner.model.action import AddItem


class AddedMessages:
    """Numbers them, keeps those that could not be sent, and knows which are not placed yet."""

    def __init__(self) -> None:
        self._count = 0
        self._unsent: list[AddItem] = []
        self._unplaced: set[str] = set()

    @property
    def are_placed(self) -> bool:
        """Whether the API has told the place of every message that was sent."""
        return not self._unplaced

    def new(self, text: str, *, as_caller: bool = False) -> AddItem:
        """A message with an id of its own. It is to be `sent` or to be `kept`."""
        self._count += 1
        return AddItem(item_id=f"item_{self._count}", text=text, as_caller=as_caller)

    def is_ours(self, item_id: str) -> bool:
        """Whether it is the id of a message that was made here."""
        number = item_id.removeprefix("item_")
        return number.isdecimal() and item_id == f"item_{int(number)}" and 0 < int(number) <= self._count

    def sent(self, item: AddItem) -> None:
        """The message goes to the API now."""
        self._unplaced.add(item.item_id)

    def keep(self, item: AddItem) -> None:
        """There is no sideband: the message waits for the next."""
        self._unsent.append(item)

    def take_kept(self) -> list[AddItem]:
        """The messages that waited, to be sent now. What was sent before and not placed may be lost."""
        kept, self._unsent = self._unsent, []
        self._unplaced = {item.item_id for item in kept}
        return kept

    def placed(self, item_id: str) -> None:
        """The API has told where an item stands."""
        self._unplaced.discard(item_id)
