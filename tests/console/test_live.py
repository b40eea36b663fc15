"""The list of live calls: found, followed, and 500 of them without stutter."""

import asyncio

import pytest

from tests.console import calls
from tests.console.made_up_admin import MadeUpAdmin
from tests.console.screen import Look

playwright = pytest.importorskip("playwright.async_api", reason="the extra `browser` is not installed")
expect = playwright.expect
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture(autouse=True)
def _signed_in(admin: MadeUpAdmin) -> None:
    admin.is_signed_in = True


async def test_calls_come_change_and_go(admin: MadeUpAdmin, look: Look) -> None:
    quiet = {"speaking": "nobody", "tools_running": 0, "led_by": None, "trouble": None}
    admin.rows = [calls.row(1, admin.now, **quiet), calls.row(2, admin.now, **quiet)]
    page = await (await look()).open()
    await expect(page.get_by_role("row")).to_have_count(3)
    first = page.get_by_role("row").filter(has_text="0001")
    await expect(first).to_contain_text("quiet")

    changes = {"speaking": "agent", "trouble": "the sideband is lost", "cost_usd": 1.9}
    admin.tell("calls", {"now": admin.now, "calls": [{**admin.rows[0], **changes}, calls.row(3, admin.now)]})
    await expect(first).to_contain_text("agent")
    await expect(first).to_contain_text("the sideband is lost")
    await expect(first).to_contain_text("$1.90")
    await expect(page.locator(".sums dd").first).to_have_text("3")
    numbers = page.locator(".rows .c-caller")
    # What is in trouble stands first.
    await expect(numbers.first).to_have_text("+1 415 555 0001")

    admin.tell("gone", {"now": admin.now, "id": "rtc_0002", "ended": "hangup", "ended_at": admin.now})
    await expect(page.get_by_text("0002")).to_have_count(0)


async def test_calls_of_a_runner_that_does_not_answer_are_out_of_sight(
    admin: MadeUpAdmin, look: Look
) -> None:
    admin.rows = [calls.row(1, admin.now, runner="host-1"), calls.row(2, admin.now, runner="host-2")]
    admin.missing = ["host-2"]
    page = await (await look()).open()
    away = page.get_by_role("alert")
    await expect(away).to_have_text(
        "host-2 does not answer: those calls go on, and are shown here as they last were, if at all."
    )
    lost = page.get_by_role("row").filter(has_text="0002")
    await expect(lost).to_contain_text("out of sight")
    await expect(page.get_by_role("row").filter(has_text="0001")).not_to_contain_text("out of sight")
    runners = ["host-1", "host-2", "host-3"]
    admin.tell("runners", {"now": admin.now, "runners": runners, "missing": runners[1:]})
    await expect(away).to_contain_text("host-2 and host-3 do not answer")
    admin.tell("runners", {"now": admin.now, "runners": ["host-1"], "missing": []})
    await expect(away).to_be_hidden()
    await expect(lost).not_to_contain_text("out of sight")


async def test_calls_are_found_and_put_in_order(admin: MadeUpAdmin, look: Look) -> None:
    admin.rows = [calls.row(n, admin.now, trouble=None, cost_usd=n / 2) for n in range(4)]
    admin.rows[2]["last_words"] = "Where is my tracking link?"
    page = await (await look()).open()
    numbers = page.locator(".rows .c-caller")

    await page.get_by_role("searchbox").fill("555 0003")
    await expect(numbers).to_have_text(["+1 415 555 0003"])
    await page.get_by_role("searchbox").fill("TRACKING")
    await expect(numbers).to_have_text(["+1 415 555 0002"])
    await page.get_by_role("searchbox").fill("nobody like this")
    await expect(page.get_by_text("No live call matches.")).to_be_visible()

    await page.get_by_role("searchbox").fill("")
    await page.get_by_label("Order").select_option("Most expensive first")
    await expect(numbers).to_have_text([f"+1 415 555 {n:04}" for n in (3, 2, 1, 0)])
    await page.get_by_label("Agent", exact=True).select_option(admin.rows[1]["agent"])
    await expect(numbers).to_have_text(["+1 415 555 0001"])


async def test_a_runner_without_calls_says_so(look: Look) -> None:
    page = await (await look()).open()
    await expect(page.get_by_text("There are no live calls.")).to_be_visible()


DRAW_ALL = """
  (times) => {
    const rows = document.querySelector(".rows");
    for (let turn = 0; turn < times; turn++) document.createElement("div").append(rows.cloneNode(true));
  }
"""


async def test_500_calls_ten_changes_a_second_and_no_stutter(admin: MadeUpAdmin, look: Look) -> None:
    """Changing fifty lines costs little beside making all of them anew, and no heap is left behind.

    Both are CPU time of the same page, so that a slow machine, or one that does other things, says the same.
    """
    admin.rows = [calls.row(n, admin.now) for n in range(500)]
    page = await (await look()).open()
    await expect(page.get_by_role("row")).to_have_count(501)
    inspector = await page.context.new_cdp_session(page)
    await inspector.send("Performance.enable", {"timeDomain": "threadTicks"})

    async def measured() -> dict[str, float]:
        metrics = (await inspector.send("Performance.getMetrics"))["metrics"]
        return {metric["name"]: metric["value"] for metric in metrics}

    changes, seconds = 50, 5
    start = await measured()
    await page.evaluate(DRAW_ALL, changes)
    drawn = await measured()
    await inspector.send("HeapProfiler.collectGarbage")
    before = await measured()
    for n in range(changes):
        changed = [
            {
                **admin.rows[(n * 37 + k) % 500],
                "speaking": "agent" if (n + k) % 2 else "caller",
                "cost_usd": n / 40,
            }
            for k in range(50)
        ]
        admin.tell("calls", {"now": admin.now + n / 10, "calls": changed})
        await asyncio.sleep(seconds / changes)
    await expect(page.locator(".c-cost", has_text=f"${(changes - 1) / 40:.2f}")).not_to_have_count(0)
    after = await measured()
    await inspector.send("HeapProfiler.collectGarbage")
    end = await measured()

    all_anew = drawn["TaskDuration"] - start["TaskDuration"]
    work = (after["TaskDuration"] - before["TaskDuration"]) / all_anew
    script = (after["ScriptDuration"] - before["ScriptDuration"]) / all_anew
    heap_mb = end["JSHeapUsedSize"] / 1e6
    grown_mb = (end["JSHeapUsedSize"] - before["JSHeapUsedSize"]) / 1e6
    print(f"{all_anew=:.3f} {work=:.2f} {script=:.2f} {heap_mb=:.1f} {grown_mb=:.2f}")
    assert work < 5
    assert script < 1
    assert heap_mb < 12
    assert grown_mb < 1
