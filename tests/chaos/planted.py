"""Bugs that the checker has to find, each planted into a runner before it starts.

python -m tests.chaos.planted NAME run agents --port 0
"""

import sys
from collections.abc import Callable
from functools import partialmethod

from runner.call.machine import session_events
from runner.call.machine.session import Session
from runner.call.machine.tool_outputs import ToolOutputs
from runner.cli.main import main
from runner.model.action import Action
from runner.model.event import CallEvent, TakenOver
from runner.serve.fleet import call_journal, journal_writer
from runner.serve.fleet.hold import CallHold
from runner.serve.fleet.lease_keeper import LeaseKeeper
from runner.serve.fleet.member import Member
from runner.serve.timeouts import Timeouts

LEASE_S = 4.0
JOB_LEASE_S = 10.0
"""After so long a delivery is tried again whose runner was killed in it."""


def nothing() -> None:
    """The program as it is."""


def no_fencing() -> None:
    """A runner that has lost its calls goes on to serve them."""
    Member.lose = lambda self, call_id: None  # type: ignore[method-assign] # a bug
    LeaseKeeper.may_act = True  # type: ignore[assignment, method-assign] # a bug


def journal_after_action() -> None:
    """A request that may not be sent twice does not wait for its entry, which comes much later."""

    async def not_waited_for(self: CallHold) -> None:
        return

    CallHold.written = not_waited_for  # type: ignore[method-assign] # a bug
    call_journal.AT_ONCE = frozenset()
    journal_writer.BATCH_S = 5.0


def greets_again() -> None:
    """Whoever takes a call over greets."""
    handle = session_events.handle

    def forgetful(session: Session, event: CallEvent, now: float) -> list[Action]:
        actions = handle(session, event, now)
        if isinstance(event, TakenOver):
            session.speech.queue.say("Hello from the chaos.")
        return actions

    session_events.handle = forgetful


def output_not_resent() -> None:
    """An output that the API may not have is not sent again."""
    ToolOutputs.send_again = lambda self: []  # type: ignore[method-assign] # a bug


def lease_not_checked() -> None:
    """A runner that was paused beyond its lease acts before it has asked whose its calls are."""

    LeaseKeeper.was_paused = False  # type: ignore[assignment, method-assign] # a bug
    Member.lose = lambda self, call_id: None  # type: ignore[method-assign] # a bug


BUGS: dict[str, Callable[[], None]] = {
    each.__name__: each
    for each in (
        nothing,
        no_fencing,
        journal_after_action,
        greets_again,
        output_not_resent,
        lease_not_checked,
    )
}

if __name__ == "__main__":
    BUGS[sys.argv[1]]()
    # Shorter than in life, so that a round of seconds sees many leases end.
    Timeouts.__init__ = partialmethod(  # type: ignore[method-assign, assignment] # a bug
        Timeouts.__init__, runner_lease_s=LEASE_S, heartbeat_s=LEASE_S / 5, lease_s=JOB_LEASE_S
    )
    sys.exit(main(sys.argv[2:]))
