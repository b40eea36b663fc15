"""Chromium without a window: which program it is, and how tests start it."""

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.processes import WITHOUT_FAKETIME

if TYPE_CHECKING:
    from playwright.async_api import Browser, Playwright

PATIENCE_MS = 60_000
"""How long anything may take on a slow machine, of what takes no time on a fast one."""
PROGRAM = shutil.which("chromium-headless-shell")
"""Draws and runs pages as Debian's `chromium` does, with no browser around them: a quarter of the CPU."""


def skip_without_chromium(items: list[pytest.Item]) -> None:
    if PROGRAM is None:
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(pytest.mark.skip(reason="there is no chromium-headless-shell here"))


async def launched(playwright: "Playwright", *arguments: str) -> "Browser":
    return await playwright.chromium.launch(
        executable_path=PROGRAM,
        args=["--no-sandbox", *arguments],
        timeout=PATIENCE_MS,
        env={**WITHOUT_FAKETIME},
    )
