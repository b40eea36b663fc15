"""Has the voice API create the secret of a page that talks to the API itself."""

import logging

from runner.call.machine.machine import CallMachine
from runner.call.machine.world import World
from runner.model.call import Ringing
from runner.model.values import JsonObject
from runner.serve.api_client import ApiClient
from runner.serve.browser.refusal import RefusedError

log = logging.getLogger("runner.serve.browser.client_secret")


async def make_secret(client: ApiClient, ringing: Ringing, world: World) -> JsonObject:
    """The secret for the session that a call would begin with, and when it expires.

    `ringing` has an empty offer: a call without one would be answered already.

    The lookup is not called: the session gets its answer once the call is attached. Raises RefusedError.
    """
    _, answer = CallMachine.answer(ringing, world, ringing.created_at)
    if answer is None:
        raise RefusedError(502, "failed", "the call cannot be made")
    reply = await client.send(client.api.secret_request(answer))
    secret = client.api.secret_of(reply)
    if secret is None:
        log.warning(
            "client secret could not be created", extra={"status": reply.status, "detail": reply.detail}
        )
        raise RefusedError(503, "api_unavailable", "the voice API gave no secret")
    return secret
