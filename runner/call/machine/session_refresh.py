"""Updates the API's session after a person has changed it: its instructions, or who answers.

A change counts once the API has confirmed it, or has not refused it in time. Without a sideband it waits for
the next one, and during a hand-off for the end of that.
"""

from dataclasses import dataclass, field

from runner.call.machine.call_texts import CallTexts
from runner.call.machine.intent import Intent
from runner.call.machine.lead import Lead
from runner.call.machine.serving_agent import CONFIRMED_S, ServingAgent
from runner.call.machine.speech import Speech
from runner.call.records.deeds import Deeds
from runner.model.action import SetTimer, SwitchAgent, Timer, TimerKind
from runner.model.conversation_event import ApiError
from runner.model.steering import DeedResult
from runner.model.values import Instant

CONFIRMED = Timer(TimerKind.REFRESH)


@dataclass(slots=True, kw_only=True, eq=False)
class SessionRefresh:
    """The changes of one call's session that are not hand-offs."""

    serving: ServingAgent
    texts: CallTexts
    speech: Speech
    lead: Lead
    deeds: Deeds
    _count: int = field(default=0, init=False)
    _unconfirmed: SwitchAgent | None = field(default=None, init=False)
    _is_sent: bool = field(default=False, init=False)
    _waiting: list[str] = field(default_factory=list, init=False)
    """The acts that wait for confirmation."""

    def changed(self, now: Instant, deed_id: str | None = None) -> list[Intent]:
        """The session has changed; the act waits until the API knows."""
        if deed_id is not None:
            self._waiting.append(deed_id)
        self._count += 1
        self._is_sent = False
        agent = self.serving.agent
        self._unconfirmed = SwitchAgent(
            update_id=f"refresh_{self._count}",
            before=agent,
            agent=agent,
            instructions=self.texts.instructions,
            servers=self.serving.servers,
            with_voice=False,
            answers=self.lead.answers,
            is_refresh=True,
        )
        return self.tell_again(now)

    def tell_again(self, now: Instant) -> list[Intent]:
        """Send the unconfirmed change, for the first time or again."""
        if self._unconfirmed is None or self._has_to_wait:
            return []
        self._is_sent = True
        return [self._unconfirmed, SetTimer(timer=CONFIRMED, at=now + CONFIRMED_S)]

    def confirmed(self, update_id: str | None, now: Instant) -> list[Intent]:
        """The API reports the session in force."""
        if not self._is_about(update_id):
            return []
        self._unconfirmed = None
        self.serving.is_told()
        return self._settle(DeedResult.DONE, now)

    def not_refused(self, now: Instant) -> list[Intent]:
        """The API has not refused the change in time, if it was told."""
        return [] if self._has_to_wait else self._settle(DeedResult.DONE, now)

    def refused(self, error: ApiError, now: Instant) -> list[Intent]:
        """The API has refused something; ignored where that is not the unconfirmed change."""
        if not self._is_about(error.about):
            return []
        self._unconfirmed = None
        detail = f"the API refused it: {error.message}"
        return self._settle(DeedResult.FAILED, now, detail)

    def handed_off(self, now: Instant) -> list[Intent]:
        """A hand-off has succeeded or failed: renew the unconfirmed change."""
        return self.changed(now) if self._unconfirmed is not None else []

    @property
    def _has_to_wait(self) -> bool:
        """Whether the API cannot be told now."""
        return self.speech.is_closed or self.serving.pending is not None

    def _is_about(self, update_id: str | None) -> bool:
        """Whether this is the change that awaits confirmation, and was sent."""
        return self._unconfirmed is not None and self._is_sent and self._unconfirmed.update_id == update_id

    def _settle(self, result: DeedResult, now: Instant, detail: str = "") -> list[Intent]:
        for deed_id in self._waiting:
            self.deeds.settle(deed_id, result, now, detail)
        self._waiting.clear()
        return []
