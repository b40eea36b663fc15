"""Pieces of journals wait behind each other, and are in every way as if they had their place already."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from runner.store.journal.sealed import SealedEntries
from runner.store.sqlite import database, pieces
from tests.store.members import piece


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "calls.db", isolation_level=None)) as opened:
        database._prepare(opened, str(tmp_path / "calls.db"))
        yield opened


def recent(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM recent_pieces").fetchone()[0])


def in_place(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM journal").fetchone()[0])


def read(connection: sqlite3.Connection, call_id: str) -> list[SealedEntries]:
    return pieces.read(connection, [call_id]).get(call_id, [])


def test_pieces_are_moved_once_there_are_many_a_share_with_each_batch(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "MOST_RECENT", 6)
    monkeypatch.setattr(pieces, "SHARE", 3)
    placed = []
    for seq in range(7):
        pieces.write(connection, [piece("rtc_1", seq), piece("rtc_2", seq)])
        placed.append((in_place(connection), recent(connection)))
    # At the fourth there are enough, which are moved with the next ones and then deleted.
    assert placed == [(0, 2), (0, 4), (0, 6), (0, 8), (4, 10), (8, 12), (8, 6)]
    for call_id in ("rtc_1", "rtc_2"):
        assert [one.first_seq for one in read(connection, call_id)] == [0, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("batches", range(3, 8))
def test_a_call_whose_pieces_are_being_moved_is_read_and_deleted_whole(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, batches: int
) -> None:
    monkeypatch.setattr(pieces, "MOST_RECENT", 6)
    monkeypatch.setattr(pieces, "SHARE", 3)
    for seq in range(batches):
        pieces.write(connection, [piece("rtc_1", seq), piece("rtc_2", seq, b"a")])
    pieces.write(connection, [piece("rtc_2", 0, b"b")])
    pieces.delete(connection, "rtc_1")
    found = read(connection, "rtc_2")
    assert [one.first_seq for one in found] == list(range(batches))
    assert found[0].entries == b"b", "a piece that was written twice counts as it was written last"
    assert read(connection, "rtc_1") == []


def test_a_piece_is_kept_that_comes_while_the_last_ones_to_be_moved_are_deleted(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "MOST_RECENT", 6)
    monkeypatch.setattr(pieces, "SHARE", 3)
    for seq in range(4):
        pieces.write(connection, [piece("rtc_1", seq), piece("rtc_2", seq)])
    pieces.write(connection, [piece("rtc_2", 4)])
    pieces.delete(connection, "rtc_2")
    for seq in (4, 5):
        pieces.write(connection, [piece("rtc_1", seq)])
    assert [one.first_seq for one in read(connection, "rtc_1")] == [0, 1, 2, 3, 4, 5]


def test_of_two_pieces_in_one_place_the_last_counts(connection: sqlite3.Connection) -> None:
    pieces.write(connection, [piece(entries=b"a")])
    pieces.move(connection)
    pieces.write(connection, [piece(entries=b"b"), piece(first_seq=9), piece(entries=b"c")])
    assert read(connection, "rtc_1") == [piece(entries=b"c"), piece(first_seq=9)]


def test_no_piece_of_a_deleted_call_stays(connection: sqlite3.Connection) -> None:
    pieces.write(connection, [piece(), piece("rtc_2")])
    pieces.move(connection)
    pieces.write(connection, [piece(first_seq=1), piece("rtc_2", 1)])
    pieces.delete(connection, "rtc_1")
    assert read(connection, "rtc_1") == []
    assert len(read(connection, "rtc_2")) == 2
    pieces.write(connection, [piece("rtc_2", 2)])
    pieces.delete_others(connection)
    assert read(connection, "rtc_2") == []
