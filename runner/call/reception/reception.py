"""Makes the session of a call that is admitted, of what its lookup has said. Pure."""

from collections.abc import Mapping

from runner.call.reception.admission import Admit
from runner.call.reception.lookup import LookedUp, default_answer
from runner.call.session.session import Session
from runner.call.templates.template import TemplateFailure
from runner.model.agent import Agent
from runner.model.values import Instant

UNAVAILABLE_STATUS = 480
"""SIP "Temporarily Unavailable": for a call that ought to be answered and cannot be."""


def receive(
    admitted: Admit,
    answer: LookedUp | None,
    *,
    agents: Mapping[str, Agent],
    secrets: Mapping[str, str],
    now: Instant,
) -> Session:
    """The session; `answer` is None for an agent without a lookup.

    Raises TemplateFailure when the agent's instructions cannot be made for this call.
    """
    agent = agents[admitted.agent]

    def begun(answer: LookedUp | None) -> Session:
        return Session(
            call=admitted.call,
            agent=agent,
            agents=agents,
            secrets=secrets,
            now=now,
            lookup=answer.value if answer else None,
            lookup_s=answer.took_s if answer else None,
            faults=[answer.fault] if answer and answer.fault else [],
            why=admitted.why,
            route=str(admitted.route.place) if admitted.route else None,
        )

    try:
        return begun(answer)
    except TemplateFailure as failure:
        if answer is None or answer.fault is not None or agent.lookup is None:
            raise
        # An answer that the templates cannot use must not cost the caller the call.
        return begun(default_answer(agent.lookup, str(failure), answer.took_s))
