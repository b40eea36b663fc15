"""Real chromium before a made-up admin API, and pictures of what it shows.

`AXE` names axe-core's file, `SCREENSHOTS` the folder for pictures (default: build/screenshots).
"""

import os
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.console.made_up_admin import MadeUpAdmin, serving

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

CHROMIUM = shutil.which("chromium")
PICTURES = Path(os.environ.get("SCREENSHOTS") or Path(__file__).parents[2] / "build" / "screenshots")
WIDTHS = {1440: 900, 768: 1024, 390: 844}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if CHROMIUM is None:
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(pytest.mark.skip(reason="there is no chromium here"))


@pytest.fixture
async def browser() -> AsyncIterator["Browser"]:
    playwright = pytest.importorskip("playwright.async_api", reason="the extra `browser` is not installed")
    async with playwright.async_playwright() as driver:
        chromium = await driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        await chromium.close()


@pytest.fixture
def admin() -> MadeUpAdmin:
    return MadeUpAdmin(needs_token=False, now=time.time())


Console = Callable[..., "Screen"]


class Screen:
    """A console that somebody looks at."""

    def __init__(self, page: "Page", url: str) -> None:
        self.page = page
        self.url = url
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda line: self.errors.append(line.text) if line.type == "error" else None)

    async def open(self, path: str = "/console/") -> "Page":
        await self.page.goto(self.url + path)
        await self.page.wait_for_selector("main > *")
        return self.page

    async def picture(self, name: str, *, whole: bool = False) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=PICTURES / f"{name}.png", full_page=whole)


@pytest.fixture
async def screens(browser: "Browser", admin: MadeUpAdmin) -> AsyncIterator[Callable[..., object]]:
    """Opens a console of a size and in a scheme; what went wrong in one fails the test at its end."""
    opened: list[Screen] = []
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serving(admin))

        async def look(width: int = 1440, scheme: str = "light") -> Screen:
            context = await browser.new_context(
                viewport={"width": width, "height": WIDTHS[width]},
                color_scheme="dark" if scheme == "dark" else "light",
                timezone_id="UTC",
            )
            stack.push_async_callback(context.close)
            page = await context.new_page()
            page.set_default_timeout(15_000)
            opened.append(Screen(page, url))
            return opened[-1]

        yield look
        wrong = [text for screen in opened for text in screen.errors if "Failed to load resource" not in text]
        assert wrong == []
