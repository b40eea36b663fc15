"""What looks on at a call costs it nothing, whatever it does."""

import logging

import pytest

from runner.call.machine.machine import CallMachine
from runner.model.event import CallGone
from runner.serve.call_meter import CallMeter
from runner.serve.call_watch import Watches
from runner.serve.metrics import Metrics
from tests.call.machine.playing import RINGING, a_world, an_agent


class Broken(CallMeter):
    """Fails at what it is told to fail at."""

    def __init__(self, at: str) -> None:
        super().__init__(Metrics().served)
        self.told: list[str] = []
        self._at = at

    def __getattribute__(self, name: str) -> object:
        if name in {"begins", "handled", "ends"}:
            self.told.append(name)
            if name == self._at:
                raise RuntimeError("a bug of ours")
        return super().__getattribute__(name)


@pytest.mark.parametrize(
    ("at", "told"),
    [("begins", 1), ("handled", 2), ("ends", 3)],
)
def test_a_watch_that_fails_looks_on_no_more_and_the_others_do(
    at: str, told: int, caplog: pytest.LogCaptureFixture
) -> None:
    broken, fine = Broken(at), Broken("")
    watches = Watches((broken, fine))
    machine, _ = CallMachine.ring(RINGING, a_world(an_agent()), 1000.0)
    watches.begins(machine, 1000.0)
    watches.handled(CallGone(), [], 1001.0)
    watches.ends(None, 1002.0)
    assert (broken.told, fine.told) == (
        ["begins", "handled", "ends"][:told],
        ["begins", "handled", "ends"],
    )
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [error.getMessage() for error in errors] == ["call is not watched any more"]
