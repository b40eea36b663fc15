"""For everybody: axe-core finds nothing on any screen, and a keyboard is enough."""

import pytest

from tests.console import calls
from tests.console.faultless import axe_core, faultless
from tests.console.made_up_admin import TOKEN, MadeUpAdmin
from tests.console.screen import HEIGHTS, Look, Screen

playwright = pytest.importorskip("playwright.async_api", reason="the extra `browser` is not installed")
expect = playwright.expect
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ID = "rtc_u0_9b2e41"


def full(admin: MadeUpAdmin) -> None:
    """Something on every screen."""
    now = admin.now
    admin.rows = [calls.row(n, now) for n in range(60)]
    admin.calls[ID] = calls.live_call(now)
    admin.records = {
        f"rtc_{n}": calls.record(now - n * 4000, id=f"rtc_{n}", caller=f"+1415555{n:04}") for n in range(30)
    }
    admin.day = calls.day(now - now % 86400)
    admin.scenario = "agent: order-line\nscenarios:\n  - name: wrong filters\n"


@pytest.mark.parametrize("width", list(HEIGHTS))
async def test_axe_finds_nothing(admin: MadeUpAdmin, look: Look, width: int) -> None:
    axe = axe_core()
    full(admin)
    screen = await look(width)
    page = await screen.open()
    await faultless(page, "sign-in", axe)
    await page.get_by_label("Token").fill("wrong")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).not_to_be_empty()
    await faultless(page, "sign-in-refused", axe)
    admin.is_signed_in = True

    await screen.open("/console/")
    await expect(page.get_by_role("row")).to_have_count(61)
    await faultless(page, "live", axe)

    await screen.open(f"/console/calls/{ID}")
    await expect(page.locator(".entries > li").last).to_contain_text("And when does it arrive?")
    await faultless(page, "call", axe)
    await page.locator(".tools summary").nth(1).click()
    if width < 901:
        await page.locator(".more > summary").click()
    await faultless(page, "call-open", axe)
    await page.get_by_role("button", name="Transfer…").click()
    await faultless(page, "call-transfer", axe)

    await screen.open("/console/calls/rtc_3")
    await expect(page.get_by_role("button", name="Make a test of this call")).to_be_visible()
    await faultless(page, "record", axe)
    await page.get_by_role("button", name="Make a test of this call").click()
    await expect(page.locator(".test-text")).to_contain_text("wrong filters")
    await faultless(page, "record-test", axe)

    await screen.open("/console/recent")
    await expect(page.get_by_role("row")).to_have_count(31)
    await faultless(page, "recent", axe)

    await screen.open("/console/day")
    await expect(page.locator(".plot svg").first).to_be_visible()
    await page.locator(".behind summary").nth(1).click()
    await faultless(page, "day", axe, whole=True)


async def test_a_keyboard_is_enough(admin: MadeUpAdmin, look: Look) -> None:
    full(admin)
    screen = await look()
    page = await screen.open()
    press = page.keyboard.press
    focused = page.locator(":focus")
    await expect(page.get_by_label("Token")).to_be_focused()
    await page.keyboard.type(TOKEN)
    await press("Enter")
    await expect(page.locator("h1")).to_have_text("Live calls")
    await expect(page.locator("h1")).to_be_focused()

    await press("Tab")
    await expect(focused).to_have_attribute("id", "find")
    await page.keyboard.type("555 004")
    await expect(page.get_by_role("row")).to_have_count(11)
    links = page.locator(".rows a")
    for _ in range(3):
        await press("Tab")
    await expect(links.nth(0)).to_be_focused()
    await press("ArrowDown")
    await expect(links.nth(1)).to_be_focused()
    await press("ArrowUp")
    await expect(links.nth(0)).to_be_focused()
    admin.calls = {row["id"]: calls.live_call(admin.now, id=row["id"]) for row in admin.rows}
    await press("Enter")
    await expect(page.locator("h1")).to_have_text("+1 415 555 0100")
    await expect(page.locator("h1")).to_be_focused()

    async def tab_to(name: str) -> None:
        for _ in range(40):
            await press("Tab")
            label = await focused.evaluate(
                "node => node.getAttribute('aria-label') || node.innerText || node.name"
            )
            if label == name:
                return
        raise AssertionError(f"{name} is out of reach")

    await tab_to("Turns")
    await tab_to("say")
    await page.keyboard.type("One moment.")
    await press("Enter")
    await admin.asked(1)
    await expect(page.get_by_label("Sentence")).to_have_value("")
    await tab_to("Transfer…")
    await press("Enter")
    await expect(page.get_by_role("button", name="Keep the call")).to_be_focused()
    await press("Escape")
    await expect(focused).to_have_text("Transfer…")
    assert [act for _, act, _, _ in admin.acts] == ["say"]


async def test_the_first_tab_skips_to_the_page(admin: MadeUpAdmin, look: Look) -> None:
    admin.is_signed_in = True
    page = await (await look()).open()
    await page.keyboard.press("Tab")
    await expect(page.locator(":focus")).to_have_text("Skip to the page")
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()


async def test_what_became_of_an_act_is_told_to_a_screen_reader(admin: MadeUpAdmin, look: Look) -> None:
    admin.is_signed_in = True
    admin.calls[ID] = calls.live_call(admin.now, deeds=[])
    page = await (await look()).open(f"/console/calls/{ID}")
    await expect(page.locator(".entries")).to_contain_text("And when")
    admin.tell("deed", calls.deed(0, "say", {"say": "Hi"}, admin.now, "interrupted"), ID)
    await expect(page.locator("body > p[role=status]")).to_have_text("shift-lead said “Hi”: interrupted ")


async def test_a_scheme_that_was_chosen_is_kept(admin: MadeUpAdmin, look: Look) -> None:
    admin.is_signed_in = True
    page = await (await look(scheme="light")).open()
    body = page.locator("body")
    light, dark = [await _ground(await look(scheme=scheme)) for scheme in ("light", "dark")]
    assert light != dark
    await expect(body).to_have_css("background-color", light)
    await page.get_by_role("button", name="Dark").click()
    await expect(body).to_have_css("background-color", dark)
    await page.reload()
    await expect(body).to_have_css("background-color", dark)


async def _ground(screen: Screen) -> str:
    """The colour of its ground."""
    await screen.open()
    return str(await screen.value("getComputedStyle(document.body).backgroundColor"))
