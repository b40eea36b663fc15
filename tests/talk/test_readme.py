"""The page and the token of the README, as they stand there."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from runner.standin.script import greets
from tests.docs.pages import read
from tests.talk.conftest import SECRET, Site

playwright = pytest.importorskip("playwright.async_api", reason="the extra `browser` is not installed")
expect = playwright.expect
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SECTION = read("README.md").section("Call from a browser")


def code(language: str) -> str:
    [found] = re.findall(rf"^```{language}\n(.*?)^```$", SECTION, re.DOTALL | re.M)
    return str(found)


@dataclass(slots=True)
class Shop:
    """Somebody's own site."""

    server: TestServer
    runner: str = ""
    """Where its page finds the runner."""


@pytest_asyncio.fixture(loop_scope="session")
async def shop(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    """Somebody's own site, with the README's page and its backend."""
    monkeypatch.setenv("CALL_TOKENS", SECRET)
    app = web.Application()
    server = TestServer(app, host="127.0.0.1")
    shop = Shop(server)

    async def page(_: web.Request) -> web.Response:
        text = code("html").replace("https://phone.maple.example", shop.runner)
        return web.Response(text=f"<!doctype html><title>Shop</title>{text}", content_type="text/html")

    backend: dict[str, Any] = {}
    exec(code("python").replace("front-desk", "desk"), backend)

    async def call_token(_: web.Request) -> web.Response:
        return web.Response(text=backend["call_token"]("user-9"))

    app.router.add_get("/", page)
    app.router.add_post("/call-token", call_token)
    await server.start_server()
    yield shop
    await server.close()


@pytest.fixture
def shop_origin(shop: Shop) -> str:
    return str(shop.server.make_url("/")).rstrip("/")


async def test_a_page_of_ones_own_calls_in_twenty_lines(shop: Shop, site: Site) -> None:
    assert len(code("html").splitlines()) <= 20
    shop.runner = site.runner.url
    placed = site.api.expect_offer(greets())
    page = await (await site.window()).new_page()
    await page.goto(str(shop.server.make_url("/")))
    await page.click("#call")
    await expect(page.locator("#said")).to_contain_text("Hello and welcome")
    await expect(page.locator("#call")).to_have_text("Hang up")
    await page.click("#call")
    await site.api.until_over(placed)
    assert (await site.records())[0]["caller"] == "web:user-9"
