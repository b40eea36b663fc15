"""Real chromium before a made-up admin API."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.chromium import PATIENCE_MS, launched, skip_without_chromium
from tests.console.made_up_admin import MadeUpAdmin, serving
from tests.console.screen import HEIGHTS, WATCH, Look, Screen

if TYPE_CHECKING:
    from playwright.async_api import Browser


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skip_without_chromium(items)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator["Browser"]:
    """One for all tests: each has windows of its own, which share nothing."""
    playwright = pytest.importorskip("playwright.async_api", reason="the extra `browser` is not installed")
    playwright.expect.set_options(timeout=PATIENCE_MS)
    async with playwright.async_playwright() as driver:
        chromium = await launched(driver)
        yield chromium
        await chromium.close()


@pytest.fixture
def admin() -> MadeUpAdmin:
    return MadeUpAdmin(now=time.time())


@pytest_asyncio.fixture(loop_scope="session")
async def look(browser: "Browser", admin: MadeUpAdmin) -> AsyncIterator[Look]:
    """What goes wrong in a window, also against its security policy, fails the test at its end."""
    screens: list[Screen] = []
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serving(admin))

        async def opened(width: int = 1440, scheme: str = "light") -> Screen:
            context = await browser.new_context(
                viewport={"width": width, "height": HEIGHTS[width]},
                color_scheme="dark" if scheme == "dark" else "light",
                timezone_id="UTC",
            )
            stack.push_async_callback(context.close)
            page = await context.new_page()
            page.set_default_timeout(PATIENCE_MS)
            await page.add_init_script(WATCH)
            screens.append(Screen(page, url))
            return screens[-1]

        yield opened
        for screen in screens:
            if not screen.page.is_closed():
                screen.wrong.extend(await screen.value("window.violations ?? []"))
        assert [wrong for screen in screens for wrong in screen.wrong] == []
        assert admin.misfits == []
