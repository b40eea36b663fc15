"""Live calls at the admin API: listed, read, followed, steered."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runner.standin.placed_call import PlacedCall
from runner.standin.script import CallerHangsUp, CallerSays, greets, says
from tests.serve.admin.lab import AdminLab, started


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[AdminLab]:
    async with started(tmp_path) as lab:
        yield lab


async def greeted(lab: AdminLab) -> PlacedCall:
    """A call whose caller has heard the greeting."""
    call = await lab.ring(greets())
    await lab.api.until(lambda: "output_audio_buffer.stopped" in call.sent_types())
    return call


async def hang_up(lab: AdminLab, call: PlacedCall) -> None:
    call.play(CallerHangsUp())
    lab.api.wake(call)
    await lab.api.until_over(call)


async def test_a_live_call_is_listed_and_read(lab: AdminLab) -> None:
    call = await greeted(lab)
    listed = await lab.get("/admin/calls")
    assert (listed["total"], listed["missing"]) == (1, [])
    [row] = listed["calls"]
    assert {key: row[key] for key in ("id", "agent", "caller", "called", "phase", "led_by", "trouble")} == {
        "id": call.id,
        "agent": "front-desk",
        "caller": "+14155550100",
        "called": "+18005551212",
        "phase": "talking",
        "led_by": None,
        "trouble": None,
    }
    assert row["last_words"] == "Hello."
    whole = await lab.get(f"/admin/calls/{call.id}")
    assert [(turn["role"], turn["text"], turn["is_whole"]) for turn in whole["turns"]] == [
        ("agent", "Hello.", True)
    ]
    assert {key: whole[key] for key in row if key not in {"speaking"}} == {
        key: row[key] for key in row if key not in {"speaking"}
    }


async def test_a_call_is_followed_to_its_end(lab: AdminLab) -> None:
    call = await greeted(lab)
    async with lab.follow(f"/admin/events?call={call.id}") as stream:
        snapshot = await stream.next("snapshot")
        assert (snapshot.data["by"], snapshot.data["may"]) == ("lead", "steer")
        assert snapshot.data["call"]["id"] == call.id
        call.play(CallerSays(text="Are you there?"), says("Yes."), CallerHangsUp())
        lab.api.wake(call)
        rest = await stream.to_the_end()
    assert rest[-1].name == "ended"
    assert {key: rest[-1].data[key] for key in ("id", "ended")} == {"id": call.id, "ended": "caller_hung_up"}
    turns = {event.data["id"]: event.data for event in rest if event.name == "turn"}
    assert [(turn["role"], turn["text"]) for turn in turns.values()] == [
        ("caller", "Are you there?"),
        ("agent", "Yes."),
    ]
    words = [(event.data["role"], event.data["text"]) for event in rest if event.name == "words"]
    assert "".join(text for role, text in words if role == "agent") == "Yes."
    assert "".join(text for role, text in words if role == "caller") == "Are you there?"
    assert "floor" in {event.name for event in rest}


async def test_all_calls_are_followed(lab: AdminLab) -> None:
    async with lab.follow() as stream:
        snapshot = await stream.next("snapshot")
        assert (snapshot.data["calls"], snapshot.data["agents"]) == ([], ["front-desk"])
        call = await greeted(lab)
        event = await stream.next("calls")
        assert [row["id"] for row in event.data["calls"]] == [call.id]
        await hang_up(lab, call)
        gone = await stream.next("gone")
        assert (gone.data["id"], gone.data["ended"]) == (call.id, "caller_hung_up")


async def test_an_act_is_carried_out_once(lab: AdminLab) -> None:
    call = await greeted(lab)
    path = f"/admin/calls/{call.id}/note"
    headers = {"Idempotency-Key": "note-1"}
    for _ in range(2):
        reply = await lab.ask("POST", path, body={"text": "Called before."}, headers=headers)
        assert (reply.status, reply.json) == (202, {"deed": "note-1", "result": "done"})
    whole = await lab.get(f"/admin/calls/{call.id}")
    assert [(deed["id"], deed["by"], deed["what"], deed["given"]) for deed in whole["deeds"]] == [
        ("note-1", "lead", "note", {"text": "Called before."})
    ]
