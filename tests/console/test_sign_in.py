"""Who may see the console: a token for a session, and where one had wanted to go."""

import pytest

from tests.console import calls
from tests.console.made_up_admin import TOKEN, MadeUpAdmin
from tests.console.screen import Look

playwright = pytest.importorskip("playwright.async_api", reason="the extra `browser` is not installed")
expect = playwright.expect
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_link_to_a_call_waits_behind_the_sign_in_and_a_wrong_token_is_refused(
    admin: MadeUpAdmin, look: Look
) -> None:
    call = calls.live_call(admin.now)
    admin.calls[call["id"]] = call
    screen = await look()
    page = await screen.open("/console/calls/" + call["id"])
    await expect(page.locator("h1")).to_have_text("Sign in")
    await expect(page.get_by_label("Token")).to_be_focused()

    await page.keyboard.type("another token")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_have_text("This token is not valid.")
    await expect(page.get_by_label("Token")).to_be_focused()

    await page.keyboard.type(f" {TOKEN} ")
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_have_text("+1 415 555 0100")
    await expect(page).to_have_url(screen.url + "/console/calls/" + call["id"])
    await expect(page.get_by_text("connected")).to_be_visible()


async def test_too_many_attempts_are_told_as_such(admin: MadeUpAdmin, look: Look) -> None:
    admin.refuse_sign_in = 429
    page = await (await look()).open()

    await page.get_by_label("Token").fill(TOKEN)
    await page.get_by_role("button", name="Sign in").click()

    sentence = "Too many attempts from this address. Wait a minute, then try again."
    await expect(page.get_by_role("alert")).to_have_text(sentence)


async def test_signing_out_shows_nothing_more(admin: MadeUpAdmin, look: Look) -> None:
    admin.is_signed_in = True
    admin.rows = [calls.row(1, admin.now)]
    page = await (await look()).open()
    await expect(page.get_by_text("+1 415 555 0001")).to_be_visible()

    await page.get_by_role("button", name="Sign out").click()

    await expect(page.locator("h1")).to_have_text("Sign in")
    await expect(page.get_by_text("+1 415 555 0001")).to_have_count(0)
    assert admin.is_signed_in is False


async def test_a_session_that_ends_asks_for_a_token_where_one_is(admin: MadeUpAdmin, look: Look) -> None:
    admin.is_signed_in = True
    screen = await look()
    page = await screen.open("/console/recent")
    await expect(page.locator("h1")).to_have_text("Recent calls")
    admin.is_signed_in = False

    await page.get_by_role("link", name="Live", exact=True).click()

    await expect(page.locator("h1")).to_have_text("Sign in")
    await expect(page).to_have_url(screen.url + "/console/")


async def test_its_first_line_says_that_one_cannot_listen(look: Look) -> None:
    page = await (await look()).open()
    first_line = page.locator("body > :first-child > :first-child")
    await expect(first_line).to_have_text("You can read calls here, but not listen to them.")
    await expect(first_line).to_be_in_viewport()
