"""What a journal holds is nobody's who has only the database."""

import pytest

from runner.errors import JournalError
from runner.store.journal.seal import Seal

OLD, NEW = "whsec_b2xk", "whsec_bmV3"
TEXT = b"The caller said: four one one one."


def sealed_with(*secrets: str) -> Seal:
    return Seal(lambda: secrets)


def test_what_is_sealed_can_be_opened_and_shows_nothing() -> None:
    seal = sealed_with(NEW)
    sealed = seal.seal(TEXT, "rtc_1", 7)
    assert TEXT not in sealed
    assert seal.open(sealed, "rtc_1", 7) == TEXT
    assert seal.seal(TEXT, "rtc_1", 7) != sealed


def test_no_two_texts_are_sealed_alike() -> None:
    one, other = sealed_with(NEW), sealed_with(NEW)
    heads = {seal.seal(TEXT, "rtc_1", seq)[:32] for seal in (one, other) for seq in (0, 0, 1)}
    assert len(heads) == 6, "key and nonce are used once"


def test_a_secret_may_rotate_while_a_call_is_live() -> None:
    sealed = sealed_with(OLD).seal(TEXT, "rtc_1", 0)
    assert sealed_with(NEW, OLD).open(sealed, "rtc_1", 0) == TEXT
    assert sealed_with(NEW, OLD).seal(TEXT, "rtc_1", 0)[:8] == sealed_with(NEW).seal(TEXT, "rtc_1", 0)[:8]
    with pytest.raises(JournalError) as caught:
        sealed_with(NEW).open(sealed, "rtc_1", 0)
    assert str(caught.value) == (
        "the journal was sealed with a webhook secret that is not configured any more"
    )


@pytest.mark.parametrize(("call_id", "first_seq"), [("rtc_2", 0), ("rtc_1", 1)])
def test_entries_cannot_be_moved_to_another_call_or_place(call_id: str, first_seq: int) -> None:
    seal = sealed_with(NEW)
    sealed = seal.seal(TEXT, "rtc_1", 0)
    with pytest.raises(JournalError) as caught:
        seal.open(sealed, call_id, first_seq)
    assert str(caught.value) == "the journal was changed after it was written"


@pytest.mark.parametrize("at", [9, 25, 31, -1])
def test_a_changed_bit_is_noticed(at: int) -> None:
    seal = sealed_with(NEW)
    sealed = bytearray(seal.seal(TEXT, "rtc_1", 0))
    sealed[at] ^= 1
    with pytest.raises(JournalError):
        seal.open(bytes(sealed), "rtc_1", 0)


@pytest.mark.parametrize("length", [0, 7, 8, 20, 30, 32, 40])
def test_what_is_cut_off_is_no_text(length: int) -> None:
    seal = sealed_with(NEW)
    with pytest.raises(JournalError):
        seal.open(seal.seal(TEXT, "rtc_1", 0)[:length], "rtc_1", 0)
