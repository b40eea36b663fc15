"""The page /talk/AGENT in real chromium: sound both ways, tools, interruptions, every kind of end."""

import asyncio
import json
import time
from typing import TYPE_CHECKING

import pytest

from runner.standin.faults import Faults, HttpFault
from runner.standin.script import CallerHangsUp, CallerSays, When, calls, greets, says
from tests.console.screen import until
from tests.talk.conftest import PATIENCE_S, SECRET, Site

if TYPE_CHECKING:
    from playwright.async_api import Page, Route

playwright = pytest.importorskip("playwright.async_api", reason="the extra `browser` is not installed")
expect = playwright.expect
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

LOUDNESS = """
async () => {
  const next = () => new Promise((resolve) => setTimeout(resolve, 25));
  while (!window.call?.streams?.agent) await next();
  const { agent } = window.call.streams;
  const context = new AudioContext();
  const meter = context.createAnalyser();
  context.createMediaStreamSource(agent).connect(meter);
  const samples = new Float32Array(meter.fftSize);
  let loudest = 0;
  for (let turn = 0; turn < 1000 && loudest < 0.01; turn++) {
    await next();
    meter.getFloatTimeDomainData(samples);
    const rms = Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
    loudest = Math.max(loudest, rms);
  }
  await context.close();
  return loudest;
}
"""


async def state(page: "Page", wanted: str) -> None:
    await page.wait_for_selector(f'body[data-state="{wanted}"]')


async def called(site: Site, page: "Page") -> None:
    """Press the button, and wait until one can speak."""
    await page.click("#call")
    await state(page, "talking")


async def test_one_is_greeted_and_hears_it_and_is_heard(site: Site) -> None:
    placed = site.api.expect_offer(greets())
    page = await site.talk(await site.window(microphone="speaks"))
    # From the first sound on: a slow machine may have nothing left to hear once the call shows.
    loudness = asyncio.create_task(page.evaluate(LOUDNESS))
    await called(site, page)
    assert await loudness > 0.01
    await expect(page.locator("#turns li").first).to_contain_text("Hello and welcome")
    await site.api.until(lambda: site.peers.heard.get(placed.id, 0) >= 1, PATIENCE_S)
    await page.click("#call")
    await state(page, "ended")
    await site.api.until_over(placed)
    [record] = await site.records()
    assert (record["ended"], record["caller"], record["transport"]) == (
        "caller_hung_up",
        "web:user-1",
        "webrtc",
    )
    assert placed.violations == []
    assert "m=application" not in placed.offer


async def test_a_tool_is_run_on_the_server_and_the_page_sees_none_of_it(site: Site) -> None:
    placed = site.api.expect_offer(greets(), calls("look"), says("Three are free."))
    page = await site.talk(await site.window(microphone="speaks"))
    await called(site, page)
    await page.wait_for_selector("text=Three are free.")
    assert [json.loads(output) for output in placed.outputs().values()] == [{"slots": 3}]
    await expect(page.locator("body")).not_to_contain_text("look")


async def test_one_who_speaks_interrupts_the_agent(site: Site) -> None:
    long = "So let me tell you about all of our many offers. " * 12
    placed = site.api.expect_offer(greets(long))
    page = await site.talk(await site.window(microphone="speaks"))
    await called(site, page)
    await site.api.until(lambda: "output_audio_buffer.started" in placed.sent_types(), PATIENCE_S)
    await site.api.until(lambda: "output_audio_buffer.cleared" in placed.sent_types(), PATIENCE_S)


async def test_the_agent_hangs_up(site: Site) -> None:
    placed = site.api.expect_offer(greets(), calls("end_call"))
    page = await site.talk(await site.window(microphone="speaks"))
    await called(site, page)
    await state(page, "ended")
    await site.api.until_over(placed)
    assert (await site.records())[0]["ended"] == "hangup"


async def test_the_api_hangs_up(site: Site) -> None:
    placed = site.api.expect_offer(greets())
    page = await site.talk(await site.window())
    await called(site, page)
    placed.play(CallerHangsUp(when=When.AT_ONCE))
    site.api.wake(placed)
    await state(page, "ended")


async def test_a_tab_that_is_closed_has_hung_up(site: Site) -> None:
    placed = site.api.expect_offer(greets())
    page = await site.talk(await site.window())
    await called(site, page)
    await page.close(run_before_unload=True)
    await site.api.until_over(placed)
    assert (await site.records())[0]["ended"] == "caller_hung_up"


async def test_a_tab_that_is_killed_is_noticed_by_the_api(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Six answers that do not come are the end (RFC 7675 has them five seconds apart).
    monkeypatch.setattr("aioice.ice.CONSENT_INTERVAL", 0.5)
    placed = site.api.expect_offer(greets())
    page = await site.talk(await site.window())
    await called(site, page)
    with pytest.raises(Exception, match="crash"):
        await page.goto("chrome://crash")
    await site.api.until_over(placed)
    assert (await site.records())[0]["ended"] == "caller_hung_up"


async def test_a_network_that_is_lost_is_told_at_once_and_ends_the_call(site: Site) -> None:
    placed = site.api.expect_offer(greets())
    context = await site.window()
    await context.clock.install()
    page = await site.talk(context)
    await called(site, page)
    await site.peers.cut(placed)
    await state(page, "lost")
    await expect(page.locator("#problem")).to_contain_text("Connection lost")
    # It may still come back.
    assert not placed.is_over
    await context.clock.fast_forward(15_000)
    await state(page, "ended")
    await expect(page.locator("#problem")).to_contain_text("has ended")
    await site.api.until_over(placed)


async def test_two_tabs_are_two_calls(site: Site) -> None:
    context = await site.window()
    placed = [site.api.expect_offer(greets()) for _ in range(2)]
    pages = [await site.talk(context), await site.talk(context)]
    for page in pages:
        await called(site, page)
    await pages[0].click("#call")
    await site.api.until_over(placed[0])
    assert not placed[1].is_over
    await expect(pages[1].locator("body")).to_have_attribute("data-state", "talking")


async def test_one_token_is_not_good_for_two_tabs(site: Site) -> None:
    context = await site.window()
    site.api.expect_offer(greets())
    token = site.token()
    await called(site, await site.talk(context, token))
    second = await site.talk(context, token)
    await second.click("#call")
    await state(second, "ended")
    await expect(second.locator("#problem")).to_contain_text("already been used")


async def test_a_forged_token_gets_no_call(site: Site) -> None:
    page = await site.talk(await site.window(), site.token(secret=SECRET[::-1]))
    async with page.expect_console_message(lambda line: line.type == "warning") as told:
        await page.click("#call")
    await state(page, "ended")
    no_permission = "This page has no permission to call. Reload it, or tell its owner."
    await expect(page.locator("#problem")).to_have_text(no_permission)
    detail = "The call was refused: the token is signed with another secret (token_signature)."
    assert (await told.value).text == detail
    assert site.api.calls == {}


async def test_a_page_of_a_foreign_site_gets_no_call(site: Site) -> None:
    context = await site.window()
    await context.route(
        "https://evil.example/",
        lambda route: route.fulfill(body="<title>x</title>", content_type="text/html"),
    )
    page = await context.new_page()
    await page.goto("https://evil.example/")
    script = """
    async ([server, token]) => {
      const response = await fetch(`${server}/calls`, {
        method: "POST",
        body: "v=0",
        headers: {Authorization: `Bearer ${token}`, "Content-Type": "application/sdp"},
      }).catch((error) => error.name);
      return response?.status ?? response;
    }
    """
    assert await page.evaluate(script, [site.runner.url, site.token()]) == "TypeError"
    assert site.api.calls == {}


async def test_a_microphone_that_is_not_there_is_told(site: Site) -> None:
    page = await site.talk(await site.window(microphone="none"))
    await page.click("#call")
    await state(page, "ended")
    await expect(page.locator("#problem")).to_contain_text("No microphone was found")


async def test_a_microphone_that_may_not_be_used_is_told(site: Site) -> None:
    page = await site.talk(await site.window(microphone="denied"))
    await page.click("#call")
    await state(page, "ended")
    await expect(page.locator("#problem")).to_contain_text("does not let this page use the microphone")
    await expect(page.locator("#state")).to_have_text("The call did not begin.")
    assert site.api.calls == {}


async def test_a_microphone_that_is_taken_away_is_told_and_the_call_goes_on(site: Site) -> None:
    site.api.expect_offer(greets())
    context = await site.window()
    page = await site.talk(context)
    await called(site, page)
    await context.clear_permissions()
    await expect(page.locator("#problem")).to_contain_text("Your microphone is gone")
    await state(page, "talking")


HEARS = """
  const audio = Audio;
  window.Audio = class extends audio { constructor() { super(); window.heard = this; } };
"""
CALLS_BY_ITSELF = """
  call.start();
  new Promise((resolve) => call.addEventListener("change", () => {
    if (call.state === "talking" && call.problem) resolve([call.problem.code, heard.paused]);
  }))
"""


async def test_sound_that_the_browser_blocks_can_be_turned_on(site: Site) -> None:
    site.api.expect_offer(greets())
    context = await site.window()
    await context.add_init_script(HEARS)
    page = await site.talk(context)
    # Like a page that calls by itself: what playwright evaluates counts as a click, for some seconds.
    devtools = await context.new_cdp_session(page)
    async with asyncio.timeout(PATIENCE_S):
        found = await devtools.send(
            "Runtime.evaluate",
            {
                "expression": CALLS_BY_ITSELF,
                "userGesture": False,
                "awaitPromise": True,
                "returnByValue": True,
            },
        )
    assert found["result"]["value"] == ["audio-blocked", True]
    await expect(page.locator("#problem")).to_contain_text("Your browser has blocked the sound")
    await page.click("#sound")
    await expect(page.locator("#problem")).to_be_hidden()
    await expect(page.locator("#sound")).to_be_hidden()
    assert not await page.evaluate("heard.paused")


async def test_a_server_that_is_not_there_is_told(site: Site) -> None:
    context = await site.window()
    page = await site.talk(context)
    await context.set_offline(True)
    await page.click("#call")
    await state(page, "ended")
    await expect(page.locator("#problem")).to_contain_text("cannot be reached")


async def test_a_browser_that_goes_offline_and_comes_back_says_so_and_follows_its_call(site: Site) -> None:
    placed = site.api.expect_offer(greets())
    context = await site.window()
    page = await site.talk(context)
    await called(site, page)
    await page.wait_for_selector("#turns li")
    await context.set_offline(True)
    await state(page, "lost")
    await expect(page.locator("#problem")).to_contain_text("Connection lost")
    await context.set_offline(False)
    await state(page, "talking")
    await expect(page.locator("#problem")).to_be_hidden()
    placed.play(CallerSays(text="Hello?", when=When.AT_ONCE), says("There you are again."))
    site.api.wake(placed)
    await page.wait_for_selector("#turns li:has-text('There you are again.')")


async def test_who_hangs_up_before_the_answer_and_calls_again_has_the_second_call_alone(site: Site) -> None:
    second, first = site.api.expect_offer(greets()), site.api.expect_offer(greets())
    page = await site.talk(await site.window())
    is_held, may_go = asyncio.Event(), asyncio.Event()

    async def hold_the_first(route: "Route") -> None:
        if not is_held.is_set():
            is_held.set()
            await may_go.wait()
        await route.continue_()

    await page.route("**/calls", hold_the_first)
    await page.evaluate(
        """async (tokens) => {
          const { Call } = await import("/talk.js");
          window.own = new Call({ token: async () => tokens.shift() });
          own.start();
        }""",
        [site.token(), site.token()],
    )
    await is_held.wait()
    await page.evaluate("own.hangUp(), void own.start()")
    await until(page, "own.state === 'talking'")
    may_go.set()
    await site.api.until_over(first)
    assert await page.evaluate("own.state") == "talking"
    assert not second.is_over


async def test_a_call_that_the_api_does_not_take_is_told(site: Site) -> None:
    page = await site.talk(await site.window())
    for status, message in (
        (503, "The voice service does not respond. Please try again in a while."),
        (400, "The voice service rejected the call."),
    ):
        site.api.expect_offer(faults=Faults(create=(HttpFault(status=status),)))
        await page.click("#call")
        await page.wait_for_selector(f"#problem:has-text('{message}')")
        await state(page, "ended")


async def test_limits_are_told_in_words_for_callers(site: Site) -> None:
    page = await site.talk(await site.window(), site.token(exp=time.time() - 1))
    for _ in range(10):
        await page.evaluate(
            "token => fetch('/calls', { method: 'POST', headers: { Authorization: `Bearer ${token}` } })",
            site.token(),
        )
    await page.click("#call")
    await page.wait_for_selector("#problem:has-text('This link has expired. Ask for a new one.')")
    page = await site.talk(await site.window())
    await page.click("#call")
    await page.wait_for_selector("#problem:has-text('Too many calls. Please try again in a minute.')")


async def test_the_page_fits_a_telephone_and_keeps_to_its_policy(site: Site) -> None:
    site.api.expect_offer(greets())
    page = await site.talk(await site.window(width=390))
    wrong: list[str] = []
    page.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    await called(site, page)
    await page.wait_for_selector("#turns li")
    assert await page.evaluate("document.documentElement.scrollWidth") == 390
    assert wrong == []
    for name in ("call", "mute"):
        box = await page.locator(f"#{name}").bounding_box()
        assert box is not None
        assert box["height"] >= 44
