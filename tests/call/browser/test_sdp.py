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
    [start] = [number for number, line in enumerate(before) if line.startswith("m=application ")]
    channel = before[start:]
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
    """As of a page with `bundlePolicy: "max-bundle"` that opened its channel first: that is the transport."""
    text = offer(browser)
    session, audio, channel = (
        text[: text.index("m=audio")],
        text[text.index("m=audio") : text.index("m=application")],
        text[text.index("m=application") :],
    )
    channel = "".join(f"{line}\r\n" for line in lines(channel) if "candidate" not in line)
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
    assert audio_offer(plain.encode()).answer(ANSWER) == ANSWER.replace("\n", "\r\n")


def test_line_feeds_alone_are_taken_and_sent_on_as_whole_line_ends() -> None:
    text = offer("safari").replace("\r\n", "\n")
    assert audio_offer(text.encode()).sdp == audio_offer(offer("safari").encode()).sdp


VIDEO = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:2\r\n"
AUDIO = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", 'line 1 is not SDP; a valid line is such as "v=0"'),
        (b"\xff\xfe", "the offer is not UTF-8 text"),
        (b"hello", 'line 1 is not SDP; a valid line is such as "v=0"'),
        (b'{"sdp": "v=0"}', 'line 1 is not SDP; a valid line is such as "v=0"'),
        (b"o=- 1 2 IN IP4 0.0.0.0\r\n", 'the first line of SDP is "v=0"'),
        (b"v=0\r\n", "the offer has 0 audio sections; a call has one"),
        (b"v=0\r\nm=audio 9\r\n", "line 2 has no media, port, protocol and format"),
        (b"v=0\r\n\r\n", 'line 2 is not SDP; a valid line is such as "v=0"'),
        (
            (AUDIO + AUDIO[5:]).encode(),
            "the offer has 2 audio sections; a call has one",
        ),
        ((AUDIO + VIDEO).encode(), 'the offer has a section "video"; a call has audio only'),
        (AUDIO.replace(" 9 ", " 0 ").encode(), "the offer's audio section is refused by its own port 0"),
        (b"v=0\r\n" + b"a=" + b"x" * MOST_BYTES, f"the offer is longer than {MOST_BYTES} bytes"),
        (b"v=0\r\na=x\0\r\n", 'line 2 is not SDP; a valid line is such as "v=0"'),
        (
            AUDIO.replace("UDP/TLS/RTP/SAVPF 111", "UDP/DTLS/SCTP webrtc-datachannel").encode(),
            'the offer\'s audio is not RTP; a valid line is such as "m=audio 9 RTP/SAVPF 111"',
        ),
        (
            AUDIO.replace("m=audio 9", "m=audio  9").encode(),
            'the offer\'s audio is not RTP; a valid line is such as "m=audio 9 RTP/SAVPF 111"',
        ),
    ],
)
def test_what_is_no_offer_of_a_call_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(OfferRefusedError) as refused:
        audio_offer(body)
    assert str(refused.value) == message


CHANNEL = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel"


@pytest.mark.parametrize(
    ("lines_of_channel", "message"),
    [
        # Readers that end a line at other characters would see a section here.
        *((f"a=x{end}{CHANNEL}", "line 3 is not SDP") for end in "\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"),
        (f" {CHANNEL}", "line 3 is not SDP"),
        (CHANNEL.replace("m=", "M="), "line 3 is not SDP"),
        (CHANNEL.replace("m=", "m ="), "line 3 is not SDP"),
        (CHANNEL.replace("application", "Application"), 'the offer has a section "Application"'),
        (CHANNEL.replace("m=", "m= "), 'the offer has a section ""'),
        (CHANNEL.replace(" ", "\t"), "line 3 has no media"),
        (CHANNEL.replace("application 9", "application\t9 9"), 'the offer has a section "application\t9"'),
    ],
)
def test_a_data_channel_in_disguise_is_refused(lines_of_channel: str, message: str) -> None:
    with pytest.raises(OfferRefusedError) as refused:
        audio_offer(f"{AUDIO}{lines_of_channel}\r\n".encode())
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize("line", [CHANNEL, "m=application  9 DTLS/SCTP 5000", "m=application 0 x y"])
def test_however_many_data_channels_all_are_taken_out_and_refused(line: str) -> None:
    made = audio_offer((AUDIO + f"{line}\r\n" * 1000).encode())
    assert made.sdp == AUDIO
    assert [text[:16] for text in lines(made.answer(ANSWER)) if text.startswith("m=")] == [
        "m=audio 3478 UDP",
        *["m=application 0 "] * 1000,
    ]


@pytest.mark.parametrize(
    ("groups", "kept"),
    [
        ("a=group:BUNDLE 0 1", "a=group:BUNDLE 0"),
        ("a=group:BUNDLE 1 0", "a=group:BUNDLE 0"),
        ("a=group:BUNDLE 1", None),
        ("a=group:BUNDLE", None),
        ("a=group:BUNDLE 0", "a=group:BUNDLE 0"),
        ("a=group:LS 0 1", "a=group:LS 0"),
    ],
)
def test_a_section_that_is_gone_is_in_no_group(groups: str, kept: str | None) -> None:
    text = f"v=0\r\n{groups}\r\n{AUDIO[5:]}a=mid:0\r\n{CHANNEL}\r\na=mid:1\r\n"
    assert lines(audio_offer(text.encode()).sdp)[1:-2] == ([] if kept is None else [kept])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("", 'line 1 is not SDP; a valid line is such as "v=0"'),
        ("<html>", 'line 1 is not SDP; a valid line is such as "v=0"'),
        ("v=0\r\n", "the answer has the sections []; the offer has one, of audio"),
        (
            f"{ANSWER}{CHANNEL}\n",
            "the answer has the sections ['audio', 'application']; the offer has one, of audio",
        ),
    ],
)
@pytest.mark.parametrize("had_a_channel", [True, False])
def test_an_answer_to_something_else_reaches_no_browser(
    answer: str, message: str, had_a_channel: bool
) -> None:
    made = audio_offer((AUDIO + f"{CHANNEL}\r\n" * had_a_channel).encode())
    with pytest.raises(OfferRefusedError) as refused:
        made.answer(answer)
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
