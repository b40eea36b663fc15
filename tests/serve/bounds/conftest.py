"""What asserts in rows compare is shown as in tests."""

import pytest

pytest.register_assert_rewrite(
    "tests.serve.bounds.rows", "tests.serve.bounds.service", "tests.serve.bounds.neighbour"
)
