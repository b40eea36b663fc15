"""Makes the session of a call that is about to be answered."""

from runner.call.machine.lookup import LookedUp, default_answer
from runner.call.machine.phase import CallPhase
from runner.call.machine.placement import Placement
from runner.call.machine.session import Session
from runner.call.machine.world import World
from runner.call.records.deeds import Deeds
from runner.call.templates.template import TemplateFailure
from runner.model.agent import Agent
from runner.model.call import WebRtcOrigin
from runner.model.record import CallRecord
from runner.model.values import Instant


def new_session(
    placement: Placement,
    agent: Agent,
    looked_up: LookedUp | None,
    *,
    world: World,
    phase: CallPhase,
    deeds: Deeds,
    now: Instant,
) -> Session:
    """The session of a call that this agent answers. A lookup's answer that the templates cannot use must not
    cost the caller the call: its default stands in.

    Raises TemplateFailure.
    """

    def session(looked_up: LookedUp | None) -> Session:
        return Session(
            call=placement.call,
            phase=phase,
            deeds=deeds,
            agent=agent,
            agents=placement.agents,
            secrets=world.secrets,
            now=now,
            prices=world.prices,
            record=_first_record(placement, agent, looked_up),
            # A browser has no telephone that could be transferred.
            transfer_to=() if isinstance(placement.call.origin, WebRtcOrigin) else world.transfer_to,
            lookup=looked_up.value if looked_up else None,
        )

    try:
        return session(looked_up)
    except TemplateFailure as failure:
        if looked_up is None or looked_up.fault is not None or agent.lookup is None:
            raise
        return session(default_answer(agent.lookup, str(failure), looked_up.took_s))


def _first_record(placement: Placement, agent: Agent, looked_up: LookedUp | None) -> CallRecord:
    """The record as it is before the call is answered."""
    call, match = placement.call, placement.match
    return CallRecord(
        id=call.id,
        agent=agent.id,
        route=str(match.route.place) if match is not None and match.route is not None else None,
        why=placement.why,
        caller=call.caller.number or call.caller.uri or None,
        called=call.called.number or call.called.uri or None,
        transport=call.transport.value,
        created_at=call.created_at,
        lookup_s=looked_up.took_s if looked_up else None,
        headers=placement.table.headers_asked_for(call, match),
        busy={one.agent: {one.limit.value: one.most} for one in placement.reached},
        model=agent.model,
        faults=(looked_up.fault,) if looked_up and looked_up.fault else (),
    )
