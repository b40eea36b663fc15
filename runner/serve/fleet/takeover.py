"""Makes the machine of a call that another process has left: from its journal, or without one."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from traceback import extract_tb

from runner.call.machine.machine import CallMachine
from runner.call.machine.world import World
from runner.config.version import ConfigurationVersion
from runner.errors import JournalError, PhoneAgentsError
from runner.model.call import Origin, Ringing, SipOrigin, WebRtcOrigin
from runner.model.live_call import CallState, HeldCall
from runner.model.values import Instant
from runner.serve.fleet.kept_worlds import KeptWorlds
from runner.serve.versions import Versions
from runner.store.journal.journal import opened
from runner.store.journal.seal import JournalKey, Seal
from runner.store.journal.sealed import SealedEntries
from runner.store.store import JournalStore

log = logging.getLogger("runner.serve.fleet.takeover")

UNKNOWN_CONFIGURATION = (
    "the configuration that the call began with is not in the store, or cannot be loaded by this version of"
    " phone-agents"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Continued:
    """A journal that another process has begun."""

    key: JournalKey
    next_seq: int
    """Number of its next entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftCall:
    """A call that another process has left, ready to serve."""

    machine: CallMachine
    ringing: Ringing
    world: World
    journal: Continued | None
    """None where the journal was unusable: it cannot be replayed, so it is not continued."""


class Journals(dict[str, Sequence[SealedEntries]]):
    """The journals of calls that are taken up together, by call."""

    def __init__(
        self, journals: Mapping[str, Sequence[SealedEntries]], worlds: Sequence[World | None]
    ) -> None:
        super().__init__(journals)
        self.worlds = worlds
        """Those that the calls began with: none of them is forgotten before its calls are served."""


class Takeover:
    """Reads journals and the configurations that calls began with."""

    def __init__(
        self, store: JournalStore, seal: Seal, versions: Versions, clock: Callable[[], Instant]
    ) -> None:
        self._store = store
        self._seal = seal
        self._versions = versions
        self._clock = clock
        self._worlds = KeptWorlds()

    async def journals(self, calls: Sequence[HeldCall]) -> Mapping[str, Sequence[SealedEntries]]:
        """The journals of these calls, which hold the configurations that they began with.

        Raises StoreError.
        """
        worlds = [await self._load(configuration) for configuration in {call.configuration for call in calls}]
        return Journals(await self._store.journals([call.id for call in calls]), worlds)

    def restore(self, call: HeldCall, pieces: Sequence[SealedEntries]) -> LeftCall | None:
        """The call by its journal; None when nothing is known that it could be served by."""
        current = self._versions.current
        known = current.world if call.configuration == current.source.hash else None
        known = known or self._worlds.get(call.configuration)
        world = known or current.world
        try:
            key, entries = opened(pieces, self._seal)
            ringing = entries[0].event
            if not isinstance(ringing, Ringing):
                raise JournalError("it does not begin with the ring of the call")
            if known is None:
                raise JournalError(UNKNOWN_CONFIGURATION)
            lived = [(entry.at, entry.event) for entry in entries[1:] if not isinstance(entry.event, Ringing)]
            machine = CallMachine.replay(ringing, entries[0].at, lived, world)
        except Exception as error:
            log.error("journal is not replayed", extra={"call_id": call.id, "reason": _reason(error)})
            return self._bare(call, world)
        journal = Continued(key=key, next_seq=entries[-1].seq + 1)
        return LeftCall(machine=machine, ringing=ringing, world=world, journal=journal)

    def _bare(self, call: HeldCall, world: World) -> LeftCall | None:
        agent = world.agents.get(call.agent)
        if agent is None:
            return None
        ringing = Ringing(call_id=call.id, created_at=call.began_at, origin=_origin(call))
        # While it rings, the API may have answered it for the process before: a second answer shows.
        is_answered = call.state is CallState.ANSWERED
        machine = CallMachine.bare(ringing, agent, world, self._clock(), is_answered=is_answered)
        if machine.session is None:
            return None
        return LeftCall(machine=machine, ringing=ringing, world=world, journal=None)

    async def _load(self, configuration: str) -> World | None:
        current = self._versions.current
        if configuration == current.source.hash:
            return current.world
        if (known := self._worlds.get(configuration)) is not None:
            return known
        texts = await self._store.configuration(configuration)
        if (
            texts is None
            or (loaded := ConfigurationVersion.decoded(texts.encode()).load().configuration) is None
        ):
            return None
        world = World.of(loaded, current.secrets.tools)
        self._worlds.keep(configuration, world, len(texts))
        return world


def _reason(error: Exception) -> str:
    """A sentence about the journal. That of a bug quotes nothing: it may hold what was said."""
    if isinstance(error, PhoneAgentsError):
        return str(error)
    place = extract_tb(error.__traceback__)[-1]
    where = f"{type(error).__name__} in {place.name}, line {place.lineno}"
    return f"this version of phone-agents cannot replay it, which is a bug ({where})"


def _origin(call: HeldCall) -> Origin:
    """Where a call came from, as far as its claim tells: nobody knows who calls."""
    if call.api_call_id is None:
        return SipOrigin()
    # Whether its page has a data channel is not known either, so it is watched.
    return WebRtcOrigin(agent=call.agent, made_as=call.api_call_id, has_data_channel=True)
