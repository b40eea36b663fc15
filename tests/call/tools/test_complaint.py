"""What the log quotes of an endpoint that refuses: a sentence, and nothing that nobody may read there."""

import pytest

from runner.call.records.redaction import Redactor
from runner.call.tools.complaint import LONGEST, MOST_READ, complaint, has_failed
from runner.model.agent import Recording, Sensitive
from runner.model.http import Failure, HttpReply

OPEN = Redactor([Recording()], ["s3cret-key"])


def refusal(body: str, content_type: str = "application/json", status: int = 409) -> HttpReply:
    return HttpReply(status=status, body=body.encode(), content_type=content_type)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (refusal('{"message": "Returns were possible until November 3."}'), None),
        (refusal('{"title": "Conflict", "detail": "Returns were possible until November 3."}'), None),
        (refusal('{"error": {"code": 7, "message": "Returns were possible until November 3."}}'), None),
        (refusal('{"errors": [{"detail": "Returns were possible until November 3."}]}'), None),
        (refusal('["Returns were possible\\nuntil November 3."]', "text/plain"), None),
        (refusal("Returns were possible until November 3.\nTraceback: …", "text/plain"), None),
        (refusal('{"detail": " ", "error": "no_return"}'), "no_return"),
        (refusal('{"customer": "Ada", "message": 7}'), "Conflict"),
        (refusal("<html>No.</html>", "text/plain"), "Conflict"),
        (refusal("No.", "text/html"), "Conflict"),
        (refusal(""), "Conflict"),
        (refusal("", status=799), ""),
        (refusal("", status=302), "Found, a redirect, which is not followed"),
        (refusal('{"message": "' + "x" * MOST_READ + '"}'), "Conflict"),
        (refusal('{"message": "' + "x" * 999 + '"}'), "x" * (LONGEST - 1) + "…"),
        (refusal('{"message": "The key s3cret-key is not valid."}'), "The key [redacted] is not valid."),
        (
            HttpReply(failure=Failure.CONNECTION, detail="the name does not resolve"),
            "the name does not resolve",
        ),
    ],
)
def test_a_complaint_is_one_sentence(reply: HttpReply, words: str | None) -> None:
    assert has_failed(reply)
    expected = "Returns were possible until November 3." if words is None else words
    assert complaint(reply, OPEN) == expected


@pytest.mark.parametrize(
    ("recording", "words"),
    [
        (Recording(results=(("error", "message"),)), "[redacted]"),
        (Recording(kinds=frozenset({Sensitive.EMAIL})), "Nobody has [email]."),
        (Recording(transcript=False), "Conflict"),
    ],
)
def test_it_is_masked_as_the_record_is(recording: Recording, words: str) -> None:
    reply = refusal('{"error": {"message": "Nobody has ada@maple.example."}}')
    assert complaint(reply, Redactor([recording])) == words


@pytest.mark.parametrize("status", [200, 204])
def test_other_replies_are_no_complaints(status: int) -> None:
    assert not has_failed(refusal("{}", status=status))
