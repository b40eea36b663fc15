"""What the log says of a call that is over."""

import logging

import pytest

from runner.serve import call_log
from tests.store.engines import call_record


def test_what_could_not_be_done_is_a_warning_before_the_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="runner.serve.call_log")
    fault = 'the template "{{ 1 / vars.n }}" failed: division by zero'
    call_log.ended(call_record(faults=(fault,)))
    assert [(entry.levelname, entry.message) for entry in caplog.records] == [
        ("WARNING", "call has faults"),
        ("INFO", "call has ended"),
    ]
    assert caplog.records[0].__dict__["faults"] == [fault]
    caplog.clear()
    call_log.ended(call_record())
    assert caplog.messages == ["call has ended"]
