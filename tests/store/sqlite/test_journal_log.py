"""The pieces of all journals are in one log, which is cut at its old end, and each journal is read whole."""

import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from runner.store.sqlite import database, journal_log
from runner.store.sqlite.journal_log import delete, delete_others, write
from tests.store.members import piece


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "calls.db", isolation_level=None)) as opened:
        database._prepare(opened, str(tmp_path / "calls.db"))
        yield opened


def read(connection: sqlite3.Connection, call_id: str) -> list[tuple[int, bytes]]:
    found = journal_log.read(connection, [call_id]).get(call_id, [])
    assert all(one.call_id == call_id for one in found)
    return [(one.first_seq, one.entries) for one in found]


def log(connection: sqlite3.Connection) -> Sequence[tuple[int, int]]:
    """The rows of the log: where each ends, and how long it is."""
    return connection.execute("SELECT upto, length(entries) FROM journal_log ORDER BY upto").fetchall()


def test_a_batch_is_one_row_and_journals_are_read_in_their_order(connection: sqlite3.Connection) -> None:
    write(connection, [piece("rtc_1", 0, b"a"), piece("rtc_2", 0, b"x")])
    write(connection, [piece("rtc_1", 3, b"cc"), piece("rtc_2", 1, b"yyy")])
    write(connection, [piece("rtc_1", 1, b"bb")])
    write(connection, [])
    assert log(connection) == [(5, 5), (7, 2)]
    found = journal_log.read(connection, ["rtc_1", "rtc_2", "rtc_3"])
    assert found == {
        "rtc_1": [piece("rtc_1", 0, b"a"), piece("rtc_1", 1, b"bb"), piece("rtc_1", 3, b"cc")],
        "rtc_2": [piece("rtc_2", 0, b"x"), piece("rtc_2", 1, b"yyy")],
    }


def test_of_two_pieces_in_one_place_the_last_counts(connection: sqlite3.Connection) -> None:
    write(connection, [piece(entries=b"a"), piece(first_seq=1, entries=b"b")])
    write(
        connection, [piece(first_seq=1, entries=b"c"), piece(first_seq=9), piece(first_seq=1, entries=b"d")]
    )
    assert read(connection, "rtc_1") == [(0, b"a"), (1, b"d"), (9, b"sealed")]


def test_with_its_first_piece_a_journal_is_gone_whatever_is_left_of_it(
    connection: sqlite3.Connection,
) -> None:
    write(connection, [piece("rtc_1"), piece("rtc_2"), piece("rtc_3")])
    write(connection, [piece("rtc_1", 1), piece("rtc_2", 1), piece("rtc_3", 1)])
    delete(connection, "rtc_1")
    connection.execute(
        """INSERT INTO live_calls (runner, id, fence, agent, state, configuration, began_at)
        VALUES ('one', 'rtc_3', 1, 'desk', 'ringing', 'c1', 1000.0)"""
    )
    delete_others(connection)
    assert (read(connection, "rtc_1"), read(connection, "rtc_2")) == ([], [])
    assert len(read(connection, "rtc_3")) == 2


def test_a_journal_that_begins_anew_has_nothing_of_the_one_before(connection: sqlite3.Connection) -> None:
    write(connection, [piece(), piece(first_seq=1, entries=b"old"), piece(first_seq=2, entries=b"old")])
    write(connection, [piece(entries=b"anew")])
    assert read(connection, "rtc_1") == [(0, b"anew")]
    write(connection, [piece(first_seq=1, entries=b"new")])
    assert read(connection, "rtc_1") == [(0, b"anew"), (1, b"new")]


def test_ids_that_no_database_takes_find_their_journals(connection: sqlite3.Connection) -> None:
    write(connection, [piece("rtc_\0\ud800"), piece("rtc_\0\ud800", 1)])
    assert read(connection, "rtc_\0\ud800") == [(0, b"sealed"), (1, b"sealed")]


@pytest.fixture
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_log, "LEAST_BYTES", 10)


@pytest.mark.usefixtures("_short")
def test_the_log_is_cut_and_what_live_calls_need_is_written_again(connection: sqlite3.Connection) -> None:
    write(connection, [piece("over"), piece("live")])
    for seq in range(1, 8):
        write(connection, [piece("over", seq, b"oo"), piece("live", seq, bytes([seq, seq]))])
        if seq == 3:
            delete(connection, "over")
    # After the fourth row the log is longer than ten bytes. Of each row of four that is cut off, two stay.
    assert log(connection) == [(22, 6), (28, 6), (36, 8)]
    assert read(connection, "live") == [(0, b"sealed"), *((seq, bytes([seq, seq])) for seq in range(1, 8))]
    assert read(connection, "over") == []


@pytest.mark.usefixtures("_short")
@pytest.mark.parametrize("size", [1, 4, 40])
def test_a_log_that_all_calls_need_is_cut_no_faster_than_it_grows(
    connection: sqlite3.Connection, size: int
) -> None:
    random.seed(9)
    write(connection, [piece("live"), *(piece("live", seq, b"four") for seq in range(1, 9))])
    for seq in range(9, 200):
        write(connection, [piece("live", seq, bytes(size))])
    new_bytes = 8 * 4 + 191 * size
    assert 2 <= log(connection)[-1][0] / new_bytes <= 4
    assert [seq for seq, _ in read(connection, "live")] == [*range(200)]


@pytest.mark.usefixtures("_short")
def test_a_long_log_of_calls_that_are_over_is_cut_twice_as_fast_as_it_grows(
    connection: sqlite3.Connection,
) -> None:
    write(connection, [piece("over")])
    for seq in range(1, 30):
        connection.execute(
            "INSERT INTO journal_log (upto, pieces, entries) VALUES (?, ?, ?)",
            (seq * 4, f'[["over",{seq},4]]', b"four"),
        )
    delete(connection, "over")
    lengths = []
    for _ in range(5):
        write(connection, [piece("live", 1, b"four")])
        lengths.append(len(log(connection)))
    assert lengths == [28, 27, 26, 25, 24]
    assert {length for _, length in log(connection)} == {4}


@pytest.mark.usefixtures("_short")
def test_a_piece_that_is_written_again_does_not_replace_a_later_one(connection: sqlite3.Connection) -> None:
    write(connection, [piece("live")])
    write(connection, [piece("live", 1, b"first")])
    write(connection, [piece("live", 1, b"later"), piece("live", 2, b"else")])
    for seq in (3, 4, 5):
        write(connection, [piece("live", seq, b"other")])
        assert read(connection, "live")[1] == (1, b"later")


@pytest.mark.usefixtures("_short")
def test_after_a_cut_deleted_data_is_overwritten_as_before(connection: sqlite3.Connection) -> None:
    write(connection, [piece("over")])
    for seq in range(1, 9):
        write(connection, [piece("over", seq, b"four")])
    assert connection.execute("PRAGMA secure_delete").fetchone() == (1,)
