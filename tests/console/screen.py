"""A console that somebody looks at in chromium, and pictures of it."""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tests.chromium import PATIENCE_MS

if TYPE_CHECKING:
    from playwright.async_api import Page

PICTURES = Path(os.environ.get("SCREENSHOTS") or Path(__file__).parents[2] / "build" / "screenshots")
HEIGHTS = {1440: 900, 768: 1024, 390: 844}
WATCH = """
  window.violations = [];
  document.addEventListener("securitypolicyviolation", (event) => {
    window.violations.push(event.violatedDirective);
  });
"""


async def until(page: "Page", condition: str) -> None:
    """Wait for a condition, in JavaScript. Playwright's own wait needs `eval`, which our pages forbid."""
    wait = f"async () => {{ while (!({condition})) await new Promise((wake) => setTimeout(wake, 20)); }}"
    async with asyncio.timeout(PATIENCE_MS / 1000):
        await page.evaluate(wait)


class Screen:
    """One window. `wrong` holds errors of its scripts; what a server refused is not among them."""

    def __init__(self, page: "Page", url: str) -> None:
        self.page = page
        self.url = url
        self.wrong: list[str] = []
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", lambda line: self._said(line.type, line.text))

    def _said(self, kind: str, text: str) -> None:
        if kind == "error" and not text.startswith("Failed to load resource"):
            self.wrong.append(text)

    async def open(self, path: str = "/console/") -> "Page":
        await self.page.goto(self.url + path)
        await self.page.wait_for_selector("main > *")
        return self.page

    async def value(self, script: str) -> Any:
        return await self.page.evaluate(script)


class Look(Protocol):
    """Opens a window of a width, in a scheme of colours."""

    async def __call__(self, width: int = 1440, scheme: str = "light") -> Screen: ...
