"""One call: followed to its end, and read from its record."""

import re
import time
from typing import Any

import pytest

from tests.console import calls
from tests.console.made_up_admin import MadeUpAdmin
from tests.console.screen import Look

playwright = pytest.importorskip("playwright.async_api", reason="the extra `browser` is not installed")
expect = playwright.expect
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ID = "rtc_u0_9b2e41"


@pytest.fixture
def call(admin: MadeUpAdmin) -> dict[str, Any]:
    admin.is_signed_in = True
    call = calls.live_call(admin.now)
    admin.calls[ID] = call
    return call


async def test_a_call_is_followed_to_its_end(admin: MadeUpAdmin, call: dict[str, Any], look: Look) -> None:
    screen = await look()
    page = await screen.open(f"/console/calls/{ID}")
    last = page.locator(".entries > li").last
    await expect(last).to_contain_text("And when does it arrive?")
    await expect(page.locator(".status")).to_have_text("the caller speaks")
    await expect(page.locator(".why")).to_contain_text("agents/order-line.yaml:6:5")
    await expect(page.locator(".why")).to_contain_text("+1 800 555 0177 (in Diversion)")
    await expect(page.locator(".limits")).to_contain_text("$0.41 of $2.00")
    await expect(page.locator(".limits")).to_contain_text("3 of 40")

    now = admin.now
    floor = {**call["floor"], "at": now + 1, "caller": False, "agent": True}
    spans = [
        {**call["spans"][-1], "to": now + 0.5},
        {"who": "agent", "from": now + 1, "to": None, "interrupted": False},
    ]
    admin.tell("floor", {**floor, "spans": spans}, ID)
    for text in ("It should", " be with you", " on Friday."):
        admin.tell("words", {"id": "item_14", "role": "agent", "text": text, "at": now + 1}, ID)
    await expect(last).to_contain_text("It should be with you on Friday.")
    await expect(page.locator(".status")).to_have_text("the agent speaks")

    turn = calls.turn(14, "agent", "It should be with you on Friday.", now + 1, waited_s=2.4, heard_ms=900)
    admin.tell("turn", turn, ID)
    await expect(last).to_contain_text("after 2.4 s · interrupted, 900 ms heard")
    late = calls.turn(99, "caller", "Before that I had asked.", now + 0.4, after="item_13")
    admin.tell("turn", late, ID)
    await expect(page.locator(".entries > li").nth(-2)).to_contain_text("Before that I had asked.")

    running = calls.tool(9, "send_tracking_link", now + 2, took_s=None, status="running", http_status=None)
    admin.tell("tool", {**running, "attempts": [], "reply": None, "turn": "item_14"}, ID)
    await expect(last).to_contain_text("send_tracking_link")
    await expect(last).to_contain_text("running")
    admin.tell("tool", calls.tool(9, "send_tracking_link", now + 2, took_s=1.4, turn="item_14"), ID)
    await expect(last).to_contain_text("ok 200 · 1.4 s")
    await page.get_by_text("send_tracking_link", exact=True).click()
    await expect(last).to_contain_text('"order_number": "204518"')
    await expect(last).to_contain_text("Northern Post")
    await expect(last).to_contain_text("+0 ms · 200 · took 1.4 s")

    admin.tell("limits", {**call["limits"], "cost_usd": 1.88, "tool_calls": 4}, ID)
    await expect(page.locator(".limits")).to_contain_text("$1.88 of $2.00")
    change = {
        "agent": "front-desk",
        "because": "the caller asked for it",
        "at": now + 5,
        "vars": {"shop": "x"},
    }
    admin.tell("agent", {**change, "choices": call["choices"]}, ID)
    await expect(last).to_contain_text("Handed off to front-desk: the caller asked for it")
    await expect(page.locator(".facts")).to_contain_text("front-desk")

    admin.records[ID] = calls.record(now, id=ID, ended="caller_hung_up")
    admin.tell("ended", {"id": ID, "ended": "caller_hung_up", "detail": "", "ended_at": time.time()}, ID)
    await expect(page.locator(".status")).to_have_text("over: caller hung up")
    await expect(page.get_by_role("button", name="Make a test of this call")).to_be_visible()
    await expect(page.locator(".acts")).to_be_hidden()
    await expect(last).to_contain_text("caller hung up", ignore_case=True)


async def test_silences_are_shaded_with_their_seconds(call: dict[str, Any], look: Look) -> None:
    page = await (await look()).open(f"/console/calls/{ID}")

    await expect(page.locator(".timeline .silence")).to_have_count(9)
    seconds = page.locator(".timeline .seconds")
    await expect(seconds.nth(0)).to_have_text("5.2 s")
    await expect(seconds.nth(1)).to_have_text("14 s")
    await expect(page.locator(".entry.silence").first).to_contain_text("5.2 s of silence")
    drawn = page.locator(".timeline svg").first
    sums = re.compile("3 tool calls, 9 silences, the longest of 16 s")
    await expect(drawn).to_have_attribute("aria-label", sums)


async def test_whoever_reads_further_up_is_left_there(
    admin: MadeUpAdmin, call: dict[str, Any], look: Look
) -> None:
    screen = await look()
    page = await screen.open(f"/console/calls/{ID}")
    scroller = page.locator(".scroller")
    await expect(page.locator(".entries > li").last).to_be_in_viewport()

    await scroller.evaluate("node => { node.scrollTop = 0; }")
    await expect(page.get_by_role("button", name="Latest")).to_be_visible()
    admin.tell("turn", calls.turn(14, "agent", "On Friday.", admin.now), ID)
    await expect(page.locator(".entries")).to_contain_text("On Friday.")
    assert await scroller.evaluate("node => node.scrollTop") == 0
    await page.get_by_role("button", name="Latest").click()
    await expect(page.locator(".entries > li").last).to_be_in_viewport()
    admin.tell("turn", calls.turn(15, "caller", "Thank you very much.", admin.now), ID)
    await expect(page.locator(".entries > li").last).to_contain_text("Thank you very much.")
    await expect(page.locator(".entries > li").last).to_be_in_viewport()


async def test_a_stream_that_breaks_off_is_taken_up_again(
    admin: MadeUpAdmin, call: dict[str, Any], look: Look
) -> None:
    page = await (await look()).open(f"/console/calls/{ID}")
    await expect(page.get_by_text("connected", exact=True)).to_be_visible()
    admin.tell("turn", calls.turn(14, "agent", "On Friday.", admin.now), ID)
    await expect(page.locator(".entries")).to_contain_text("On Friday.")
    last_id = f"1.{admin.sequence}"

    with admin.away():
        await expect(page.locator(".connection")).to_have_text("reconnecting")
    await expect(page.locator(".connection")).to_have_text("connected")

    assert admin.resumed == [None, last_id]


async def test_a_call_that_is_over_is_read_from_its_record_and_made_a_test(
    admin: MadeUpAdmin, look: Look
) -> None:
    admin.is_signed_in = True
    admin.records["rtc_old"] = calls.record(admin.now, id="rtc_old")
    admin.scenario = "agent: order-line\nscenarios: []\n"
    page = await (await look()).open("/console/calls/rtc_old")

    await expect(page.locator("h1")).to_have_text("+1 415 555 0100")
    await expect(page.locator(".entries > li").last).to_contain_text("caller hung up", ignore_case=True)
    await expect(page.locator(".timeline .silence").first).to_be_visible()
    await expect(page.locator(".acts")).to_be_hidden()
    await page.get_by_role("button", name="Make a test of this call").click()
    await expect(page.get_by_role("dialog")).to_contain_text("scenarios: []")
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download").click()
    assert (await download.value).suggested_filename == "rtc_old.test.yaml"
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="Make a test of this call")).to_be_focused()


async def test_a_call_that_nobody_knows_is_said_to_be_one(admin: MadeUpAdmin, look: Look) -> None:
    admin.is_signed_in = True
    page = await (await look()).open("/console/calls/rtc_none")
    await expect(page.get_by_text("There is no such call, neither live nor in the records.")).to_be_visible()
