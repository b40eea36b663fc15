"""What holds for every page, as it is now: nothing wider than its window, and nothing that axe-core finds."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from tests.console.screen import PICTURES

if TYPE_CHECKING:
    from playwright.async_api import Page

RULES: dict[Literal["dark", "light"], dict[str, Any]] = {
    "dark": {"runOnly": ["color-contrast", "link-in-text-block"]},
    "light": {},
}
"""Dark is the same page in other colours: what is wrong with it apart from these is found in light."""


def axe_core() -> str:
    path = os.environ.get("AXE")
    if path is None:
        pytest.skip("AXE does not name axe-core's file")
    return Path(path).read_text()


async def faultless(page: "Page", name: str, axe: str, *, whole: bool = False) -> None:
    """Looks at the page in dark and in light, and takes a picture of each."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(axe)
    for scheme, rules in RULES.items():
        await page.emulate_media(color_scheme=scheme)
        tag = f"{name}-{await page.evaluate('innerWidth')}-{scheme}"
        assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, (
            f"{tag} is too wide"
        )
        await page.screenshot(path=PICTURES / f"{tag}.png", full_page=whole)
        found = await page.evaluate("rules => axe.run({resultTypes: ['violations'], ...rules})", rules)
        wrong = [
            f"{tag}: {rule['id']}: {node['target']} {node['failureSummary']}"
            for rule in found["violations"]
            for node in rule["nodes"]
        ]
        assert not wrong, "\n".join(wrong)
