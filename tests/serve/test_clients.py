"""The clients of a runner, as it opens them."""

from contextlib import AsyncExitStack

from runner.model.action import HangUp
from runner.model.event import CallGone
from runner.model.settings import Provider, Settings
from runner.serve.clients import Clients
from runner.serve.descriptors import DescriptorShares
from runner.serve.metrics import Metrics
from runner.serve.process import Process
from runner.serve.readiness import Readiness
from runner.serve.secrets import find_secrets
from runner.serve.timeouts import Timeouts
from tests.clock import NOW
from tests.serve.bodies_after_204 import BodiesAfter204

ENVIRONMENT = {"OPENAI_API_KEY": "sk-test", "OPENAI_WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}


async def open_clients(base_url: str, owner: AsyncExitStack, timeouts: Timeouts) -> Clients:
    """The clients of a runner whose API is there."""
    settings = Settings(provider=Provider(base_url=base_url))
    process = Process(
        owner=owner,
        metrics=Metrics(),
        timeouts=timeouts,
        clock=lambda: NOW,
        shares=DescriptorShares.of(64),
        readiness=Readiness(1),
    )
    secrets = find_secrets(settings, ENVIRONMENT)
    return await Clients.open(process, settings, secrets, new_connector=None, tracing=None)


async def test_a_body_where_the_api_may_send_none_does_not_undo_what_it_did() -> None:
    async with BodiesAfter204.served() as api, AsyncExitStack() as owner:
        clients = await open_clients(api.base_url, owner, Timeouts(hangup_s=2.0, retry_s=0.001))
        assert await clients.api.carry_out(HangUp(), "rtc_1") == CallGone()
    assert api.asked == 1
