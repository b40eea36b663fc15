"""The README is in the order of its readers, and what `.ci/run` takes from it is there."""

import re

from tests.docs.pages import ROOT, read

README = read("README.md")


def test_the_sections_are_in_the_order_of_their_readers() -> None:
    assert README.headings() == [
        (1, "phone-agents"),
        (2, "Try it"),
        (2, "Answer a telephone number"),
        (2, "See and steer live calls"),
        (2, "Call from a browser"),
        (2, "In CI"),
        (2, "Reference"),
        (2, "Development"),
        (2, "Run the tests"),
    ]


def test_it_opens_with_what_it_is_then_a_picture_then_an_agent() -> None:
    opening = README.text.partition("\n## ")[0]
    what, picture, agent = (opening.index(mark) for mark in ("answers telephone calls", "![", "```yaml"))
    assert what < picture < agent


def test_ci_runs_the_commands_that_install_as_they_stand_here() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    read_from = re.findall(r'readme "(.+)"\)', script)
    assert read_from == ["Run the tests", "Try it"]
    installing = [
        heading
        for _, heading in README.headings()[1:]
        for code in re.findall(r"^```sh\n(.*?)^```$", README.section(heading), re.DOTALL | re.M)[:1]
        if "pip install" in code
    ]
    assert sorted(installing) == sorted(read_from)


def test_it_is_short() -> None:
    """What is looked up is in the reference."""
    assert len(README.text) < 12_000
