"""The last ids of a call: a copy of an event is known, and a call of hours takes no more memory."""

from runner.call.recent_ids import MOST, RecentIds


def test_an_id_is_new_once() -> None:
    ids = RecentIds()
    assert [ids.add("a"), ids.add("b"), ids.add("a")] == [True, True, False]
    assert ("a" in ids, "c" in ids) == (True, False)


def test_only_the_last_are_remembered() -> None:
    ids = RecentIds()
    for number in range(MOST + 1):
        ids.add(str(number))
    assert ("0" in ids, "1" in ids, str(MOST) in ids) == (False, True, True)
