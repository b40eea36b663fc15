"""Events of the sideband as frames."""

from runner.api.realtime.reading import Reader
from runner.model.event import CallEvent


def read(frame: str | bytes, *, follow_words: bool = False) -> tuple[CallEvent, ...]:
    """What a frame means to who has read no other."""
    return Reader().read(frame, follow_words=follow_words)


def message(*words: str, status: str = "completed") -> dict[str, object]:
    content = [{"type": "output_audio", "transcript": each} for each in words]
    return {"id": "item_2", "type": "message", "role": "assistant", "status": status, "content": content}
