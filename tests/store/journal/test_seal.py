"""What a journal holds is nobody's who has only the database."""

import pytest

from runner.errors import JournalError
from runner.model.conversation_event import KeyPressed
from runner.model.entry import Entry
from runner.store.journal.entries import encode
from runner.store.journal.journal import opened
from runner.store.journal.seal import JournalKey, Seal
from runner.store.journal.sealed import SealedEntries

OLD, NEW = "whsec_b2xk", "whsec_bmV3"
TEXT = b"The caller said: four one one one."
CHANGED = "it was changed or damaged after it was written"
LOST = "the runner was lost before it could write, or the database has lost what was written"


def sealed_with(*secrets: str) -> Seal:
    return Seal(lambda: secrets)


def decrypted(key: JournalKey, sealed: bytes, call_id: str, first_seq: int) -> bytes:
    return key.open_all([SealedEntries(call_id, first_seq, sealed)])[0]


def test_what_is_sealed_can_be_opened_and_shows_nothing() -> None:
    seal, key = sealed_with(NEW), JournalKey()
    first, second = seal.seal(key, TEXT, "rtc_1"), seal.seal_more(key, TEXT, "rtc_1", 7)
    assert TEXT not in first + second
    assert key.raw not in first + second
    read, text = seal.open(first, "rtc_1")
    assert text == decrypted(read, second, "rtc_1", 7) == TEXT


def test_no_two_texts_are_sealed_alike() -> None:
    one, other, key = sealed_with(NEW), sealed_with(NEW), JournalKey()
    heads = {seal.seal(key, TEXT, "rtc_1")[:32] for seal in (one, other, one)}
    nonces = {seal.seal_more(key, TEXT, "rtc_1", seq)[:12] for seal, seq in ((one, 1), (one, 1), (other, 2))}
    assert (len(heads), len(nonces)) == (3, 3), "key and nonce are used once"
    assert {nonce[-6:] for nonce in nonces} < {bytes([0] * 5 + [count]) for count in range(9)}
    assert JournalKey().raw != JournalKey().raw


def test_a_secret_may_rotate_while_a_call_is_live() -> None:
    sealed = sealed_with(OLD).seal(JournalKey(), TEXT, "rtc_1")
    assert sealed_with(NEW, OLD).open(sealed, "rtc_1")[1] == TEXT
    key = JournalKey()
    ids = [seal.seal(key, TEXT, "rtc_1")[:8] for seal in (sealed_with(NEW, OLD), sealed_with(NEW))]
    assert ids[0] == ids[1]
    with pytest.raises(JournalError) as caught:
        sealed_with(NEW).open(sealed, "rtc_1")
    assert str(caught.value) == (
        "it was sealed with a webhook secret that is not configured any more; keep an old secret in"
        " provider.webhook_secrets until the calls that began under it are over"
    )


def test_without_its_first_piece_a_journal_cannot_be_read() -> None:
    with pytest.raises(JournalError) as caught:
        decrypted(JournalKey(), sealed_with(NEW).seal_more(JournalKey(), TEXT, "rtc_1", 3), "rtc_1", 3)
    assert str(caught.value) == CHANGED


@pytest.mark.parametrize(("call_id", "first_seq"), [("rtc_2", 1), ("rtc_1", 2)])
def test_entries_cannot_be_moved_to_another_call_or_place(call_id: str, first_seq: int) -> None:
    seal, key = sealed_with(NEW), JournalKey()
    with pytest.raises(JournalError) as caught:
        decrypted(key, seal.seal_more(key, TEXT, "rtc_1", 1), call_id, first_seq)
    assert str(caught.value) == CHANGED
    with pytest.raises(JournalError) as caught:
        seal.open(seal.seal(key, TEXT, "rtc_1"), "rtc_2")
    assert str(caught.value) == CHANGED


@pytest.mark.parametrize("at", [9, 25, 31, -1])
def test_a_changed_bit_is_noticed(at: int) -> None:
    seal, key = sealed_with(NEW), JournalKey()
    first, second = bytearray(seal.seal(key, TEXT, "rtc_1")), bytearray(seal.seal_more(key, TEXT, "rtc_1", 1))
    first[at] ^= 1
    second[at] ^= 1
    with pytest.raises(JournalError):
        seal.open(bytes(first), "rtc_1")
    with pytest.raises(JournalError):
        decrypted(key, bytes(second), "rtc_1", 1)


@pytest.mark.parametrize("length", [0, 7, 8, 11, 12, 20, 27, 30, 32, 40])
def test_what_is_cut_off_is_no_text(length: int) -> None:
    seal, key = sealed_with(NEW), JournalKey()
    with pytest.raises(JournalError):
        seal.open(seal.seal(key, TEXT, "rtc_1")[:length], "rtc_1")
    with pytest.raises(JournalError):
        decrypted(key, seal.seal_more(key, TEXT, "rtc_1", 1)[:length], "rtc_1", 1)


KEY, SEAL = JournalKey(), sealed_with(NEW)


def piece(first_seq: int, keys: str) -> SealedEntries:
    entries = [Entry(seq=first_seq + at, at=1.0, event=KeyPressed(key=key)) for at, key in enumerate(keys)]
    text = encode(entries)
    sealed = SEAL.seal_more(KEY, text, "rtc_1", first_seq) if first_seq else SEAL.seal(KEY, text, "rtc_1")
    return SealedEntries("rtc_1", first_seq, sealed)


def test_a_journal_is_read_from_its_pieces() -> None:
    key, entries = opened([piece(0, "12"), piece(2, "3"), piece(3, "45")], SEAL)
    assert key.raw == KEY.raw
    assert [(entry.seq, entry.event) for entry in entries] == [
        (at, KeyPressed(key=key)) for at, key in enumerate("12345")
    ]


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ([], f"its beginning is missing: {LOST}"),
        ([piece(1, "2")], f"its beginning is missing: {LOST}"),
        ([piece(0, "1"), piece(2, "3")], f"its entries from 1 on are missing: {LOST}"),
    ],
)
def test_a_journal_with_a_gap_is_not_read(pieces: list[SealedEntries], reason: str) -> None:
    with pytest.raises(JournalError) as caught:
        opened(pieces, SEAL)
    assert str(caught.value) == reason
