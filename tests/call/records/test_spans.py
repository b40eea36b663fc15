"""Who was heard when on a call, and how long the caller waited for an answer."""

from runner.call.records.spans import Spans
from runner.model.record import Span


def test_each_is_heard_from_the_first_report_to_the_last_and_answers_are_waited_for() -> None:
    spans = Spans(lambda response_id: response_id == "persons")
    spans.caller_speaks(began=True, now=1.0)
    spans.caller_speaks(began=True, now=2.0)
    spans.caller_speaks(began=False, now=3.0)
    assert spans.heard("answer", 3.5) == 0.5
    assert spans.heard("answer", 4.0) is None, "told twice"
    spans.ended("answer", 5.0, is_interrupted=True)
    assert spans.heard("answer", 6.0) is None, "told too late"
    spans.ended("unknown", 6.0, is_interrupted=False)
    assert spans.heard("persons", 7.0) is None, "it answers nothing"
    spans.caller_speaks(began=False, now=8.0)
    assert spans.heard("to one whose beginning was missed", 9.0) == 1.0
    spans.caller_speaks(began=False, now=10.0)
    spans.caller_speaks(began=True, now=11.0)
    assert spans.heard("while the caller speaks", 12.0) is None
    assert spans.all() == (
        Span(who="caller", since=1.0, until=3.0),
        Span(who="agent", since=3.5, until=5.0, interrupted=True),
        Span(who="person", since=7.0),
        Span(who="agent", since=9.0),
        Span(who="caller", since=11.0),
        Span(who="agent", since=12.0),
    )
