"""What is known of a call whose journal tells nothing: that which its claim says."""

from pathlib import Path

import pytest

from runner.config.version import ConfigurationVersion
from runner.model.call import Transport
from runner.model.live_call import CallState, HeldCall, Lease
from runner.model.settings import Configuration
from runner.serve.fleet import takeover
from runner.serve.fleet.takeover import Takeover
from runner.serve.metrics import Metrics
from runner.serve.secrets import FoundSecrets
from runner.serve.versions import Version, Versions
from runner.store.journal.seal import Seal
from runner.store.opening import open_store
from tests.call.machine.playing import an_agent

NOW = 1000.0
AGENT = 'agent: desk\nmodel: gpt-realtime\ninstructions: Help.\nroutes: [{to: "+18005551212"}]\n'


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


async def test_few_configurations_of_other_processes_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(takeover, "MOST_WORLDS", 2)
    configuration = Configuration(directory="agents", agents={"desk": an_agent()})
    secrets = FoundSecrets.fixed(api_key="sk", webhook_secrets=[], tools={})
    versions = Versions(Version.of(configuration, secrets, None), None, Metrics())
    texts = ConfigurationVersion(directory="agents", environment=None, texts={"agents/desk.yaml": AGENT})
    store = await open_store(f"sqlite:{tmp_path / 'calls.db'}")
    try:
        left = Takeover(store, Seal(lambda: ["whsec_x"]), versions, lambda: NOW)
        for used in ("a", "b", "a", "c"):
            await store.publish(Lease(runner="r", epoch=1), used, texts.encoded().decode())
            await left.journals([HeldCall(id="call_1", agent="desk", configuration=used, began_at=NOW)])
    finally:
        await store.close()
    assert list(left._worlds) == ["a", "c"]
