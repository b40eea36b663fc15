"""Two JSON trees, and what differs between them."""

import pytest

from runner.difference.tree import ABSENT, Change, changes
from runner.model.values import Json


def found(old: object, new: object) -> list[tuple[str, object, object]]:
    return [(".".join(change.path), change.old, change.new) for change in changes(old, new)]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, []),
        ({"a": 1}, {"a": 2}, [("a", 1, 2)]),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, [("a.c", 2, 3)]),
        ({"a": 1}, {"b": {"c": 2}}, [("b", ABSENT, {"c": 2}), ("a", 1, ABSENT)]),
        ({"a": None}, {}, [("a", None, ABSENT)]),
        ({"a": 1}, {"a": True}, [("a", 1, True)]),
        ({"a": [1, 0]}, {"a": [True, False]}, [("a", [1, 0], [True, False])]),
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": "1"}, {"a": 1}, [("a", "1", 1)]),
        ({"a": ["x", "y"]}, {"a": ["x", "z"]}, [("a", ["x", "y"], ["x", "z"])]),
        ({"a": []}, {"a": []}, []),
        ({"a": []}, {"a": ["x"]}, [("a", [], ["x"])]),
        ({"a": {}}, {"a": []}, [("a", {}, [])]),
    ],
)
def test_what_differs_is_told_by_its_path(
    old: Json, new: Json, expected: list[tuple[str, object, object]]
) -> None:
    assert found(old, new) == expected


def test_mappings_in_a_list_are_compared_by_their_names() -> None:
    old = [{"name": "one", "x": 1}, {"name": "two"}]
    new = [{"name": "three"}, {"name": "one", "x": 2}]
    assert found({"a": old}, {"a": new}) == [
        ("a.three", ABSENT, {"name": "three"}),
        ("a.one.x", 1, 2),
        ("a.two", {"name": "two"}, ABSENT),
    ]


def test_named_mappings_in_another_order_differ_in_their_order() -> None:
    old, new = [{"name": "one"}, {"name": "two"}], [{"name": "two"}, {"name": "one"}]
    assert found(old, new) == [("order", ["one", "two"], ["two", "one"])]


def test_mappings_without_names_are_counted() -> None:
    assert found([{"after": 1}], [{"after": 2}, {"after": 3}]) == [
        ("[1].after", 1, 2),
        ("[2]", ABSENT, {"after": 3}),
    ]


def test_a_name_that_comes_twice_names_nothing() -> None:
    old, new = [{"name": "one"}, {"name": "one"}], [{"name": "one"}, {"name": "two"}]
    assert list(changes(old, new)) == [Change(path=("[2]", "name"), old="one", new="two")]
