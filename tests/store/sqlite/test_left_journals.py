"""The journals that a process has left: each is taken once, in order, and nothing is kept longer."""

import orjson

from runner.store.journal.sealed import SealedEntries
from runner.store.sqlite.left_journals import LeftJournals

NAMES = orjson.dumps([["rtc_2", 1, 2], ["rtc_9", 1, 4], ["rtc_1", 1, 1], ["rtc_1", 2, 3, 40]]).decode()


def left() -> LeftJournals:
    """Two calls, one of which has nothing in the log; another one is over."""
    journals = LeftJournals(["rtc_1", "rtc_2", "rtc_3"])
    assert journals.begin([("rtc_1", 0, 30, b"first"), ("rtc_2", 0, 50, b"FIRST")]) == 30
    journals.add(50, NAMES, b"--....axyz")
    return journals


def test_a_journal_is_taken_once_and_in_order() -> None:
    journals = left()
    assert journals.take("rtc_1") == [
        SealedEntries("rtc_1", 0, b"first"),
        SealedEntries("rtc_1", 1, b"a"),
        SealedEntries("rtc_1", 2, b"xyz"),
    ]
    assert "rtc_1" not in journals
    assert journals.take("rtc_1") == []


def test_pieces_that_were_written_before_the_journal_began_are_of_an_earlier_call() -> None:
    assert left().take("rtc_2") == [SealedEntries("rtc_2", 0, b"FIRST")]


def test_of_a_piece_that_was_written_twice_the_later_one_counts() -> None:
    journals = left()
    journals.add(60, '[["rtc_1", 2, 3]]', b"new")
    journals.add(70, '[["rtc_1", 2, 3, 40]]', b"xyz")
    assert journals.take("rtc_1")[2] == SealedEntries("rtc_1", 2, b"new")


def test_a_call_without_a_journal_is_known_to_have_none() -> None:
    journals = left()
    assert "rtc_3" in journals
    assert journals.take("rtc_3") == []


def test_a_journal_that_is_about_to_change_has_to_be_read_again() -> None:
    journals = left()
    journals.forget("rtc_1")
    assert "rtc_1" not in journals
    assert len(journals) == 2


def test_the_log_begins_nowhere_for_calls_without_a_journal() -> None:
    assert LeftJournals(["rtc_3"]).begin([]) is None
