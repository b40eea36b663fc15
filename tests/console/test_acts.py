"""What a person may do to a call: each act, what became of it, and what is refused."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.console import calls
from tests.console.made_up_admin import MadeUpAdmin, problem
from tests.console.screen import Look, until

playwright = pytest.importorskip("playwright.async_api", reason="the extra `browser` is not installed")
expect = playwright.expect
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ID = "rtc_u0_9b2e41"
ADDRESS = f"/console/calls/{ID}"


@pytest.fixture(autouse=True)
def call(admin: MadeUpAdmin) -> dict[str, Any]:
    admin.is_signed_in = True
    admin.calls[ID] = calls.live_call(admin.now, deeds=[])
    return admin.calls[ID]


def settle(admin: MadeUpAdmin, result: str, detail: str = "") -> None:
    """Tell what became of the last act."""
    _, what, given, key = admin.acts[-1]
    deed = calls.deed(0, what, given, admin.now, result, id=key, detail=detail)
    admin.tell("deed", deed, ID)


@dataclass(frozen=True, kw_only=True)
class Written:
    """A text in the composer."""

    mode: str
    label: str
    check: str | None = None
    sent: dict[str, Any]
    result: str = "done"
    told: tuple[str, str]


WRITTEN = [
    Written(
        mode="Say",
        label="Sentence",
        check="now, interrupting",
        sent={"say": "Hi", "when": "now"},
        result="heard",
        told=("said “Hi”", "heard by the caller"),
    ),
    Written(
        mode="Say",
        label="Sentence",
        sent={"say": "Hi", "when": "pause"},
        result="interrupted",
        told=("said “Hi”", "interrupted"),
    ),
    Written(
        mode="Tell",
        label="Message to the agent",
        check="and let the agent speak now",
        sent={"tell": "Hi", "speak": True},
        told=("told the agent “Hi”", "done"),
    ),
    Written(mode="Note", label="Note", sent={"text": "Hi"}, told=("noted “Hi”", "done")),
]


@pytest.mark.parametrize("written", WRITTEN, ids=lambda written: f"{written.mode} {written.result}")
async def test_what_is_written(admin: MadeUpAdmin, look: Look, written: Written) -> None:
    page = await (await look()).open(ADDRESS)
    await page.locator(".acts .segments label").filter(has_text=written.mode).click()
    field = page.get_by_role("textbox", name=written.label, exact=True)
    await field.fill("Hi")
    if written.check is not None:
        await page.get_by_label(written.check).check()
    await page.locator(".composed").get_by_role("button", name=written.mode).click()

    await admin.asked(1)
    await expect(field).to_have_value("")
    assert [(act, body) for _, act, body, _ in admin.acts] == [(written.mode.lower(), written.sent)]
    settle(admin, "waiting")
    await expect(page.locator(".history")).to_contain_text("under way")
    settle(admin, written.result)
    for part in written.told:
        await expect(page.locator(".history")).to_contain_text(part)
        await expect(page.locator(".entry.deed")).to_contain_text(part)
    await expect(page.locator(".history li")).to_have_count(1)


@dataclass(frozen=True, kw_only=True)
class Formed:
    """An act with a form of its own."""

    button: str
    fill: dict[str, str]
    act: str
    sent: dict[str, Any]
    result: str = "done"
    told: str


FORMED = [
    Formed(
        button="Hand off…",
        fill={"Agent": "front-desk"},
        act="handoff",
        sent={"agent": "front-desk", "speak": True},
        told="handed off to front-desk",
    ),
    Formed(
        button="Instructions…",
        fill={"Instructions": "Be brief."},
        act="instructions",
        sent={"add": "Be brief."},
        told="added instructions “Be brief.”",
    ),
    Formed(
        button="Variables…",
        fill={"Value": "true"},
        act="vars",
        sent={"set": {"order_status": True}},
        told="set order_status = true",
    ),
    Formed(
        button="Transfer…",
        fill={"Destination": "returns", "Say first": "One moment."},
        act="transfer",
        sent={"to": "returns", "say": "One moment."},
        result="not_completed",
        told="not completed",
    ),
    Formed(
        button="Hang up…",
        fill={"Say first": "Goodbye."},
        act="hangup",
        sent={"say": "Goodbye."},
        told="hung up after “Goodbye.”",
    ),
]


@pytest.mark.parametrize("formed", FORMED, ids=lambda formed: formed.act)
async def test_what_has_a_form(admin: MadeUpAdmin, look: Look, formed: Formed) -> None:
    page = await (await look()).open(ADDRESS)
    await page.get_by_role("button", name=formed.button).click()
    dialog = page.get_by_role("dialog")
    for label, value in formed.fill.items():
        select = dialog.get_by_role("combobox", name=label, exact=True)
        if await select.count():
            await select.select_option(value)
        else:
            await dialog.get_by_role("textbox", name=label, exact=True).fill(value)
    is_irreversible = formed.act in {"transfer", "hangup"}
    await expect(dialog.get_by_text("This cannot be undone.")).to_have_count(1 if is_irreversible else 0)
    await dialog.locator("button[type=submit]").click()

    await admin.asked(1)
    await expect(dialog).to_have_count(0)
    assert [(act, body) for _, act, body, _ in admin.acts] == [(formed.act, formed.sent)]
    settle(admin, formed.result)
    await expect(page.locator(".history")).to_contain_text(formed.told)


async def test_hush_is_done_at_once(admin: MadeUpAdmin, look: Look) -> None:
    page = await (await look()).open(ADDRESS)
    await page.get_by_role("button", name="Hush").click()
    await admin.asked(1)
    settle(admin, "done")
    await expect(page.locator(".history")).to_contain_text("hushed the agent")


async def test_a_hang_up_begins_on_the_way_out(admin: MadeUpAdmin, look: Look) -> None:
    page = await (await look()).open(ADDRESS)
    await page.get_by_role("button", name="Hang up…").click()
    await expect(page.get_by_role("button", name="Keep the call")).to_be_focused()

    await page.keyboard.press("Enter")

    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.get_by_role("button", name="Hang up…")).to_be_focused()
    assert admin.acts == []


async def test_a_refusal_is_told_in_the_machines_own_words_and_the_text_is_kept(
    admin: MadeUpAdmin, look: Look
) -> None:
    refusal = problem(409, "refused", "the call is being transferred")
    admin.answers["say"] = (409, refusal)
    page = await (await look()).open(ADDRESS)
    await page.get_by_label("Sentence").fill("Hi")
    await page.keyboard.press("Enter")

    await expect(page.locator(".acts .refusal")).to_have_text("the call is being transferred")
    await expect(page.get_by_label("Sentence")).to_have_value("Hi")


async def test_an_act_whose_answer_is_lost_is_done_once(admin: MadeUpAdmin, look: Look) -> None:
    admin.drop_next = 2
    page = await (await look()).open(ADDRESS)
    await page.get_by_label("Sentence").fill("Hi")
    await page.keyboard.press("Enter")

    await expect(page.get_by_label("Sentence")).to_have_value("")
    assert admin.drop_next == 0
    assert len(admin.acts) == 1, "each attempt has the same id"


async def test_a_take_over_is_renewed_while_the_page_is_there_and_given_back(
    admin: MadeUpAdmin, call: dict[str, Any], look: Look
) -> None:
    screen = await look()
    await screen.page.clock.install()
    page = await screen.open(ADDRESS)
    await page.get_by_role("button", name="Take over").click()
    await admin.asked(1)
    settle(admin, "done")
    led = {**call["floor"], "led_by": "shift-lead", "spans": []}
    call["floor"]["led_by"] = "shift-lead"
    admin.tell("floor", led, ID)
    await expect(page.locator(".lead")).to_contain_text("You lead: the agent says nothing of its own.")
    await expect(page.get_by_role("button", name="Take over")).to_be_hidden()

    for renewals in (1, 2):
        await page.clock.run_for(22_000)
        await admin.asked(1 + renewals)
        assert [(act, body) for _, act, body, _ in admin.acts] == [("take-over", {"for_s": 60})] * (
            1 + renewals
        )
    assert len({key for *_, key in admin.acts}) == 3

    await page.get_by_role("button", name="Give back…").click()
    await page.get_by_role("dialog").get_by_role("button", name="Give back").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    call["floor"]["led_by"] = None
    admin.tell("floor", {**led, "led_by": None}, ID)
    await expect(page.locator(".lead")).to_be_hidden()
    await page.clock.run_for(60_000)
    # What is asked for after a renewal comes after it.
    await page.get_by_role("button", name="Hush").click()
    await admin.asked(5)
    assert [act for _, act, _, _ in admin.acts] == ["take-over"] * 3 + ["give-back", "hush"]


async def test_a_page_that_is_loaded_again_leads_on_and_one_that_is_closed_does_not(
    admin: MadeUpAdmin, call: dict[str, Any], look: Look
) -> None:
    page = await (await look()).open(ADDRESS)
    await page.get_by_role("button", name="Take over").click()
    await until(page, "sessionStorage.length === 1")
    call["floor"]["led_by"] = "shift-lead"
    admin.tell("floor", {**call["floor"], "spans": []}, ID)
    await expect(page.locator(".lead")).to_contain_text("You lead")
    await page.reload()
    await expect(page.locator(".lead")).to_contain_text("You lead")
    await admin.asked(2)
    assert [act for _, act, _, _ in admin.acts] == ["take-over"] * 2
    await page.close()

    other = await (await look()).open(ADDRESS)
    await expect(other.locator(".lead")).to_contain_text("You lead")
    # What is asked for after a renewal comes after it.
    await other.get_by_role("button", name="Hush").click()
    await admin.asked(3)
    assert [act for _, act, _, _ in admin.acts] == ["take-over", "take-over", "hush"]


async def test_whoever_may_watch_sees_no_acts(admin: MadeUpAdmin, look: Look) -> None:
    admin.may = "watch"
    page = await (await look()).open(ADDRESS)
    await expect(page.locator("h1")).to_have_text("+1 415 555 0100")
    await expect(page.get_by_text("shift-lead (may watch)").first).to_be_visible()
    await expect(page.locator(".acts")).to_be_hidden()
