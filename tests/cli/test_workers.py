"""Several runners under one process: it starts others for those that die, and ends as they end."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from runner.cli.workers import reserve
from runner.errors import CannotRunError
from tests.patience import PATIENCE_S

SCRIPT = """
import fcntl, os, select, signal, sys, tempfile
from runner.cli import workers
from runner.serve import logs
workers.RESTART_S = (0.0,)

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def serve(place):
    stop = []
    if MODE == "hung up on early":
        os.kill(os.getpid(), signal.SIGHUP)
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    signal.signal(signal.SIGHUP, lambda *_: say("hangs up", place.number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, workers.RELOADS)
    if MODE == "cannot start":
        raise SystemExit(3)
    if MODE == "nobody reads the log":
        fcntl.lockf(lock, fcntl.LOCK_EX if place.number == 0 else fcntl.LOCK_UN)
    place.ready()
    say("serves", place.number, place.name, place.dead, os.getpid())
    while not stop:
        try:
            if select.select([place.alone], [], [], 0.05)[0]:
                say("is alone", place.number)
                return 0
        except InterruptedError:
            pass
    return 5 if MODE == "fails at the end" and place.number else 0

MODE = sys.argv[1]
lock = tempfile.TemporaryFile()
logs.configure_without_thread(sys.stderr, lock=lock.fileno())
code = workers.Workers(2, serve, lambda: say("all are ready")).run()
say("ends with", code)
sys.exit(code)
"""


class Kept:
    """The process that looks after two runners, and what they say."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.pids: dict[int, int] = {}
        self.names: dict[int, str] = {}
        self.dead: dict[int, str] = {}

    def said(self, *expected: str) -> None:
        """Read until each of these has been said; runners do not wait for each other."""
        open_ones = list(expected)
        assert self.process.stdout is not None
        while open_ones:
            line = self.process.stdout.readline()
            assert line, open_ones
            words = line.split()
            if words[0] == "serves":
                number = int(words[1])
                self.pids[number] = int(words.pop())
                self.dead[number], self.names[number] = words.pop(), words.pop()
            if " ".join(words) in open_ones:
                open_ones.remove(" ".join(words))


@contextmanager
def kept(mode: str = "") -> Iterator[Kept]:
    command = [sys.executable, "-c", SCRIPT, mode]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield Kept(process)
        finally:
            process.kill()


READY = ("serves 0", "serves 1", "all are ready")


def test_a_runner_that_dies_is_started_again_and_all_end_together() -> None:
    with kept() as workers:
        workers.said(*READY)
        assert workers.dead == {0: "None", 1: "None"}
        names = dict(workers.names)
        os.kill(workers.pids[1], signal.SIGKILL)
        workers.said("serves 1")
        # It knows whose calls need not wait, and has a name of its own.
        assert workers.dead[1] == names[1]
        assert len({*names.values(), workers.names[1]}) == 3
        workers.process.send_signal(signal.SIGHUP)
        workers.said("hangs up 0", "hangs up 1")
        workers.process.send_signal(signal.SIGTERM)
        workers.said("ends with 0")
        assert workers.process.wait(PATIENCE_S) == 0
        assert workers.process.stderr is not None
        assert "worker has died" in workers.process.stderr.read()


def test_a_reload_that_is_asked_for_while_a_runner_starts_waits_for_it() -> None:
    with kept("hung up on early") as workers:
        workers.said(*READY, "hangs up 0", "hangs up 1")
        workers.process.send_signal(signal.SIGTERM)
        workers.said("ends with 0")


def test_a_runner_that_waits_for_a_reader_of_the_log_keeps_no_other_from_being_started_again() -> None:
    with kept("nobody reads the log") as workers:
        workers.said(*READY)
        os.kill(workers.pids[1], signal.SIGKILL)
        workers.said("serves 1")
        workers.process.send_signal(signal.SIGTERM)
        workers.said("ends with 0")


def test_the_exit_code_is_that_of_a_runner_that_has_failed() -> None:
    with kept("fails at the end") as workers:
        workers.said(*READY)
        workers.process.send_signal(signal.SIGINT)
        # SIGINT kills one that does not listen to it: 128 and its number.
        workers.said("ends with 130")


def test_runners_that_cannot_start_are_not_started_again() -> None:
    with kept("cannot start") as workers:
        workers.said("ends with 3")


def test_runners_end_that_nobody_looks_after_any_more() -> None:
    with kept() as workers:
        workers.said(*READY)
        workers.process.kill()
        workers.said("is alone 0", "is alone 1")


def test_a_port_at_which_others_listen_is_not_shared_with_them() -> None:
    with reserve("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        first.listen()
        with pytest.raises(CannotRunError) as raised:
            reserve("127.0.0.1", port)
    assert str(raised.value) == (
        f'"127.0.0.1" port {port} cannot be opened: address already in use;'
        " choose another with --host and --port"
    )
