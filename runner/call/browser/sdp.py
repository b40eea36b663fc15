"""Takes the data channel out of a browser's offer, and puts its refusal back into the answer.

Whoever holds the data channel of a session reads its instructions, its tools and what they answered, and can
rewrite all of it. The offer passes through us, so that the voice API never sees one.

Source: RFC 8866 (lines and sections), RFC 3264, 6 (one section of the answer for each of the offer, port zero
refuses it), RFC 9143 (bundles), RFC 9429, 5.3.1 (what a refused section holds).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from runner.errors import OfferRefusedError

MOST_BYTES = 64 * 1024
"""Browsers' offers are smaller than ten kilobytes."""

EXAMPLE_OFFER = "".join(
    f"{line}\r\n"
    for line in (
        "v=0",
        "o=- 1 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "c=IN IP4 0.0.0.0",
        "a=mid:0",
        "a=sendrecv",
        "a=rtcp-mux",
        "a=rtpmap:111 opus/48000/2",
    )
)
"""For made-up calls: no browser waits for the answer."""

_LINE = "[a-z]=[^\0\n\r\v\f\x1c-\x1e\x85\u2028\u2029]*"
"""Without what Python, or another reader, takes for the end of a line."""
_LINES = re.compile(f"{_LINE}(?:\n{_LINE})*")
_GROUP = "a=group:"
_CANDIDATES = ("a=candidate:", "a=end-of-candidates")


@dataclass(frozen=True, slots=True)
class _Section:
    """One media section: its `m=` line and the lines below."""

    lines: tuple[str, ...]

    @property
    def media(self) -> str:
        return self.lines[0][2:].partition(" ")[0]

    @property
    def port(self) -> str:
        return self.lines[0].split(" ")[1]

    @property
    def protocol(self) -> str:
        return self.lines[0].split(" ")[2]

    @property
    def mid(self) -> str | None:
        return next((line[6:] for line in self.lines if line.startswith("a=mid:")), None)

    @property
    def has_candidates(self) -> bool:
        return any(line.startswith(_CANDIDATES) for line in self.lines)

    def with_candidates_of(self, other: "_Section") -> "_Section":
        """The candidates of a transport that both sections shared (RFC 9143, 7.2: the offerer's tagged
        section).
        """
        return _Section((*self.lines, *(line for line in other.lines if line.startswith(_CANDIDATES))))


@dataclass(frozen=True, slots=True)
class AudioOffer:
    """An offer of one audio section, and the refusal of the data channel that it came with."""

    sdp: str
    """The offer for the voice API."""
    refused: tuple[tuple[int, str], ...] = ()
    """For each section removed: its position in the offer, and the lines that refuse it."""

    has_data_channel: bool = False
    """Whether the offer goes on with its data channel."""

    def answer(self, sdp: str) -> str:
        """Turn the API's answer into an answer to the whole offer.

        Raises OfferRefusedError when it is not SDP, or answers more than the audio that it was offered.
        """
        session, sections = _parsed(sdp)
        if self.has_data_channel:
            return sdp
        media = [section.media for section in sections]
        if media != ["audio"]:
            raise OfferRefusedError(f"the answer has the sections {media}; the offer has one, of audio")
        for position, lines in self.refused:
            sections.insert(position, _Section(tuple(lines.split("\n"))))
        return _text(session, sections)


def audio_offer(body: bytes, *, with_data_channel: bool = False) -> AudioOffer:
    """The offer without its data channel, or unchanged (`with_data_channel`). Raises OfferRefusedError.

    It has one audio section and nothing else that the caller could send.
    """
    if len(body) > MOST_BYTES:
        raise OfferRefusedError(f"the offer is longer than {MOST_BYTES} bytes")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise OfferRefusedError("the offer is not UTF-8 text") from None
    session, sections = _parsed(text)
    audio = [section for section in sections if section.media == "audio"]
    others = sorted({section.media for section in sections} - {"audio", "application"})
    if others:
        raise OfferRefusedError(f'the offer has a section "{others[0]}"; a call has audio only')
    if len(audio) != 1:
        raise OfferRefusedError(f"the offer has {len(audio)} audio sections; a call has one")
    if audio[0].port == "0":
        raise OfferRefusedError("the offer's audio section is refused by its own port 0")
    if not audio[0].port.isdecimal() or "RTP" not in audio[0].protocol.split("/"):
        message = 'the offer\'s audio is not RTP; a valid line is such as "m=audio 9 RTP/SAVPF 111"'
        raise OfferRefusedError(message)
    if with_data_channel:
        return AudioOffer(_text(session, sections), has_data_channel=True)
    channels = [section for section in sections if section.media == "application"]
    kept = audio[0]
    if sections[0] is not kept and sections[0].has_candidates and not kept.has_candidates:
        kept = kept.with_candidates_of(sections[0])
    gone = {section.mid for section in channels}
    refused = tuple(
        (position, "\n".join(_refusal(section)))
        for position, section in enumerate(sections)
        if section.media == "application"
    )
    return AudioOffer(_text(tuple(_ungrouped(session, gone)), [kept]), refused)


def _parsed(text: str) -> tuple[tuple[str, ...], list[_Section]]:
    """The lines of the session, and the sections. RFC 8866, 5: a lone line feed ends a line as well.

    Nothing else may: another reader could see a section where we see none.
    """
    text = text.replace("\r\n", "\n").removesuffix("\n")
    lines = text.split("\n")
    if _LINES.fullmatch(text) is None:
        number = next(number for number, line in enumerate(lines, start=1) if not _LINES.fullmatch(line))
        raise OfferRefusedError(f'line {number} is not SDP; a valid line is such as "v=0"')
    if lines[0] != "v=0":
        raise OfferRefusedError('the first line of SDP is "v=0"')
    starts = [number for number, line in enumerate(lines) if line.startswith("m=")]
    for start in starts:
        if len(lines[start].split(" ")) < 4:
            raise OfferRefusedError(f"line {start + 1} has no media, port, protocol and format")
    ends = [*starts, len(lines)]
    return tuple(lines[: ends[0]]), [_Section(tuple(lines[start:end])) for start, end in pairwise(ends)]


def _refusal(section: _Section) -> Iterator[str]:
    """Port zero, with the offer's protocol and format; the section keeps its name."""
    media, _, *rest = section.lines[0].split(" ")
    yield " ".join([media, "0", *rest])
    yield "c=IN IP4 0.0.0.0"
    if section.mid is not None:
        yield f"a=mid:{section.mid}"


def _ungrouped(session: Sequence[str], gone: set[str | None]) -> Iterator[str]:
    """Leave the sections that are gone out of every group (RFC 5888)."""
    for line in session:
        if not line.startswith(_GROUP):
            yield line
            continue
        semantics, *mids = line.split()
        if left := [mid for mid in mids if mid not in gone]:
            yield " ".join([semantics, *left])


def _text(session: Sequence[str], sections: Sequence[_Section]) -> str:
    lines = [*session, *(line for section in sections for line in section.lines)]
    return "".join(f"{line}\r\n" for line in lines)
