"""Recognises by their bytes two events that say once more what the one before has said.

The API reports the words of an item five times in a row. Two of these events bring nothing else: where their
bytes are those of the event before, they need not be parsed.
"""

_AUDIO_PART = b'"part":{"type":"audio",'
"""What the end of a content part has, and that of its transcript has not, before the words; and a brace."""
_MESSAGE = b'"type":"message"'
_OF_AGENT = b'"role":"assistant"'


class Repeats:
    """What the last event has said that may be repeated."""

    __slots__ = ("_item", "_part")

    def __init__(self) -> None:
        self._part = self._item = b""

    def hears(self, kind: bytes, frame: bytes) -> bool:
        """Whether this event only repeats what the one before has said; the next may repeat this one.

        `kind` is the type at the head of the frame.
        """
        if kind == b"response.output_audio_transcript.done":
            self._part = _from(b'"item_id":', frame)
        elif kind == b"conversation.item.done":
            item = _from(b'"item":', frame)
            # Whose type and role are elsewhere, or not given, may be more than a message of the agent.
            is_message = item.startswith(_MESSAGE, item.find(b'"type":')) and _OF_AGENT in item
            self._item = item if is_message else b""
        elif kind == b"response.content_part.done":
            before, self._part = self._part, b""
            return before != b"" and _from(b'"item_id":', frame).replace(_AUDIO_PART, b"", 1) == before + b"}"
        elif kind == b"response.output_item.done":
            before, self._item = self._item, b""
            return before != b"" and frame.endswith(before)
        return False


def _from(name: bytes, frame: bytes) -> bytes:
    """The frame from a field on, which is its last or one of its last; empty where it is not there."""
    at = frame.find(name)
    return b"" if at < 0 else frame[at:]
