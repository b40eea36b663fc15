"""Every page is reached, every link leads somewhere, and what is made from the code is made again."""

import pytest

from tests.docs.generated import GENERATORS
from tests.docs.pages import ROOT, Page, all_pages, generated, read

PAGES = all_pages()
AGAIN = "run `python -m tests.docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_made_from_the_code_is_up_to_date(page: Page) -> None:
    assert generated(page, GENERATORS) == page.text, AGAIN


@pytest.mark.parametrize(
    "page", [*PAGES, read("CHANGELOG.md"), read("deploy/README.md")], ids=lambda page: page.name
)
def test_every_link_leads_to_a_file_and_to_a_heading_in_it(page: Page) -> None:
    assert [link for link in page.links() if not is_there(page, link)] == []


def is_there(page: Page, link: str) -> bool:
    """Whether a link leads somewhere. Addresses of others are not asked."""
    if link.startswith("https://"):
        return True
    name, _, heading = link.partition("#")
    target = (ROOT / page.name).parent / name if name else ROOT / page.name
    if not target.exists():
        return False
    found = read(str(target.resolve().relative_to(ROOT.resolve()))) if target.suffix == ".md" else None
    return not heading or (found is not None and heading in found.anchors())


@pytest.mark.parametrize("contents", ["README.md", "docs/README.md"])
def test_every_page_of_the_reference_is_in_the_table_of_contents(contents: str) -> None:
    page = read(contents)
    prefix = "docs/" if contents == "README.md" else ""
    listed = {link.removeprefix(prefix) for link in page.links()}
    assert {other.name.removeprefix("docs/") for other in PAGES} - {"README.md"} <= listed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_two_headings_of_a_page_have_one_anchor(page: Page) -> None:
    assert len(page.anchors()) == len(page.headings())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_line_of_prose_is_longer_than_the_code_may_be(page: Page) -> None:
    lines = [line for line in page.text.splitlines() if not line.startswith("|")]
    assert [line for line in lines if len(line) > 130] == []
