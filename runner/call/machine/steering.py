"""Carries out what people want of a call, where its phase allows it.

A late event of the API changes nothing and nobody minds. A person needs an answer: what the phase does not
allow is refused, with the reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from runner.call.machine.call_texts import CallTexts
from runner.call.machine.intent import AddMessage, End, GoOn, Intent
from runner.call.machine.lead import Lead
from runner.call.machine.phase import CONNECTED, LIVE, NOT_GONE, NOT_OVER, CallPhase, Phase, why_not
from runner.call.machine.sentence import SentenceEnd
from runner.call.machine.serving_agent import ServingAgent
from runner.call.machine.session_refresh import SessionRefresh
from runner.call.machine.silence import STALL, restart_silence
from runner.call.machine.speech import Speech
from runner.call.machine.transfers import Transfer, Transfers, destinations
from runner.call.records.deeds import Deeds
from runner.model.action import ClearTimer, Interrupt, Log, LogEvent
from runner.model.agent import Agent
from runner.model.event import Steered
from runner.model.steering import (
    AddNote,
    ChangeAgent,
    ChangeInstructions,
    DeedResult,
    EndCall,
    GiveBack,
    Hush,
    SaySentence,
    SentenceTiming,
    SetVariables,
    SteeringAct,
    TakeOver,
    TellAgent,
    TransferCall,
)
from runner.model.values import Instant

A_COLLEAGUE_HAS_SPOKEN = (
    "A colleague has led the conversation until now, and has spoken to the caller for you, in your voice."
    " From now on you lead it again: go on from where it stands."
)

_SENTENCE = "deed:"
"""Begins the key of a person's sentence; the act's id follows."""

_RESULTS = {
    SentenceEnd.HEARD: (DeedResult.HEARD, ""),
    SentenceEnd.INTERRUPTED: (DeedResult.INTERRUPTED, ""),
    SentenceEnd.LOST: (
        DeedResult.INTERRUPTED,
        "the sideband was lost meanwhile; how much of it the caller heard is not known",
    ),
    SentenceEnd.FAILED: (DeedResult.FAILED, "the model did not say it"),
    SentenceEnd.DROPPED: (DeedResult.FAILED, "it was dropped before it was said"),
}


def phases_for(act: SteeringAct) -> tuple[Phase, ...]:
    """The phases of a call in which a person may do this."""
    match act:
        case SaySentence() | Hush() | ChangeAgent() | TransferCall() | TakeOver():
            return (Phase.TALKING,)
        case TellAgent() | ChangeInstructions() | GiveBack():
            return CONNECTED
        case EndCall():
            return LIVE
        case SetVariables():
            return NOT_GONE
        case AddNote():
            return NOT_OVER
        case _:
            assert_never(act)


def refuse(deeds: Deeds, steered: Steered, why: str, now: Instant) -> None:
    """Refuse an act, with the reason."""
    deeds.settle(steered.id, DeedResult.REFUSED, now, f'no "{steered.act.NAME}" now: {why}')


def acted(deeds: Deeds, steered: Steered) -> list[Log]:
    """The line of the log about an act, with its result so far."""
    deed = deeds.get(steered.id)
    if deed is None or deeds.is_renewal(steered.id):
        # A console renews its lease several times a minute.
        return []
    fields = {"by": deed.by, "act": deed.what, "deed": deed.id, "result": deed.result}
    if deed.detail:
        fields["detail"] = deed.detail
    return [Log(event=LogEvent.PERSON_ACTED, fields=fields)]


@dataclass(slots=True, kw_only=True, eq=False)
class Steering:
    """Carries out what people want of one call."""

    phase: CallPhase
    deeds: Deeds
    speech: Speech
    transfers: Transfers
    serving: ServingAgent
    texts: CallTexts
    lead: Lead
    refresh: SessionRefresh
    agents: Mapping[str, Agent]
    transfer_to: Sequence[str]
    _unsent: list[str] = field(default_factory=list, init=False)
    """The acts whose message waits for a sideband."""

    @property
    def may_transfer_to(self) -> tuple[str, ...]:
        """The destinations that a person may name."""
        return tuple(destinations(self.serving.agent, self.agents.values(), self.transfer_to))

    @property
    def may_set(self) -> tuple[str, ...]:
        """The variables that a person may set."""
        of_tools = (name for tool in self.serving.agent.tools for name in tool.result.sets)
        return tuple(dict.fromkeys((*self.texts.variables, *of_tools)))

    def steered(self, steered: Steered, now: Instant) -> list[Intent]:
        """A person's act: carried out once, or refused."""
        if not self.deeds.open(steered, now):
            return []
        if self.phase.now in phases_for(steered.act):
            intents = self._carry_out(steered, steered.act, now)
        else:
            intents = self._refuse(steered, why_not(self.phase.now), now)
        return [*acted(self.deeds, steered), *intents]

    def sentence_ended(self, key: str, end: SentenceEnd, now: Instant) -> None:
        """How a sentence ended; ignored where it is not a person's."""
        if key.startswith(_SENTENCE):
            result, detail = _RESULTS[end]
            self.deeds.settle(key.removeprefix(_SENTENCE), result, now, detail)

    def lease_is_over(self, now: Instant) -> list[Intent]:
        """The person who leads has not renewed the lease: the agent must not stay silent."""
        return self._give_back(now, speaks=True)

    def reopened(self, now: Instant) -> None:
        """There is a sideband: messages that waited for it are sent."""
        for deed_id in self._unsent:
            self.deeds.settle(deed_id, DeedResult.DONE, now)
        self._unsent.clear()

    # The acts

    def _carry_out(self, steered: Steered, act: SteeringAct, now: Instant) -> list[Intent]:
        match act:
            case SaySentence():
                return self._say(steered, act, now)
            case TellAgent():
                return self._tell(steered, act, now)
            case Hush():
                return self._hush(steered, now)
            case SetVariables():
                return self._set_variables(steered, act, now)
            case ChangeInstructions():
                return self._change_instructions(steered, act, now)
            case ChangeAgent():
                return self._change_agent(steered, act, now)
            case TransferCall():
                return self._transfer(steered, act, now)
            case EndCall():
                return self._end_call(steered, act, now)
            case TakeOver():
                return self._take_over(steered, act, now)
            case GiveBack():
                return self._return_lead(steered, act, now)
            case AddNote():
                return self._done(steered, now)
            case _:
                assert_never(act)

    def _say(self, steered: Steered, act: SaySentence, now: Instant) -> list[Intent]:
        is_first = act.when is SentenceTiming.NOW
        interrupts = is_first and self.speech.is_speaking(now)
        self.speech.queue.say(act.say, key=_SENTENCE + steered.id, is_persons=True, is_first=is_first)
        return [Interrupt()] if interrupts else []

    def _tell(self, steered: Steered, act: TellAgent, now: Instant) -> list[Intent]:
        if self.speech.is_closed:
            self._unsent.append(steered.id)
        elif act.speak and self.lead.is_taken:
            self._done(steered, now, "the agent says nothing while a person leads the call")
        else:
            self._done(steered, now)
        return [AddMessage(text=act.tell), *([GoOn()] if act.speak else [])]

    def _hush(self, steered: Steered, now: Instant) -> list[Intent]:
        self._done(steered, now)
        is_speaking = self.speech.is_speaking(now)
        self.speech.clear()
        return [*([Interrupt()] if is_speaking else []), ClearTimer(timer=STALL)]

    def _set_variables(self, steered: Steered, act: SetVariables, now: Instant) -> list[Intent]:
        if unknown := sorted(act.set.keys() - set(self.may_set)):
            return self._refuse(
                steered, f'agent "{self.serving.agent.id}" has no variable "{unknown[0]}"', now
            )
        self.texts.variables.update(act.set)
        return self._done(steered, now)

    def _change_instructions(self, steered: Steered, act: ChangeInstructions, now: Instant) -> list[Intent]:
        if act.add is not None:
            self.texts.add(act.add)
        if act.replace is not None:
            self.texts.replace(act.replace)
        return self.refresh.changed(now, steered.id)

    def _change_agent(self, steered: Steered, act: ChangeAgent, now: Instant) -> list[Intent]:
        if act.agent not in self.agents:
            return self._refuse(steered, f'there is no agent "{act.agent}"', now)
        if act.agent == self.serving.agent.id:
            return self._refuse(steered, f'"{act.agent}" serves the call already', now)
        because = f'person "{steered.by}"'
        intents = self.serving.hand_off(act.agent, because, now, steered=steered)
        if self.serving.impossible:
            intents += self._refuse(steered, self.serving.impossible, now)
        return intents

    def _transfer(self, steered: Steered, act: TransferCall, now: Instant) -> list[Intent]:
        known = destinations(self.serving.agent, self.agents.values(), self.transfer_to)
        if act.to not in known:
            return self._refuse(steered, f'"{act.to}" is not among the destinations', now)
        transfer = Transfer(target=known[act.to], name=act.to, say=act.say, deed_id=steered.id)
        return self.transfers.announce(transfer, now)

    def _end_call(self, steered: Steered, act: EndCall, now: Instant) -> list[Intent]:
        can_say = self.phase.now is Phase.TALKING and not self.speech.is_closed
        say = act.say if can_say else None
        end = End(reason="person", say=say, at_once=say is None, waits_for_tools=False, deed_id=steered.id)
        return [*([Interrupt()] if say and self.speech.is_speaking(now) else []), end]

    def _take_over(self, steered: Steered, act: TakeOver, now: Instant) -> list[Intent]:
        if self.lead.by not in {None, steered.by}:
            return self._refuse(steered, f'"{self.lead.by}" leads the call', now)
        is_renewal = self.lead.is_taken
        lease = self.lead.take(steered.by, steered.id, act.for_s, now)
        if is_renewal:
            self.deeds.renew(self.lead.deed_id, steered.id)
            return [lease]
        self._done(steered, now)
        cut_short = [Interrupt()] if self.speech.is_speaking_its_own(now) else []
        return [lease, *cut_short, *self.refresh.changed(now)]

    def _return_lead(self, steered: Steered, act: GiveBack, now: Instant) -> list[Intent]:
        if not self.lead.is_taken:
            return self._refuse(steered, "no person leads the call", now)
        self._done(steered, now)
        return self._give_back(now, speaks=act.speak)

    # Shared by several acts

    def _done(self, steered: Steered, now: Instant, detail: str = "") -> list[Intent]:
        self.deeds.settle(steered.id, DeedResult.DONE, now, detail)
        return []

    def _refuse(self, steered: Steered, why: str, now: Instant) -> list[Intent]:
        refuse(self.deeds, steered, why, now)
        return []

    def _give_back(self, now: Instant, *, speaks: bool) -> list[Intent]:
        ended = self.lead.end()
        if not ended:
            return []
        return [
            *ended,
            *restart_silence(self.serving.agent.limits.silence, now),
            *self.refresh.changed(now),
            AddMessage(text=A_COLLEAGUE_HAS_SPOKEN),
            *([GoOn()] if speaks else []),
        ]
