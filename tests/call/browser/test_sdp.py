"""A browser's offer goes on without its data channel, and the answer refuses it in its place."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.call.browser.sdp import MOST_BYTES, audio_offer
from runner.errors import OfferRefusedError

OFFERS = Path(__file__).parents[2] / "data" / "offers"
BROWSERS = ("chromium", "firefox", "safari")
ANSWER = (OFFERS / "answer.sdp").read_text()


def offer(browser: str) -> str:
    return (OFFERS / f"{browser}.sdp").read_text().replace("\n", "\r\n")


def lines(sdp: str) -> list[str]:
    assert sdp.endswith("\r\n")
    return sdp.removesuffix("\r\n").split("\r\n")


@pytest.mark.parametrize("browser", BROWSERS)
def test_the_offer_loses_its_data_channel_and_nothing_else(browser: str) -> None:
    before = lines(offer(browser))
    channel = before[before.index("m=application 9 UDP/DTLS/SCTP webrtc-datachannel") :]
    kept = [line.replace("BUNDLE 0 1", "BUNDLE 0") for line in before[: -len(channel)]]
    assert lines(audio_offer(offer(browser).encode()).sdp) == kept


@pytest.mark.parametrize("browser", BROWSERS)
def test_the_answer_refuses_the_data_channel_in_its_place(browser: str) -> None:
    answer = audio_offer(offer(browser).encode()).answer(ANSWER)
    assert lines(answer) == [
        *ANSWER.removesuffix("\n").split("\n"),
        "m=application 0 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        "a=mid:1",
    ]


@pytest.mark.parametrize("browser", BROWSERS)
def test_an_offer_with_an_open_data_channel_goes_on_as_it_came(browser: str) -> None:
    opened = audio_offer(offer(browser).encode(), with_data_channel=True)
    assert opened.sdp == offer(browser)
    assert opened.answer(ANSWER) == ANSWER


def channel_first(browser: str) -> str:
    """As of a page that opens its data channel before it has a microphone: the channel's is the transport."""
    text = offer(browser)
    session, audio, channel = (
        text[: text.index("m=audio")],
        text[text.index("m=audio") : text.index("m=application")],
        text[text.index("m=application") :],
    )
    candidates = [line for line in lines(audio) if line.startswith(("a=candidate:", "a=end-of-candidates"))]
    moved = "".join(f"{line}\r\n" for line in candidates)
    for line in candidates:
        audio = audio.replace(f"{line}\r\n", "")
    return session + channel + moved + audio


@pytest.mark.parametrize("browser", BROWSERS)
def test_a_data_channel_that_comes_first_leaves_its_candidates_and_its_place(browser: str) -> None:
    whole = audio_offer(offer(browser).encode())
    turned = audio_offer(channel_first(browser).encode())
    assert sorted(lines(turned.sdp)) == sorted(lines(whole.sdp))
    sections = [line for line in lines(turned.answer(ANSWER)) if line.startswith("m=")]
    assert sections == [
        "m=application 0 UDP/DTLS/SCTP webrtc-datachannel",
        "m=audio 3478 UDP/TLS/RTP/SAVPF 111 0 8",
    ]


def test_an_offer_without_a_data_channel_is_answered_as_it_is() -> None:
    plain = audio_offer(offer("chromium").encode()).sdp
    assert audio_offer(plain.encode()).sdp == plain
    assert audio_offer(plain.encode()).answer(ANSWER) == ANSWER


def test_line_feeds_alone_are_taken_and_sent_on_as_whole_line_ends() -> None:
    text = offer("safari").replace("\r\n", "\n")
    assert audio_offer(text.encode()).sdp == audio_offer(offer("safari").encode()).sdp


VIDEO = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:2\r\n"
AUDIO = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", 'line 1 is not SDP; a line is such as "v=0"'),
        (b"\xff\xfe", "the offer is not UTF-8 text"),
        (b"hello", 'line 1 is not SDP; a line is such as "v=0"'),
        (b'{"sdp": "v=0"}', 'line 1 is not SDP; a line is such as "v=0"'),
        (b"o=- 1 2 IN IP4 0.0.0.0\r\n", 'the first line of SDP is "v=0"'),
        (b"v=0\r\n", "the offer has 0 audio sections; a call has one"),
        (b"v=0\r\nm=audio 9\r\n", "line 2 has no media, port, protocol and format"),
        (b"v=0\r\n\r\n", 'line 2 is not SDP; a line is such as "v=0"'),
        (
            (AUDIO + AUDIO[5:]).encode(),
            "the offer has 2 audio sections; a call has one",
        ),
        ((AUDIO + VIDEO).encode(), 'the offer has a section "video"; a call has audio only'),
        (AUDIO.replace(" 9 ", " 0 ").encode(), "the offer's audio section is refused by its own port 0"),
        (b"v=0\r\n" + b"a=" + b"x" * MOST_BYTES, f"the offer is longer than {MOST_BYTES} bytes"),
        (b"v=0\r\na=x\0\r\n", 'line 2 is not SDP; a line is such as "v=0"'),
    ],
)
def test_what_is_no_offer_of_a_call_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(OfferRefusedError) as refused:
        audio_offer(body)
    assert str(refused.value) == message


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_rubbish_is_refused_and_never_breaks_anything(body: bytes) -> None:
    try:
        sdp = audio_offer(body).sdp
    except OfferRefusedError:
        return
    assert "m=application" not in sdp


@given(st.data())
def test_an_offer_that_was_tampered_with_never_goes_on_with_a_data_channel(data: st.DataObject) -> None:
    before = lines(offer(data.draw(st.sampled_from(BROWSERS))))
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(before) - 1))
        match data.draw(st.integers(0, 3)):
            case 0:
                del before[at]
            case 1:
                before.insert(at, data.draw(st.sampled_from(before)))
            case 2:
                before[at] = before[at][: data.draw(st.integers(0, len(before[at])))]
            case _:
                before[at] += data.draw(st.text(max_size=5))
        if not before:
            break
    try:
        made = audio_offer("\r\n".join(before).encode())
    except OfferRefusedError:
        return
    kept = lines(made.sdp)
    assert [line.split(" ")[0] for line in kept if line.startswith("m=")] == ["m=audio"]
    sections = [line for line in before if line.startswith("m=")]
    answered = [line for line in made.answer(ANSWER).splitlines() if line.startswith("m=")]
    assert len(answered) == max(1, len(sections))
