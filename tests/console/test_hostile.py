"""Whatever a caller, a model, an endpoint or an agent's file says is text: in every field of every page."""

from typing import Any

import pytest

from tests.console import calls
from tests.console.made_up_admin import MadeUpAdmin
from tests.console.screen import Look, Screen

playwright = pytest.importorskip("playwright.async_api", reason="the extra `browser` is not installed")
expect = playwright.expect
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ATTACKS = (
    "<img src=x onerror='window.hacked=1'>",
    "<script>window.hacked=1</script>",
    "\"><svg onload='window.hacked=1'>",
    "javascript:window.hacked=1",
    "</pre></textarea></title><iframe srcdoc='<script>parent.hacked=1</script>'>",
    "{{constructor.constructor('window.hacked=1')()}}",
)
WORDS_OF_THE_API = {"phase", "speaking", "transport", "who", "role", "status", "what", "may", "result"}


def hostile(value: Any, attack: str, key: str = "") -> Any:
    """The same with every text turned into an attack, but for words of which the API has a list."""
    if isinstance(value, dict):
        return {name: hostile(part, attack, name) for name, part in value.items()}
    if isinstance(value, list):
        return [hostile(part, attack, key) for part in value]
    if (
        isinstance(value, str)
        and key not in WORDS_OF_THE_API
        and key not in {"id", "after", "call_id", "turn"}
    ):
        return attack
    return value


async def is_harmless(screen: Screen, attack: str, name: str) -> None:
    found = await screen.value(
        """() => ({
          hacked: window.hacked ?? null,
          foreign: document.querySelectorAll("img, iframe, object, body script").length,
          links: [...document.links].map((link) => link.protocol).filter((name) => !/^https?:$/.test(name)),
          listeners: [...document.querySelectorAll("*")].flatMap((node) => [...node.attributes])
            .filter((attribute) => attribute.name.startsWith("on")).length,
        })"""
    )
    assert found == {"hacked": None, "foreign": 0, "links": [], "listeners": 0}, name
    assert attack in await screen.value("document.body.textContent"), f"{name} shows it as it is"


@pytest.mark.parametrize("attack", ATTACKS)
async def test_hostile_texts_are_shown_and_do_nothing(admin: MadeUpAdmin, look: Look, attack: str) -> None:
    now = admin.now
    admin.is_signed_in = True
    admin.rows = [hostile(calls.row(n, now, id=f"rtc/{attack}{n}"), attack) for n in range(3)]
    call = hostile(calls.live_call(now, faults=["x"], trouble="x"), attack)
    call["vars"] = {attack: attack}
    call["handoffs"] = [{"agent": attack, "because": attack, "at": now}]
    call["tools"][1]["arguments"] = {attack: [attack]}
    admin.calls["rtc_live"] = call
    record = hostile(calls.record(now, id="rtc_over"), attack)
    admin.records["rtc_over"] = record
    admin.scenario = f"name: {attack}\n"
    day = calls.day(now - now % 86400)
    admin.day = {
        **day,
        "ended": {attack: 3},
        "agents": {attack: 3},
        "tools": {attack: day["tools"]["find_order"]},
    }
    screen = await look()

    for name, path, shown, count in (
        ("live", "/console/", ".rows [role=row]", 3),
        ("call", "/console/calls/rtc_live", ".tools summary", 3),
        ("record", "/console/calls/rtc_over", ".tools summary", 3),
        ("recent", f"/console/recent?q={attack[:1]}script", ".rows [role=row]", 1),
        ("day", "/console/day", ".plot svg", 3),
    ):
        page = await screen.open(path)
        await expect(page.locator(shown)).to_have_count(count)
        await expect(page.locator("body")).to_contain_text(attack)
        if name in {"call", "record"}:
            for details in await page.locator(".tools summary").all():
                await details.click()
            await expect(page.locator(".tools details[open]")).to_have_count(count)
        if name == "record":
            await page.get_by_role("button", name="Make a test of this call").click()
            await page.wait_for_selector("dialog .test-text")
        await is_harmless(screen, attack, name)
