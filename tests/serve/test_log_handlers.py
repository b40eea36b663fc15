"""The log's thread, with pipes that are read late, never, and by nobody."""

import fcntl
import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from runner.serve.log_folding import MOST_ALIKE, MOST_OF_A_CALL, Folding
from runner.serve.logs import configure, configure_without_thread, name_call
from tests.patience import PATIENCE_S

log = logging.getLogger("runner.serve.test_log_handlers")


@pytest.fixture
def pipe() -> Iterator[tuple[int, io.TextIOWrapper]]:
    """A pipe's end for reading, and a stream that writes into the other."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stream:
        yield reader, stream
    os.close(reader)


def read_all(reader: int) -> list[dict[str, Any]]:
    with os.fdopen(os.dup(reader), "r") as stream:
        return [json.loads(line) for line in stream]


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_reader_that_stops_holds_nobody_up_and_learns_how_much_it_missed(
    monkeypatch: pytest.MonkeyPatch, pipe: tuple[int, io.TextIOWrapper]
) -> None:
    monkeypatch.setattr("runner.serve.log_handlers.MOST_WAITING", 1000)
    reader, stream = pipe
    handler = configure(stream)
    logged = 3000
    for number in range(logged):
        log.info("call ended", extra={"call_id": f"rtc_{number}"})
    dropped = handler.dropped
    assert 0 < dropped < logged

    with ThreadPoolExecutor(1) as readers:
        reading = readers.submit(read_all, reader)
        handler.close()
        stream.close()
        seen = reading.result()
    notices = [line for line in seen if line["event"] == "log lines dropped"]
    assert {line["level"] for line in notices} == {"warning"}
    assert sum(line["count"] for line in notices) == dropped
    assert sum(line["event"] == "call ended" for line in seen) == logged - dropped


def test_without_a_thread_a_line_that_nobody_reads_is_dropped_and_counted(
    pipe: tuple[int, io.TextIOWrapper],
) -> None:
    reader, stream = pipe
    configure_without_thread(stream)
    filled = fcntl.fcntl(stream, fcntl.F_GETPIPE_SZ)
    os.write(stream.fileno(), b"x" * filled)
    log.info("first")
    log.info("second")
    while filled:
        filled -= len(os.read(reader, filled))
    log.info("third")
    log.info("fourth")
    configure(io.StringIO()).close()
    stream.close()
    assert [(line["event"], line.get("count")) for line in read_all(reader)] == [
        ("log lines dropped", 2),
        ("third", None),
        ("fourth", None),
    ]


def test_a_process_whose_log_nobody_reads_still_ends() -> None:
    program = """
import logging, sys
from runner.serve.logs import configure
configure(sys.stderr)
for number in range(5000):
    logging.getLogger("runner").info("call ended", extra={"call_id": str(number)})
print("done")
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.wait(timeout=PATIENCE_S) == 0
        assert process.stdout is not None
        assert process.stdout.read() == b"done\n"


def test_the_last_lines_of_a_process_are_written() -> None:
    program = """
import logging, sys
from runner.serve.logs import configure
configure(sys.stderr)
for number in range(300):
    logging.getLogger("runner").warning("webhook refused")
"""
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, capture_output=True, check=True, timeout=PATIENCE_S)
    told = [json.loads(line) for line in result.stderr.splitlines()]
    assert [line.get("repeated") for line in told] == [None] * MOST_ALIKE + [300 - MOST_ALIKE]


def test_a_reader_that_has_left_disturbs_nobody(pipe: tuple[int, io.TextIOWrapper]) -> None:
    reader, stream = pipe
    handler = configure(stream)
    devnull = os.open(os.devnull, os.O_RDONLY)
    os.dup2(devnull, reader)
    os.close(devnull)
    for number in range(100):
        log.info("call ended", extra={"call_id": f"rtc_{number}"})
    handler.close()
    assert handler.dropped == 0


def test_repeated_lines_are_folded_and_of_a_call_after_many_more() -> None:
    stream = io.StringIO()
    handler = configure(stream)
    for number in range(50):
        log.warning("webhook refused", extra={"reason": f"reason {number}"})
    for number in range(MOST_OF_A_CALL + 7):
        log.warning("tool failed", extra={"call_id": "rtc_1"})
        log.warning("tool failed", extra={"call_id": f"rtc_{number + 2}"})
    handler.close()
    refused = [line for line in lines(stream) if line["event"] == "webhook refused"]
    assert [line.get("reason") for line in refused[:-1]] == [f"reason {i}" for i in range(MOST_ALIKE)]
    assert refused[-1] == {
        "time": refused[-1]["time"],
        "level": "warning",
        "logger": log.name,
        "event": "webhook refused",
        "repeated": 50 - MOST_ALIKE,
    }
    failed = [line for line in lines(stream) if line["event"] == "tool failed"]
    of_first = [line for line in failed if line["call_id"] == "rtc_1"]
    assert [line.get("repeated") for line in of_first] == [None] * MOST_OF_A_CALL + [7]
    assert len(failed) == len(of_first) + MOST_OF_A_CALL + 7


async def test_lines_of_a_calls_own_task_are_not_folded() -> None:
    stream = io.StringIO()
    handler = configure(stream)
    name_call("rtc_1")
    for _ in range(2 * MOST_ALIKE):
        log.info("worked")
    handler.close()
    assert [line["call_id"] for line in lines(stream)] == ["rtc_1"] * (2 * MOST_ALIKE)


def test_what_was_folded_is_told_soon_though_nothing_else_is_logged(
    monkeypatch: pytest.MonkeyPatch, pipe: tuple[int, io.TextIOWrapper]
) -> None:
    reader, stream = pipe
    monkeypatch.setattr("runner.serve.log_handlers.Folding", lambda: Folding(window_s=1.0))
    monkeypatch.setattr("runner.serve.log_handlers.TICK_S", 0.01)
    configure(stream)
    many = 10 * MOST_ALIKE
    for _ in range(many):
        log.warning("webhook refused")
    told, lines = 0, 0
    with os.fdopen(os.dup(reader), "r") as readable:
        while told < many:
            told += json.loads(readable.readline()).get("repeated", 1)
            lines += 1
    assert lines < many


def test_a_value_whose_text_cannot_be_had_costs_its_own_line_only() -> None:
    class Unspeakable:
        def __str__(self) -> str:
            raise RuntimeError("no")

    stream = io.StringIO()
    handler = configure(stream)
    log.info("call ended", extra={"value": Unspeakable()})
    log.info("call ended")
    handler.close()
    assert [(line["event"], line.get("why")) for line in lines(stream)] == [
        ("log line cannot be written", "RuntimeError"),
        ("call ended", None),
    ]


WRITERS = """
import logging, os, sys, tempfile
from runner.serve import log_handlers
from runner.serve.logs import configure

log_handlers.FLUSH_S = 60.0
lock = tempfile.TemporaryFile()
for name in "ab":
    if not os.fork():
        handler = configure(sys.stderr, json=True, lock=lock.fileno())
        lock.close()  # as at the end of a process, before its last lines are written
        long = {"call_id": "rtc", **dict.fromkeys("uvwxyz", name * 1000)}
        for _ in range(100):
            logging.getLogger("runner").info("call ended", extra=long)
        handler.close()
        os._exit(0)
for _ in "ab":
    os.wait()
"""


def test_lines_of_processes_that_share_a_pipe_stay_whole() -> None:
    command = [sys.executable, "-c", WRITERS]
    result = subprocess.run(command, stderr=subprocess.PIPE, check=True, timeout=PATIENCE_S)
    written = result.stderr.splitlines()
    assert min(map(len, written)) > 4096
    writers = [set(json.loads(line)["z"]) for line in written]
    assert (writers.count({"a"}), writers.count({"b"})) == (100, 100)
