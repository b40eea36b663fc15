"""What is known of a call whose journal tells nothing: that which its claim says."""

import gc
from pathlib import Path

import pytest

from runner.call.machine.world import World
from runner.config.version import ConfigurationVersion
from runner.model.call import Transport
from runner.model.live_call import CallState, HeldCall, Lease
from runner.model.settings import Configuration
from runner.serve.fleet import kept_worlds
from runner.serve.fleet.kept_worlds import MOST_WORLD_BYTES, KeptWorlds
from runner.serve.fleet.takeover import Takeover
from runner.serve.metrics import Metrics
from runner.serve.secrets import FoundSecrets
from runner.serve.versions import Version, Versions
from runner.store.journal.seal import Seal
from runner.store.opening import open_store
from tests.call.machine.playing import an_agent

NOW = 1000.0
AGENT = 'agent: desk\nmodel: gpt-realtime\ninstructions: Help.\nroutes: [{to: "+18005551212"}]\n'


TEXTS = ConfigurationVersion(directory="agents", environment=None, texts={"agents/desk.yaml": AGENT})


@pytest.mark.parametrize(
    ("api_call_id", "transport", "reached_as"),
    [(None, Transport.SIP, "call_1"), ("rtc_9", Transport.WEBRTC, "rtc_9")],
)
async def test_a_call_without_its_journal_is_reached_all_the_same(
    tmp_path: Path, api_call_id: str | None, transport: Transport, reached_as: str
) -> None:
    configuration = Configuration(directory="agents", agents={"desk": an_agent()})
    secrets = FoundSecrets.fixed(api_key="sk", webhook_secrets=[], tools={})
    versions = Versions(Version.of(configuration, secrets, None), None, Metrics())
    store = await open_store(f"sqlite:{tmp_path / 'calls.db'}")
    try:
        call = HeldCall(
            id="call_1",
            agent="desk",
            configuration=versions.current.source.hash,
            began_at=NOW,
            state=CallState.ANSWERED,
            api_call_id=api_call_id,
        )
        left = Takeover(store, Seal(lambda: ["whsec_x"]), versions, lambda: NOW).restore(call, ())
    finally:
        await store.close()
    assert left is not None
    assert left.journal is None
    assert left.machine.call.transport is transport
    assert left.machine.reception.api_call_id == reached_as


@pytest.mark.parametrize(
    ("bound", "value"),
    [("MOST_WORLDS", 2), ("MOST_WORLD_BYTES", 2 * len(TEXTS.encoded()))],
    ids=["number", "size"],
)
async def test_few_configurations_of_other_processes_are_kept_and_all_that_calls_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, value: int
) -> None:
    monkeypatch.setattr(kept_worlds, bound, value)
    configuration = Configuration(directory="agents", agents={"desk": an_agent()})
    secrets = FoundSecrets.fixed(api_key="sk", webhook_secrets=[], tools={})
    versions = Versions(Version.of(configuration, secrets, None), None, Metrics())
    store = await open_store(f"sqlite:{tmp_path / 'calls.db'}")
    seal = Seal(lambda: ["whsec_x"])
    left = Takeover(store, seal, versions, lambda: NOW)

    def call(used: str) -> HeldCall:
        return HeldCall(id=f"call_{used}", agent="desk", configuration=used, began_at=NOW)

    try:
        for used in "abcdef":
            await store.publish(Lease(runner="r", epoch=1), used, TEXTS.encoded().decode())
        for used in "abac":
            await left.journals([call(used)])
        assert left._worlds.kept == ("a", "c")
        # More than are kept are taken up together.
        batch = await left.journals([call(used) for used in "bdef"])
        assert len(left._worlds.kept) == 2
        assert all(left._worlds.get(used) is not None for used in "bdef")
        del batch
        gc.collect()
        assert [used for used in "bdef" if left._worlds.get(used) is not None] == sorted(left._worlds.kept)
    finally:
        await store.close()


async def test_a_configuration_that_is_larger_than_all_that_are_kept_is_loaded_once() -> None:
    kept = KeptWorlds()
    world = World.of(Configuration(directory="agents", agents={"desk": an_agent()}), {})
    kept.keep("small", world, 1)
    kept.keep("large", world, MOST_WORLD_BYTES + 1)
    assert kept.kept == ("large",)
    kept.keep("next", world, 1)
    assert kept.kept == ("next",)
