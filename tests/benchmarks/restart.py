"""A restart with many live calls: `python -m tests.benchmarks.restart --calls 4000 --events 148`.

A store is filled with calls as a runner that was killed leaves them, each with a journal of so many events.
Then a runner is started on it, and it is measured after what time it has a sideband to the first call, to
half of them and to all, and when it is ready. Prints a table in Markdown.

With `--beside`, the runner of another version, in a directory of its own, is measured as well, in turns.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp

from runner.api.realtime import api as realtime
from runner.call.examples.example_call import sip_headers
from runner.model.call import Ringing, SipOrigin
from runner.model.conversation_event import Ignored
from runner.model.entry import Entry, Lived
from runner.model.event import AnswerReplied, ClaimReplied, Decided, SidebandOpened
from runner.model.live_call import CallState, ClaimLimits, HeldCall, Lease, RunnerInfo
from runner.serve.metrics import Metrics
from runner.serve.versions import DirectorySource, Versions
from runner.store.journal.entries import encode
from runner.store.journal.seal import JournalKey, Seal
from runner.store.journal.sealed import SealedEntries
from runner.store.opening import open_store
from runner.store.store import Store
from tests.benchmarks.live_calls import SECRET, Process
from tests.benchmarks.talking_api import frames
from tests.benchmarks.under_load import AGENT, RUNNER
from tests.store.postgresql.server import PostgresqlServer

ENVIRON = {"OPENAI_API_KEY": "key", "OPENAI_WEBHOOK_SECRET": SECRET}
EVENT_S = 0.25
BATCH = 1000
"""Pieces that the lost runner has written together."""
LEASE_S = 1.0
"""Of the lost runner."""
LOOK_S = 0.05
COLUMNS = ("calls", "events each", "", "first attached", "half", "all", "ready", "CPU until then")


def main() -> int:
    """Print the table, a line as soon as it is measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.restart")
    parser.add_argument("--calls", type=int, default=4000)
    parser.add_argument("--events", type=int, default=148, help="in each call's journal (default: 148)")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--store", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--beside", metavar="DIRECTORY", help="another version, to compare with")
    options = parser.parse_args()
    print(f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}", flush=True)
    with ExitStack() as stack:
        server = None
        if options.store == "postgresql":
            server = PostgresqlServer()
            stack.callback(server.delete)
        for _ in range(options.rounds):
            for name, directory in (("beside", options.beside), ("ours", None)):
                if name == "ours" or directory is not None:
                    times = asyncio.run(_restarted(options.calls, options.events, directory, server))
                    cells = (str(options.calls), str(options.events), name, *times)
                    print(f"| {' | '.join(cells)} |", flush=True)
    return 0


async def _restarted(
    calls: int, events: int, directory: str | None, server: PostgresqlServer | None
) -> tuple[str, ...]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        api = Process(stack, ["-m", "tests.benchmarks.crowd_api"])
        agents = folder / "agents"
        agents.mkdir()
        url = f"sqlite:{folder}/calls.db" if server is None else server.new_database()
        (agents / "runner.yaml").write_text(RUNNER.format(base_url=f"{api.url}/v1", store=url, admin=""))
        (agents / "desk.yaml").write_text(AGENT.format(tools="http://127.0.0.1:9"))
        await _leave(url, agents, calls, events)
        if server is not None:
            await asyncio.sleep(LEASE_S)
        began = time.monotonic()
        attached: list[float] = []
        async with aiohttp.ClientSession() as session:
            watching = asyncio.create_task(_watch(session, api.url, attached, calls))
            command = ["-m", "runner", "run", str(agents), "--log-level", "warning"]
            starting = asyncio.create_task(
                asyncio.to_thread(Process, stack, command, ENVIRON, directory=directory)
            )
            ours = await starting
            ready_s = time.monotonic() - began
            cpu_s = ours.cpu_s
            await watching
        first, half, last = (attached[place] - began for place in (0, calls // 2, calls - 1))
        return *(f"{seconds:.1f} s" for seconds in (first, half, last, ready_s)), f"{cpu_s:.1f} s"


async def _watch(session: aiohttp.ClientSession, api: str, attached: list[float], calls: int) -> None:
    """Note when each sideband was opened."""
    while len(attached) < calls:
        async with session.get(f"{api}/counts") as response:
            count = (await response.json(content_type=None))[0]
        attached += [time.monotonic()] * (count - len(attached))
        await asyncio.sleep(LOOK_S)


async def _leave(url: str, agents: Path, calls: int, events: int) -> None:
    """Fill the store with calls whose runner is lost."""
    source = DirectorySource(agents, None, ENVIRON)
    current = Versions(source.read(), source, Metrics()).current.source
    store = await open_store(url)
    try:
        runner = RunnerInfo(id="lost", version="0", configuration=current.hash)
        lease = await store.join(runner, 600.0)
        await store.publish(lease, current.hash, current.encoded().decode())
        began = time.time() - events * EVENT_S
        journals = [_Journal(f"call_{number}", began) for number in range(calls)]
        ringing = HeldCall(
            id="", agent="desk", configuration=current.hash, began_at=began, state=CallState.RINGING
        )
        for journal in journals:
            call = replace(ringing, id=journal.call_id)
            claim = await store.claim(lease, call, ClaimLimits(), journal.next(journal.ringing))
            assert claim.ours is not None
        await _write(store, lease, journals, events)
        for journal in journals:
            await store.set_state(lease, replace(ringing, id=journal.call_id, state=CallState.ANSWERED))
        await store.hand_over(lease, [journal.call_id for journal in journals])
    finally:
        await store.close()


async def _write(store: Store, lease: Lease, journals: Sequence["_Journal"], events: int) -> None:
    lived = _lived()
    for _ in range(events - 1):
        event = next(lived)
        pieces = [journal.next(event) for journal in journals]
        for place in range(0, len(pieces), BATCH):
            await store.append(lease, pieces[place : place + BATCH])


class _Journal:
    """The journal of one call, as it is written."""

    def __init__(self, call_id: str, began: float) -> None:
        self.call_id = call_id
        headers = sip_headers(caller="+14155550100", called="+18005551212", call_id=call_id)
        self.ringing = Ringing(
            call_id=call_id,
            created_at=began,
            origin=SipOrigin(headers=headers),
        )
        self._began = began
        self._key = JournalKey()
        self._seq = 0

    def next(self, event: Lived) -> SealedEntries:
        """The next piece: one entry."""
        seq = self._seq
        self._seq += 1
        text = encode([Entry(seq, self._began + seq * EVENT_S, event)])
        if seq:
            sealed = _SEAL.seal_more(self._key, text, self.call_id, seq)
        else:
            sealed = _SEAL.seal(self._key, text, self.call_id)
        return SealedEntries(self.call_id, seq, sealed)


_SEAL = Seal(lambda: [SECRET])


def _lived() -> Iterator[Lived]:
    """What a call lives through that is answered and then talks."""
    yield ClaimReplied(agent="desk")
    yield AnswerReplied(decided=Decided.DONE)
    yield SidebandOpened()
    conversation = realtime.conversation("call")
    number = 0
    while True:
        for frame in frames(number):
            for event in conversation.read(frame.encode(), follow_words=False) or ():
                if not isinstance(event, Ignored):
                    yield event
        number += 1


if __name__ == "__main__":
    sys.exit(main())
