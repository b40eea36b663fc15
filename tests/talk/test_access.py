"""For everybody: axe-core finds nothing on the page at any width, in light and dark, and keys are enough."""

from typing import TYPE_CHECKING

import pytest

from runner.standin.script import CallerSays, greets, says
from tests.console.faultless import axe_core, faultless
from tests.console.screen import HEIGHTS
from tests.talk.conftest import Site

if TYPE_CHECKING:
    from playwright.async_api import Page

playwright = pytest.importorskip("playwright.async_api", reason="the extra `browser` is not installed")
expect = playwright.expect
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

# They stay whatever the server says next: it shows none to callers.
TOOLS = """() => {
  const tools = [
    { name: "find_order", status: "ok", took_s: 0.42, error: "", arguments: { number: "A-1007" } },
    { name: "book", status: "failed", took_s: 3.0, error: "no reply within 3 s", arguments: {} },
    { name: "look", status: "", took_s: null, error: "", arguments: { day: "2026-11-27" } },
  ];
  Object.defineProperty(call, "tools", { get: () => tools, set: () => {} });
  call.dispatchEvent(new Event("change"));
}"""


async def faultless_at_every_width(page: "Page", name: str, axe: str) -> None:
    for width, height in HEIGHTS.items():
        await page.set_viewport_size({"width": width, "height": height})
        await faultless(page, f"talk-{name}", axe)


async def test_axe_finds_nothing(site: Site) -> None:
    axe = axe_core()
    placed = site.api.expect_offer(
        greets(),
        CallerSays(text="Tuesday, please."),
        says("Done: Tuesday at 2:30 pm with Doctor Adams. Anything else?"),
    )
    page = await site.talk(await site.window())
    await faultless_at_every_width(page, "idle", axe)
    await page.click("#call")
    await page.wait_for_selector("text=Anything else?")
    await page.evaluate(TOOLS)
    await faultless_at_every_width(page, "call", axe)
    await expect(page.locator("#tools")).to_contain_text("no reply within 3 s")
    await site.peers.cut(placed)
    await page.wait_for_selector("#problem:not([hidden])")
    await faultless_at_every_width(page, "lost", axe)
    await page.click("#call")
    await site.api.until_over(placed)
    refused = await site.talk(await site.window(), "not a token")
    await refused.click("#call")
    await refused.wait_for_selector("#problem:not([hidden])")
    await faultless_at_every_width(refused, "refused", axe)


async def test_a_keyboard_is_enough(site: Site) -> None:
    placed = site.api.expect_offer(greets())
    page = await site.talk(await site.window())
    press = page.keyboard.press

    body = page.locator("body")

    async def has_focus(name: str) -> None:
        await expect(page.locator(f"#{name}")).to_be_focused()

    await press("Tab")
    await has_focus("call")
    await press("Enter")
    await expect(body).to_have_attribute("data-state", "talking")
    await has_focus("call")
    await press("Tab")
    await has_focus("mute")
    await press("Space")
    await expect(page.locator("#mute")).to_have_attribute("aria-pressed", "true")
    assert await page.evaluate("call.muted")
    await page.wait_for_selector("#turns li")
    await press("Tab")
    await has_focus("turns")
    await press("Shift+Tab")
    await has_focus("mute")
    await press("Shift+Tab")
    await has_focus("call")
    await press("Enter")
    await site.api.until_over(placed)
    await expect(body).to_have_attribute("data-state", "ended")
