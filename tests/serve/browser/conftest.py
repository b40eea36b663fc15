"""Pages of a site."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.serve.browser.site import Page, site


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    async with site(tmp_path) as made:
        yield made


@pytest.fixture
async def open_page(tmp_path: Path) -> AsyncIterator[Page]:
    """Of a site whose pages may have a data channel."""
    async with site(tmp_path, has_data_channel=True) as made:
        yield made
