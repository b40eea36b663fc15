"""Has the voice API create the secret of a page that talks to the API itself."""

import logging

from runner.call.machine.machine import CallMachine
from runner.call.machine.world import World
from runner.model.action import AnswerCall
from runner.model.call import Ringing, WebRtcOrigin
from runner.model.values import JsonObject
from runner.serve.api_client import ApiClient
from runner.serve.browser.refusal import RefusedError

log = logging.getLogger("runner.serve.browser.client_secret")


class SecretMaker:
    """Creates secrets for the sessions of agents."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    async def __call__(self, ringing: Ringing, world: World) -> JsonObject:
        """The secret, for the session that a call would begin with. Raises RefusedError.

        The lookup is not called: the session gets its answer once the call is attached.
        """
        answer = _answer(ringing, world)
        if answer is None:
            raise RefusedError(502, "failed", "the call cannot be made")
        api = self._client.api
        reply = await self._client.send(api.secret_request(answer))
        secret = api.secret_of(reply)
        if secret is None:
            log.warning(
                "client secret could not be created", extra={"status": reply.status, "detail": reply.detail}
            )
            raise RefusedError(503, "api_unavailable", "the voice API gave no secret")
        return secret


def _answer(ringing: Ringing, world: World) -> AnswerCall | None:
    """The machine's answer to such a call."""
    origin = ringing.origin
    assert isinstance(origin, WebRtcOrigin)  # noqa: S101 - pages ask for secrets
    offered = Ringing(
        call_id=ringing.call_id,
        created_at=ringing.created_at,
        origin=WebRtcOrigin(subject=origin.subject, agent=origin.agent, vars=origin.vars, offer=""),
    )
    return CallMachine.answer(offered, world, ringing.created_at)[1]
