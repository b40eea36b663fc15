"""Answers verified webhooks: a call that rings is served from then on. Decides nothing."""

from collections.abc import Callable

from runner.call.reception.webhook import WebhookEvent
from runner.model.call import Ringing, SipOrigin
from runner.serve.live_call import LiveCall
from runner.serve.live_calls import LiveCalls
from runner.serve.logs import name_call
from runner.serve.result import WebhookResult


class CallAnswerer:
    """Answers the calls that webhooks announce."""

    def __init__(
        self,
        *,
        live_calls: LiveCalls,
        new_call: Callable[[Ringing], LiveCall],
        is_open: Callable[[], bool],
    ) -> None:
        self._live_calls = live_calls
        self._new_call = new_call
        self._is_open = is_open

    async def answer(self, event: WebhookEvent) -> WebhookResult:
        """Do what has to be done about a verified event. It has been done when this returns.

        Wants a task of its own: from here on every line that the task logs names the call.
        """
        if event.call_id is None:
            return WebhookResult.OTHER_EVENT
        name_call(event.call_id)
        if not self._is_open():
            return WebhookResult.CLOSED
        origin = SipOrigin(headers=event.sip_headers)
        call = self._new_call(Ringing(call_id=event.call_id, created_at=event.created_at, origin=origin))
        self._live_calls.serve(call)
        result = await call.ring_result()
        return WebhookResult(result.value)
