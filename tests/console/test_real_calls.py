"""The console before a real runner: its admin listener, and calls that the stand-in places."""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from runner.cli.recorded_scenario import recorded_scenario
from runner.model.agent import Agent, Recording, Sensitive
from runner.model.tool import HttpBinding
from runner.standin.placed_call import PlacedCall
from runner.standin.script import CallerHangsUp, CallerSays, calls, greets, says
from tests.call.machine.playing import TO_NURSE, an_agent, tool, words
from tests.chromium import PATIENCE_MS
from tests.console.screen import WATCH, Screen
from tests.serve.admin.lab import LEAD, PAGER, AdminLab, desk, started

if TYPE_CHECKING:
    from playwright.async_api import Browser

playwright = pytest.importorskip("playwright.async_api", reason="the extra `browser` is not installed")
expect = playwright.expect
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

CARD = "4111 1111 1111 1111"


class Desk:
    """A runner, and windows before it."""

    def __init__(self, lab: AdminLab, browser: "Browser", stack: AsyncExitStack) -> None:
        self.lab = lab
        self._browser = browser
        self._stack = stack
        self.screens: list[Screen] = []

    async def window(self) -> Screen:
        context = await self._browser.new_context(viewport={"width": 1440, "height": 900})
        self._stack.push_async_callback(context.close)
        page = await context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        await page.add_init_script(WATCH)
        self.screens.append(Screen(page, self.lab.url))
        return self.screens[-1]

    async def signed_in(self, path: str = "/console/", token: str = LEAD) -> Any:
        screen = await self.window()
        page = await screen.open(path)
        await page.get_by_label("Token").fill(token)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Sign in")).to_have_count(0)
        return page

    async def ring(self, *script: Any) -> PlacedCall:
        """A call whose caller has heard the greeting."""
        call = await self.lab.ring(greets(), *script)
        await self.lab.api.until(lambda: "output_audio_buffer.stopped" in call.sent_types())
        return call

    def play(self, call: PlacedCall, *script: Any) -> None:
        call.play(*script)
        self.lab.api.wake(call)


@asynccontextmanager
async def opened(
    directory: Path, browser: "Browser", agent: Agent, *others: Agent, **more: Any
) -> AsyncIterator[Desk]:
    async with AsyncExitStack() as stack:
        lab = await stack.enter_async_context(started(directory, agent, *others, **more))
        found = Desk(lab, browser, stack)
        yield found
        for screen in found.screens:
            screen.wrong.extend(await screen.value("window.violations ?? []"))
        assert [wrong for screen in found.screens for wrong in screen.wrong] == []


@asynccontextmanager
async def an_endpoint() -> AsyncIterator[str]:
    """Where appointments are looked up."""

    async def slots(_: web.Request) -> web.Response:
        return web.json_response({"slots": ["09:00", "14:30"], "card": CARD})

    app = web.Application()
    app.router.add_get("/slots", slots)
    server = web.AppRunner(app)
    await server.setup()
    await web.TCPSite(server, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{server.addresses[0][1]}"
    finally:
        await server.cleanup()


async def test_who_may_see_the_console(tmp_path: Path, browser: "Browser") -> None:
    async with opened(tmp_path, browser, desk()) as found:
        screen = await found.window()
        page = await screen.open("/console/recent?q=card")
        for _ in range(10):
            await page.get_by_label("Token").fill("a guess")
            await page.keyboard.press("Enter")
            await expect(page.get_by_role("alert")).to_have_text("This token is not valid.")
            await page.get_by_label("Token").fill("")
            await page.evaluate("document.querySelector('.refusal').textContent = ''")
        await page.get_by_label("Token").fill(LEAD)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_contain_text("Wait a minute")


async def test_a_real_call_from_its_ring_to_its_record(tmp_path: Path, browser: "Browser") -> None:
    async with an_endpoint() as endpoint:
        lookup = tool("find_slots", HttpBinding(method="GET", url=words(f"{endpoint}/slots")))
        async with opened(tmp_path, browser, desk(tools=(lookup,)), scenario_of=recorded_scenario) as found:
            page = await found.signed_in()
            await expect(page.get_by_text("There are no live calls.")).to_be_visible()
            call = await found.ring()
            row = page.get_by_role("row").filter(has_text="+1 415 555 0100")
            await expect(row).to_contain_text("front-desk")
            await expect(row).to_contain_text("Hello.")

            await row.get_by_role("link").click()
            await expect(page.locator("h1")).to_have_text("+1 415 555 0100")
            await expect(page.locator(".entries")).to_contain_text("Hello.")
            found.play(
                call,
                CallerSays(text="Is there a slot on Friday?"),
                calls("find_slots", {"day": "Friday"}),
                says("At nine, or at half past two."),
            )
            entries = page.locator(".entries")
            await expect(entries).to_contain_text("Is there a slot on Friday?")
            await expect(entries).to_contain_text("At nine, or at half past two.")
            asked = page.locator(".entry", has_text="Is there a slot on Friday?")
            await expect(asked.locator(".tools")).to_contain_text("find_slots")
            await asked.locator("summary").click()
            await expect(asked.locator(".tools")).to_contain_text("ok 200")
            await expect(asked.locator(".tools")).to_contain_text('"day": "Friday"')
            await expect(asked.locator(".tools")).to_contain_text("14:30")
            await expect(page.locator(".timeline .bar-agent").first).to_be_visible()
            await expect(page.locator(".timeline .bar-caller").first).to_be_visible()

            await page.get_by_label("Sentence").fill("One moment please.")
            await page.keyboard.press("Enter")
            await expect(page.locator(".history")).to_contain_text("lead said “One moment please.”")
            await expect(page.locator(".history")).to_contain_text("heard by the caller")
            await page.locator(".acts .segments label").filter(has_text="Note").click()
            await page.get_by_role("textbox", name="Note", exact=True).fill("Called before.")
            await page.keyboard.press("Enter")
            await expect(page.locator(".history")).to_contain_text("lead noted “Called before.”")

            await page.get_by_role("button", name="Hang up…").click()
            await page.get_by_role("dialog").get_by_role("button", name="Hang up").click()
            await expect(page.locator(".status")).to_have_text("over: person hung up")
            await expect(page.get_by_role("button", name="Make a test of this call")).to_be_visible()
            await expect(page.locator(".history")).to_contain_text("lead hung up")
            await expect(entries).to_contain_text("Is there a slot on Friday?")

            await page.get_by_role("button", name="Make a test of this call").click()
            await expect(page.get_by_role("dialog")).to_contain_text("Is there a slot on Friday?")
            await page.keyboard.press("Escape")

            await page.get_by_role("link", name="Recent", exact=True).click()
            await expect(page.get_by_role("row").filter(has_text="person hung up")).to_contain_text(
                "+1 415 555 0100"
            )
            await page.get_by_label("Words or number").fill("half past two")
            await page.keyboard.press("Enter")
            await expect(page).to_have_url(f"{found.lab.url}/console/recent?q=half+past+two")
            await expect(page.get_by_role("row")).to_have_count(2)
            await page.get_by_role("link", name="The day").click()
            await expect(page.locator(".panel", has_text="How calls ended")).to_contain_text("person hung up")


async def test_a_take_over_and_what_becomes_of_it(tmp_path: Path, browser: "Browser") -> None:
    async with opened(tmp_path, browser, desk()) as found:
        call = await found.ring()
        page = await found.signed_in(f"/console/calls/{call.id}")
        await page.get_by_role("button", name="Take over").click()
        await expect(page.locator(".lead")).to_contain_text("You lead: the agent says nothing of its own.")
        other = await found.signed_in(f"/console/calls/{call.id}", token=PAGER)
        await expect(other.locator("h1")).to_have_text("+1 415 555 0100")
        await expect(other.locator(".acts")).to_be_hidden()
        await expect(other.locator(".history")).to_contain_text("lead took over")

        found.play(call, CallerSays(text="Are you a person?"))
        await expect(other.locator(".entries")).to_contain_text("Are you a person?")
        await page.get_by_label("Sentence").fill("Yes, I am.")
        await page.keyboard.press("Enter")
        await expect(other.locator(".history")).to_contain_text("lead said “Yes, I am.”")
        await expect(other.locator(".history")).to_contain_text("heard by the caller")

        await page.get_by_role("button", name="Give back…").click()
        await page.get_by_role("dialog").get_by_role("button", name="Give back").click()
        await expect(page.locator(".lead")).to_be_hidden()
        await expect(other.locator(".history")).to_contain_text("lead gave the call back")
        found.play(call, CallerHangsUp())
        await expect(other.locator(".status")).to_have_text("over: caller hung up")


async def test_a_card_number_is_neither_on_the_page_nor_in_the_stream(
    tmp_path: Path, browser: "Browser"
) -> None:
    agent = desk(record=Recording(kinds=frozenset({Sensitive.PAYMENT_CARD})))
    async with opened(tmp_path, browser, agent) as found:
        call = await found.ring()
        screen = await found.window()
        streamed: list[str] = []
        page = await screen.open(f"/console/calls/{call.id}")
        await page.evaluate(
            """() => {
              window.seen = "";
              const look = () => { window.seen += document.documentElement.textContent + "\\n"; };
              const all = {subtree: true, childList: true, characterData: true};
              new MutationObserver(look).observe(document, all);
            }"""
        )
        await page.get_by_label("Token").fill(LEAD)
        await page.keyboard.press("Enter")
        await expect(page.locator(".entries")).to_contain_text("Hello.")
        async with found.lab.follow(f"/admin/events?call={call.id}") as stream:
            found.play(
                call,
                CallerSays(text=f"My card is {CARD}, thank you."),
                says(f"I have noted {CARD}."),
                CallerHangsUp(),
            )
            streamed = [str(event.data) for event in await stream.to_the_end()]
        await expect(page.locator(".status")).to_have_text("over: caller hung up")
        await expect(page.get_by_role("button", name="Make a test of this call")).to_be_visible()
        await expect(page.locator(".entries")).to_contain_text("I have noted")
        seen = [await page.evaluate("window.seen"), await page.content(), *streamed]
        assert [text for text in seen if "4111" in text or "1111" in text] == []


async def test_every_act_on_a_real_call(tmp_path: Path, browser: "Browser") -> None:
    agent = desk(tools=(TO_NURSE,), vars={"plan": words("free")})
    after_hours = an_agent("after-hours")
    async with opened(tmp_path, browser, agent, after_hours) as found:
        call = await found.ring()
        page = await found.signed_in(f"/console/calls/{call.id}")
        history = page.locator(".history li")

        async def press(button: str, fill: dict[str, str], told: str) -> None:
            """The act's button and form; then the newest act says so."""
            await page.get_by_role("button", name=button, exact=True).click()
            dialog = page.get_by_role("dialog")
            for label, value in fill.items():
                select = dialog.get_by_role("combobox", name=label, exact=True)
                if await select.count():
                    await select.select_option(value)
                else:
                    await dialog.get_by_role("textbox", name=label, exact=True).fill(value)
            if fill:
                await dialog.locator("button[type=submit]").click()
                await expect(dialog).to_have_count(0)
            await expect(history.first).to_contain_text(told)

        await page.locator(".acts .segments label").filter(has_text="Tell").click()
        await page.get_by_role("textbox", name="Message to the agent").fill("The caller is in a hurry.")
        await page.keyboard.press("Enter")
        await expect(history.first).to_contain_text("told the agent “The caller is in a hurry.”")
        await expect(history.first).to_contain_text("done")
        await press("Hush", {}, "hushed the agent")
        await press("Variables…", {"Variable": "plan", "Value": "gold"}, 'set plan = "gold"')
        await expect(page.locator(".why")).to_contain_text("gold")
        await press("Instructions…", {"Instructions": "Be brief."}, "added instructions “Be brief.”")
        await press("Hand off…", {"Agent": "after-hours"}, "handed off to after-hours")
        await expect(page.locator(".facts")).to_contain_text("after-hours")
        await expect(page.locator(".entries")).to_contain_text("Handed off to after-hours")
        await expect(history.filter(has_text="done")).to_have_count(5)
        sentence = {"Destination": "nurse", "Say first": "I put you through."}
        await press("Transfer…", sentence, "transferred to nurse")
        await expect(page.locator(".status")).to_have_text("over: transferred")
        await expect(history.first).to_contain_text("completed")
        await expect(page.locator(".entries")).to_contain_text("I put you through.")
    assert call.requests[-1].body == {"target_uri": "sip:nurse@maple.example"}


async def test_a_page_of_another_port_of_the_same_host_steers_nothing(
    tmp_path: Path, browser: "Browser", caplog: pytest.LogCaptureFixture
) -> None:
    """The browser sends the session's cookie there too: to SameSite all ports of a host are one site."""
    caplog.set_level(logging.INFO)
    async with opened(tmp_path, browser, desk()) as found, an_endpoint() as other_port:
        call = await found.ring()
        page = await found.signed_in(f"/console/calls/{call.id}")
        await expect(page.locator(".entries")).to_contain_text("Hello.")
        caplog.clear()
        attacker = await page.context.new_page()
        await attacker.goto(f"{other_port}/slots")
        hang_up = f"{found.lab.url}/admin/calls/{call.id}/hangup"
        await attacker.evaluate(
            """async (url) => {
              for (const type of ["text/plain", "application/json"])
                for (const mode of ["no-cors", "cors"])
                  await fetch(url, {
                    method: "POST", credentials: "include", mode, headers: {"content-type": type}, body: "{}",
                  }).catch(() => null);
              navigator.sendBeacon(url, "{}");
              const form = Object.assign(document.createElement("form"), {
                method: "POST", action: url, enctype: "text/plain",
              });
              document.body.append(form);
              form.submit();
            }""",
            hang_up,
        )
        await expect(attacker.locator("body")).to_contain_text("another site")
        assert (await found.lab.get(f"/admin/calls/{call.id}"))["deeds"] == []
    refusals = [vars(record)["reason"] for record in caplog.records if "refused" in record.message]
    assert refusals
    assert set(refusals) == {"cross-site"}
