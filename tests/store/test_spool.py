"""A queue in a file: first in, first out, over the end of the process, and no larger than it may be."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from runner.store.spool import Spool


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.db.unsaved"


def drained(spool: Spool) -> list[str]:
    lines = []
    while spool:
        lines += spool.first(1)
        spool.drop(1)
    return lines


def test_lines_come_out_as_they_went_in(path: Path) -> None:
    spool = Spool(path)
    assert spool.append("one")
    assert spool.append("zwei ü")
    assert len(spool) == 2
    assert (spool.first(1), spool.first(9)) == (["one"], ["one", "zwei ü"])
    assert spool.waiting_bytes == len("one\nzwei ü\n".encode())
    spool.drop(1)
    assert spool.append("x" * 200_000)
    assert drained(spool) == ["zwei ü", "x" * 200_000]
    assert spool.append("more")
    assert drained(spool) == ["more"]


def test_many_lines_are_read_and_dropped_at_once(path: Path) -> None:
    spool = Spool(path)
    lines = [f"{number}" * 1000 for number in range(2000)]
    for line in lines:
        spool.append(line)
    assert spool.first(1500) == lines[:1500]
    spool.drop(1500)
    assert spool.first(9999) == lines[1500:]
    spool.drop(500)
    assert (len(spool), spool.waiting_bytes, spool.first(1)) == (0, 0, [])


def test_what_is_closed_can_be_opened_again(path: Path) -> None:
    spool, other = Spool(path), Spool(path)
    spool.append("one")
    spool.close()
    assert len(spool) == 0
    other.open()
    spool.open()
    assert (len(spool), drained(other)) == (0, ["one"])
    other.close()
    spool.append("two")
    assert drained(spool) == ["two"]


def test_there_is_no_file_while_nothing_waits(path: Path) -> None:
    spool = Spool(path)
    spool.open()
    assert not path.exists()
    spool.append("one")
    assert path.stat().st_mode & 0o777 == 0o600
    drained(spool)
    assert path.stat().st_size == 0
    spool.close()
    assert not path.exists()


def test_the_next_process_goes_on_with_what_waits(path: Path) -> None:
    spool = Spool(path)
    for line in ("one", "two", "three"):
        spool.append(line)
    spool.close()
    path.write_bytes(path.read_bytes() + b"never finis")
    spool = Spool(path)
    spool.open()
    spool.append("four")
    assert drained(spool) == ["one", "two", "three", "four"]


def test_a_full_file_takes_no_more_until_it_is_empty(path: Path) -> None:
    spool = Spool(path, most_bytes=10)
    assert spool.append("1234")
    assert spool.append("6789")
    assert not spool.append("")
    assert drained(spool) == ["1234", "6789"]
    assert spool.append("1234")


def test_each_process_has_a_file_of_its_own_and_takes_over_what_others_have_left(path: Path) -> None:
    first, second = Spool(path), Spool(path)
    first.append("one")
    second.append("two")
    second.append("three")
    assert second.path == path.with_name("calls.db.unsaved.2")
    third = Spool(path)
    third.open()
    assert len(third) == 0, "the files of those who live are theirs"
    first.close()
    second.close()
    third.open()
    assert drained(third) == ["one", "two", "three"]
    third.close()
    assert list(path.parent.iterdir()) == []


def test_a_full_disk_spoils_no_line(path: Path) -> None:
    spool = Spool(path)
    spool.append("one")
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, unlimited[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            spool.append("x" * 200)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    spool.append("two")
    spool.close()
    again = Spool(path)
    again.open()
    assert drained(again) == ["one", "two"]


def test_a_file_that_somebody_else_has_emptied_is_told_and_goes_on(path: Path) -> None:
    spool = Spool(path)
    spool.append("one")
    os.truncate(path, 0)
    with pytest.raises(OSError, match="was cut short by somebody else"):
        spool.first(1)
    assert len(spool) == 0


def test_a_process_that_is_killed_leaves_its_lines_to_the_next(path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from runner.store.spool import Spool; "
        "spool = Spool(Path(sys.argv[1])); spool.append('one'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, os.fspath(path)], check=False)
    spool = Spool(path)
    spool.open()
    assert drained(spool) == ["one"]
