"""The page about operating and the table of rows name the same bounds."""

from tests.docs.pages import read, rows
from tests.serve.bounds import test_alone, test_bounds, test_crowd, test_end, test_store  # noqa: F401 - they declare the rows
from tests.serve.bounds.table import tried
from tests.serve.fleet import test_bounds as test_shared_store  # noqa: F401 - as above


def test_every_bound_of_the_page_has_a_row_and_every_row_a_bound() -> None:
    told = {cells[2].strip("`") for cells in rows(read("docs/operating.md").section("Bounds"))}
    assert (sorted(told - tried()), sorted(tried() - told)) == ([], [])
