"""The start of one process among the runners of its store."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from runner.errors import StoreError
from runner.model.live_call import Lease
from runner.model.settings import Configuration
from runner.serve.fleet import service as fleet_service
from runner.serve.fleet.service import FleetService
from runner.serve.live_calls import LiveCalls
from runner.serve.metrics import Metrics
from runner.serve.secrets import FoundSecrets
from runner.serve.timeouts import Timeouts
from runner.serve.versions import Version, Versions
from runner.store.journal.piece_spool import PieceSpool
from runner.store.journal.seal import Seal
from runner.store.journal.sealed import HeldPiece, SealedEntries
from tests.call.machine.playing import an_agent
from tests.patience import PATIENCE_S
from tests.serve.fleet.shelf import CALL, Shelf

NOW = 1000.0


class Store(Shelf):
    """One that says when the lease was renewed, and keeps what is appended late."""

    def __init__(self) -> None:
        super().__init__()
        self.renewed = asyncio.Semaphore(0)
        self.appended: list[SealedEntries] = []

    async def renew(self, lease: Lease) -> bool:
        self.renewed.release()
        return await super().renew(lease)

    async def publish(self, lease: Lease, configuration: str, texts: str) -> None:
        """Nobody reads it."""

    async def configuration(self, configuration: str) -> str | None:
        return None

    async def journals(self, call_ids: Any) -> dict[str, Any]:
        return {}

    async def append_late(self, pieces: Sequence[HeldPiece], *, were_lost: bool = False) -> set[str]:
        self._ask("append late")
        self.appended += [held.piece for held in pieces]
        return set()


def service(store: Any, spool: PieceSpool | None = None) -> FleetService:
    configuration = Configuration(directory="agents", agents={"desk": an_agent()})
    secrets = FoundSecrets.fixed(api_key="sk", webhook_secrets=["whsec_x"], tools={})
    metrics, timeouts = Metrics(), Timeouts()
    return FleetService(
        store,
        Seal(lambda: ["whsec_x"]),
        Versions(Version.of(configuration, secrets, None), None, metrics),
        LiveCalls(saver=store, metrics=metrics, timeouts=timeouts),
        metrics,
        version="1",
        clock=lambda: NOW,
        lease_s=PATIENCE_S,
        heartbeat_s=0.004,
        spool=spool,
    )


async def test_the_lease_is_renewed_while_the_first_calls_are_taken_over() -> None:
    store = Store()
    store.orphans = [CALL]
    taken: list[str] = []

    async def taking() -> None:
        async with asyncio.timeout(PATIENCE_S):
            for _ in range(3):
                await store.renewed.acquire()

    store.while_taking_over = taking
    fleet = service(store)
    await fleet.start(lambda left, _: taken.append(left.ringing.call_id))
    assert taken == ["rtc_1"]
    await fleet.close()
    assert store.asked[-1] == "leave"


async def test_what_a_runner_beside_this_one_leaves_is_written_also_after_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_service, "ADOPT_S", 0.001)
    store, path = Store(), tmp_path / "calls.journal"
    fleet = service(store, PieceSpool(path))
    await fleet.start(lambda left, _: None)
    piece = SealedEntries(CALL.id, 3, b"sealed")
    store.trouble = StoreError("no answer")
    beside = PieceSpool(path)
    assert await beside.append([HeldPiece(piece=piece, call=CALL)]) == 1
    await beside.close()
    async with asyncio.timeout(PATIENCE_S):
        while "append late" not in store.asked:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.001)
        store.trouble = None
        while path.exists():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.001)
    assert store.appended == [piece]
    assert not [trouble for trouble in fleet.troubles if "adopting" in trouble]
    await fleet.close()


async def test_a_start_that_is_cancelled_while_calls_are_taken_over_gives_the_lease_up() -> None:
    store = Store()
    is_taking = asyncio.Event()

    async def taking() -> None:
        is_taking.set()
        await asyncio.Future()

    store.while_taking_over = taking
    starting = asyncio.create_task(service(store).start(lambda left, hold: None))
    await is_taking.wait()
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert store.asked[-1] == "leave"
