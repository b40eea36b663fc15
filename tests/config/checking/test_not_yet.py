"""Values that are not built yet are values of the language, and each is refused where it stands."""

import pytest

from runner.config.checking import not_yet
from runner.config.checking.schema_files import schema
from runner.config.problem import Problems
from runner.config.reading.yaml_text import read
from runner.model.values import JsonObject

PATHS = [(kind, path) for kind, values in not_yet._TABLE.items() for *path, _ in values]


def below(found: JsonObject, whole: JsonObject, step: str) -> list[JsonObject]:
    """The schemas of what stands at one key."""
    parts: list[JsonObject] = [found]
    if "$ref" in found:
        parts += [whole["$defs"][found["$ref"].removeprefix("#/$defs/")]]
    parts += found.get("oneOf", [])
    inner = [more for part in parts[1:] for more in below(part, whole, step)]
    return inner + ([found["properties"][step]] if step in found.get("properties", {}) else [])


@pytest.mark.parametrize(("kind", "path"), PATHS)
def test_every_refused_path_is_one_of_the_language(kind: str, path: list[str]) -> None:
    """A path with a slip of the pen would refuse nothing."""
    whole = schema(kind)
    found = [whole]
    for step in path:
        found = [more for part in found for more in below(part, whole, step)]
    assert found


def test_a_value_is_refused_where_only_the_value_is_not_built() -> None:
    problems = Problems()
    for text in (b"api: realtime", b"api: live"):
        node = read("f", text, Problems())
        assert node is not None
        not_yet.refuse_unsupported(node, "agent", problems)
    assert [str(problem) for problem in problems.sorted()] == [
        'f:1:6: "api: live" is not supported yet [not-supported]'
    ]
