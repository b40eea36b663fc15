"""Runs several runners on one port, each a process of its own, and supervises them.

The supervisor starts another runner for one that dies, passes signals on, and ends when all have ended. It
serves nothing itself and has no threads, so it notices whatever happens to a runner. The kernel spreads
connections over the runners (SO_REUSEPORT); they know each other by their store.
"""

import logging
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn, TypeAlias
from uuid import uuid4

from runner.errors import CannotRunError

log = logging.getLogger("runner.cli.workers")

RESTART_S = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Waits before a runner is restarted, by the number of its deaths in quick succession."""
STEADY_S = 60.0
"""A runner that has lived this long counts as new."""
PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
READY = b"r"
STOPS = (signal.SIGTERM, signal.SIGINT)
RELOADS = (signal.SIGHUP,)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPlace:
    """What a runner gets from its supervisor."""

    number: int
    """From 0 on; a restarted runner has the number of the one before."""
    name: str
    """Of this runner among all that share the store."""
    dead: str | None
    """The name of the runner that had this number, and is certain to be dead."""
    ready: Callable[[], None]
    """To be called once calls are answered."""
    alone: int
    """A file descriptor that can be read once the supervisor is gone."""


Serve: TypeAlias = Callable[[WorkerPlace], int]
"""Serves until it is told to stop; returns the exit code."""


@dataclass(slots=True)
class _Worker:
    number: int
    name: str
    pid: int
    pipe: int
    """Where it reports that it is ready; at its end when it is dead."""
    started_at: float
    is_ready: bool = False
    has_reported: bool = False
    """Whether nothing more comes through the pipe."""


def reserve(host: str, port: int) -> socket.socket:
    """A port for our processes to listen at, reserved while the socket is open.

    Raises CannotRunError when another program listens there, or another `phone-agents run`.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family) as alone:
            # Without sharing: where another `run` listens already, ours do not join it.
            alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            alone.bind(address)
            bound_address = alone.getsockname()
        with ExitStack() as stack:
            shared = stack.enter_context(socket.socket(family))
            shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            shared.bind(bound_address)
            stack.pop_all()
    except socket.gaierror as error:
        raise CannotRunError(f'host "{host}" cannot be resolved; write an address of this machine') from error
    except OSError as error:
        raise CannotRunError(
            f'"{host}" port {port} cannot be opened: {(error.strerror or str(error)).lower()};'
            " choose another with --host and --port"
        ) from error
    return shared


class Workers:
    """`run` them once."""

    def __init__(self, count: int, serve: Serve, on_ready: Callable[[], None]) -> None:
        """`on_ready` is called once all are ready for the first time."""
        self._serve = serve
        self._on_ready = on_ready
        self._count = count
        self._workers: dict[int, _Worker] = {}
        self._deaths = [0] * count
        self._dead: dict[int, str] = {}
        """The name of the last one that died of each number."""
        self._due: dict[int, float] = {}
        """When each number is restarted."""
        self._signals: list[int] = []
        """Those that have come and are not passed on yet."""
        self._is_stopping = False
        self._were_ready = False
        self._code = 0
        self._alive, self._alone = -1, -1
        self._stack = ExitStack()

    def run(self) -> int:
        """Serve until all have ended; returns the exit code of the first runner that has failed, or 0.

        In the runners' own processes it raises SystemExit, and whatever `serve` raises.
        """
        with self._stack as stack:
            self._alone, self._alive = os.pipe()
            woken, wakes = os.pipe()
            for descriptor in (woken, wakes):
                os.set_blocking(descriptor, False)
            for descriptor in (self._alone, self._alive, woken, wakes):
                stack.callback(_close, descriptor)
            stack.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(wakes, warn_on_full_buffer=False))
            for each in (*PASSED_ON, signal.SIGCHLD):
                stack.callback(signal.signal, each, signal.signal(each, self._note_signal))
            for number in range(self._count):
                self._start(number)
            while self._workers or (self._due and not self._is_stopping):
                self._wait(woken)
                self._pass_on()
                self._bury()
                self._start_again()
        return self._code

    def _note_signal(self, number: int, _: FrameType | None) -> None:
        self._signals.append(number)

    def _wait(self, woken: int) -> None:
        unready = {worker.pipe: worker for worker in self._workers.values() if not worker.has_reported}
        longest_s = min((at - time.monotonic() for at in self._due.values()), default=3600.0)
        readable, _, _ = select.select([woken, *unready], [], [], max(longest_s, 0.0))
        for descriptor in readable:
            if descriptor == woken:
                os.read(woken, 4096)
            else:
                self._read_report(unready[descriptor])
        ready = sum(worker.is_ready for worker in self._workers.values())
        if ready == self._count and not self._were_ready:
            self._were_ready = True
            self._on_ready()

    def _read_report(self, worker: _Worker) -> None:
        worker.is_ready = worker.is_ready or os.read(worker.pipe, 1) == READY
        worker.has_reported = True

    def _pass_on(self) -> None:
        signals, self._signals = self._signals, []
        for number in signals:
            if number in STOPS:
                self._is_stopping = True
            if number in PASSED_ON:
                self._signal(number)

    def _signal(self, number: int) -> None:
        for worker in self._workers.values():
            os.kill(worker.pid, number)

    # Start and end

    def _start(self, number: int) -> None:
        readable, writable = os.pipe()
        name = f"{socket.gethostname()}-{number}-{uuid4().hex[:8]}"
        # A signal that comes before the new process has its own handlers waits for them.
        signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
        pid = os.fork()
        if not pid:
            self._become(number, name, readable, writable)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
        os.close(writable)
        self._workers[pid] = _Worker(
            number=number, name=name, pid=pid, pipe=readable, started_at=time.monotonic()
        )

    def _become(self, number: int, name: str, readable: int, writable: int) -> NoReturn:
        """This is the new process, which undoes none of the parent's state when it ends."""
        self._stack.pop_all()
        # A terminal's signals go to the supervisor, which passes them on: once.
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        for each in (*PASSED_ON, signal.SIGCHLD):
            signal.signal(each, signal.SIG_DFL)
        # SIGHUP still waits: the runner unblocks it once it can reload.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
        _close(readable)
        _close(self._alive)
        for worker in self._workers.values():
            _close(worker.pipe)
        place = WorkerPlace(
            number=number,
            name=name,
            dead=self._dead.get(number),
            ready=lambda: _say(writable),
            alone=self._alone,
        )
        raise SystemExit(self._serve(place))

    def _bury(self) -> None:
        while self._workers:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            if (worker := self._workers.pop(pid, None)) is not None:
                self._died(worker, os.waitstatus_to_exitcode(status))

    def _died(self, worker: _Worker, code: int) -> None:
        if not worker.has_reported:
            self._read_report(worker)
        _close(worker.pipe)
        if self._is_stopping:
            self._code = self._code or _exit_code(code)
            return
        if not worker.is_ready and not self._were_ready:
            # It cannot even start, and has said why; nor could the next one.
            self._is_stopping = True
            self._code = _exit_code(code)
            self._signal(signal.SIGTERM)
            return
        # While the store is away several fail one after the other. The calls of the first wait for the end of
        # its lease: until then another process may have in hand what it could not write.
        self._dead[worker.number] = worker.name
        lived_s = time.monotonic() - worker.started_at
        deaths = 0 if lived_s >= STEADY_S else self._deaths[worker.number]
        self._deaths[worker.number] = deaths + 1
        wait_s = RESTART_S[min(deaths, len(RESTART_S) - 1)]
        self._due[worker.number] = time.monotonic() + wait_s
        fields = {"worker": worker.number, "pid": worker.pid, "code": code, "again_in_s": wait_s}
        log.error("worker has died", extra=fields)

    def _start_again(self) -> None:
        if self._is_stopping:
            self._due.clear()
        now = time.monotonic()
        for number in [number for number, at in self._due.items() if at <= now]:
            del self._due[number]
            self._start(number)


def _exit_code(code: int) -> int:
    """As a shell reports it: 128 and the signal that has killed a process."""
    return code if code >= 0 else 128 - code


def _say(writable: int) -> None:
    os.write(writable, READY)
    os.close(writable)


def _close(descriptor: int) -> None:
    with suppress(OSError):
        os.close(descriptor)
