"""Repeated lines: which are written, and when the rest is told."""

from runner.serve.log_folding import MOST_KEYS, Folded, Folding, LineKey

REFUSED: LineKey = ("runner.serve.webhooks", 30, "webhook refused", None)
OTHER: LineKey = ("runner.serve.webhooks", 30, "path not found", None)


def test_so_many_lines_pass_within_a_window_and_the_rest_is_held_back() -> None:
    folding = Folding(most=3, window_s=10)
    assert [folding.passes(REFUSED, 100.0 + i) for i in range(5)] == [True, True, True, False, False]


def test_lines_that_differ_do_not_hold_each_other_back() -> None:
    folding = Folding(most=1, window_s=10)
    assert folding.passes(REFUSED, 100.0)
    assert folding.passes(OTHER, 100.0)
    assert not folding.passes(REFUSED, 100.0)


def test_of_a_call_many_more_lines_pass_and_calls_do_not_hold_each_other_back() -> None:
    folding = Folding(most=1, most_of_a_call=3)
    first, second = (*REFUSED[:3], "rtc_1"), (*REFUSED[:3], "rtc_2")
    passed = [folding.passes(key, 100.0) for _ in range(5) for key in (first, second, REFUSED)]
    assert passed == [True] * 3 + [True, True, False] * 2 + [False] * 6
    assert folding.due(200.0) == [
        Folded(key=first, held_back=2),
        Folded(key=second, held_back=2),
        Folded(key=REFUSED, held_back=4),
    ]


def test_when_the_window_is_over_the_count_is_told_once_and_lines_pass_again() -> None:
    folding = Folding(most=1, window_s=10)
    for _ in range(4):
        folding.passes(REFUSED, 100.0)
    assert folding.due(109.9) == []
    assert folding.due(110.0) == [Folded(key=REFUSED, held_back=3)]
    assert folding.due(200.0) == []
    assert folding.passes(REFUSED, 200.0)


def test_a_window_that_held_nothing_back_is_not_told() -> None:
    folding = Folding(most=1, window_s=10)
    folding.passes(REFUSED, 100.0)
    assert folding.due(200.0) == []


def test_the_number_of_windows_is_bounded_and_none_is_lost() -> None:
    folding = Folding(most=1, window_s=10)
    told = []
    for number in range(2 * MOST_KEYS):
        told += folding.due(100.0)
        for _ in range(2):
            folding.passes(("x", 30, str(number), None), 100.0)
    told += folding.due(200.0)
    assert [folded.key[2] for folded in told] == [str(number) for number in range(2 * MOST_KEYS)]
