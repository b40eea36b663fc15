"""What one call counts for, wherever it is served."""

import pytest

from runner.call.machine.call_counts import CallCounts, Load
from runner.serve.call_slot import CallSlot
from runner.serve.metrics import Metrics
from tests.clock import clock
from tests.serve.sole_hold import SoleHold


@pytest.mark.parametrize("comes_back", [False, True])
def test_a_call_that_goes_and_comes_back_counts_once_for_its_day(comes_back: bool) -> None:
    counts = CallCounts()
    slot = CallSlot(counts=counts, hold=SoleHold(), metrics=Metrics(), created_at=clock())
    slot.take_over("desk")
    assert counts.load("desk", clock()) == Load(live=1, today=1)
    slot.free(moved=True)
    assert counts.load("desk", clock()) == Load(live=0, today=0)
    if comes_back:
        slot.take_over("desk")
        slot.free()
        assert counts.load("desk", clock()) == Load(live=0, today=1)
