"""A stream of one call that another runner serves, as long as that runner does not answer."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import pytest

from runner.model.settings import May
from runner.model.stored_call import StoredCall
from runner.serve.admin import streams
from runner.serve.admin.access import Identity
from runner.serve.admin.followed import FollowedCalls
from runner.serve.admin.peers import AdminPeers, PeerError, ServingRunner, StreamEvent
from runner.serve.admin.streams import FeedReader, Streams
from runner.serve.live_calls import LiveCalls
from runner.serve.metrics import Metrics
from runner.serve.timeouts import Timeouts
from runner.store.store import RecordStore
from tests.clock import clock
from tests.patience import PATIENCE_S

READER = FeedReader(
    identity=Identity(by="lead", may=May.WATCH),
    headers={},
    is_forwarded=False,
    last_event_id=None,
    may_still=lambda: True,
    is_there=lambda: True,
)


class LostPeers(AdminPeers):
    """The call has these owners, one at each look, and none of them answers."""

    def __init__(self, *owners: str) -> None:
        self.left = list(owners)
        self.events: list[StreamEvent] = []

    async def owner(self, call_id: str) -> ServingRunner | None:
        return ServingRunner(runner=self.left.pop(0), address="http://127.0.0.1:1") if self.left else None

    async def follow(
        self, address: str, headers: Mapping[str, str], query: Mapping[str, str]
    ) -> AsyncIterator[StreamEvent]:
        for event in self.events:
            yield event
        raise PeerError("cannot be reached")


class OneRecord:
    """The call is over once nobody has it."""

    async def read(self, call_id: str) -> StoredCall:
        return StoredCall(record={"ended": "lost"}, outcome=None, jobs=())


async def follow(*owners: str) -> list[str]:
    """The events of a follower of a call with these owners."""
    sent: list[str] = []

    async def send(name: str, data: str, event_id: str) -> None:
        sent.append(name)

    saver: Any = None
    calls = LiveCalls(saver=saver, metrics=Metrics(), timeouts=Timeouts())
    served = Streams(
        followed=FollowedCalls(calls, "host-1", clock),
        peers=LostPeers(*owners),
        records=cast(RecordStore, OneRecord()),
        agents=list,
        clock=clock,
    )
    async with asyncio.timeout(PATIENCE_S):
        await served.one_call("rtc_1", READER, send)
    return sent


async def test_a_runner_that_does_not_answer_is_logged_once_for_each_follower(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is asked again until its calls are taken over, four times a second."""
    monkeypatch.setattr(streams, "AGAIN_S", 0.0)
    caplog.set_level(logging.INFO, "runner.serve.admin")
    first = await follow(*["host-2"] * 5, *["host-3"] * 5)
    assert first == ["ended"]
    told = [(line.getMessage(), line.__dict__["runner"], line.__dict__["reason"]) for line in caplog.records]
    ended = "stream of another runner has ended"
    assert told == [(ended, "host-2", "cannot be reached"), (ended, "host-3", "cannot be reached")]
    assert await follow("host-3", "host-3") == ["ended"]
    assert len(caplog.records) == 3
