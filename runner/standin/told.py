"""What the model was told to say, read out of the instructions of one response. Pure."""

import json


def sentence_in(instructions: str) -> str:
    """The sentence between quotation marks, else the last paragraph; empty for no instructions.

    Between the marks may stand JSON text, whose escapes are undone.
    """
    start, end = instructions.find('"'), instructions.rfind('"')
    if 0 <= start < end:
        quoted = instructions[start : end + 1]
        try:
            return str(json.loads(quoted, strict=False)).strip()
        except ValueError:
            return quoted[1:-1].strip()
    paragraphs = [part.strip() for part in instructions.split("\n\n") if part.strip()]
    return paragraphs[-1] if paragraphs else ""
