"""Keeps the acts of people on one call, with their results. Each act once, by its id."""

from dataclasses import replace

from runner.model.event import Steered
from runner.model.record import Deed
from runner.model.steering import DeedResult, act_fields
from runner.model.values import Instant, JsonObject


class Deeds:
    """The acts of people on one call, in order of arrival."""

    __slots__ = ("_deeds", "_renewals")

    def __init__(self) -> None:
        self._deeds: dict[str, Deed] = {}
        self._renewals: dict[str, tuple[str, JsonObject]] = {}
        """The ids of renewals: of the act that each renews, and what was given with it."""

    @property
    def all(self) -> tuple[Deed, ...]:
        """Every act, refused ones too."""
        return tuple(self._deeds.values())

    def get(self, deed_id: str) -> Deed | None:
        """The act as it stands now; None for an unknown id. A renewal is the act that it renews, with its own
        fields.
        """
        if deed_id in self._renewals:
            renewed_id, given = self._renewals[deed_id]
            return replace(self._deeds[renewed_id], id=deed_id, given=given)
        return self._deeds.get(deed_id)

    def open(self, steered: Steered, now: Instant) -> bool:
        """Accept an act, which waits from now on; False when it was accepted before."""
        if steered.id in self._deeds or steered.id in self._renewals:
            return False
        self._deeds[steered.id] = Deed(
            id=steered.id,
            by=steered.by,
            what=steered.act.NAME,
            given=act_fields(steered.act),
            at=now,
            result=DeedResult.WAITING.value,
        )
        return True

    def renew(self, deed_id: str, renewal_id: str) -> None:
        """A renewal is not an act of its own: a lease is renewed many times."""
        renewal = self._deeds.pop(renewal_id)
        self._renewals[renewal_id] = (deed_id, renewal.given)

    def close(self, now: Instant) -> None:
        """The call is gone, and with it the acts that still waited."""
        for deed_id in self._deeds:
            self.settle(deed_id, DeedResult.FAILED, now, "the call ended first")

    def is_renewal(self, deed_id: str) -> bool:
        """Whether the act has only renewed another."""
        return deed_id in self._renewals

    def settle(self, deed_id: str, result: DeedResult, now: Instant, detail: str = "") -> None:
        """Set the result of an act. The first result counts."""
        deed = self._deeds[deed_id]
        if deed.settled_at is None:
            self._deeds[deed_id] = replace(deed, result=result.value, detail=detail, settled_at=now)
