"""The README's picture of the console. `python -m tests.console.picture` makes it again, with Inter."""

import asyncio
import base64
from pathlib import Path

from playwright.async_api import async_playwright

from tests.chromium import launched
from tests.console import calls
from tests.console.made_up_admin import MadeUpAdmin, serving

FILE = Path(__file__).parents[2] / "docs" / "console.webp"
NOW = 1_795_615_389.0
"""A fixed instant, so that the picture changes only with the console."""


async def make() -> None:
    """Write the picture."""
    admin = MadeUpAdmin(now=NOW, is_signed_in=True)
    call = calls.live_call(NOW)
    admin.calls[call["id"]] = call
    async with serving(admin) as url, async_playwright() as driver:
        chromium = await launched(driver)
        page = await chromium.new_page(
            viewport={"width": 1280, "height": 820}, device_scale_factor=1.5, timezone_id="UTC"
        )
        await page.clock.set_fixed_time(NOW)
        await page.goto(f"{url}/console/calls/{call['id']}")
        await page.wait_for_selector(".timeline .silence")
        await page.locator(".tools summary").nth(1).click()
        await page.locator(".entry", has_text="Yes, please do.").evaluate(
            "node => { node.parentElement.parentElement.scrollTop = node.offsetTop - 8; }"
        )
        await page.wait_for_timeout(300)
        inspector = await page.context.new_cdp_session(page)
        picture = await inspector.send("Page.captureScreenshot", {"format": "webp", "quality": 78})
        FILE.write_bytes(base64.b64decode(picture["data"]))
        await chromium.close()


if __name__ == "__main__":
    asyncio.run(make())
