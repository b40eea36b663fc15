"""Live calls at the admin API: listed, read, followed, steered."""

import asyncio
import logging
import sqlite3
import weakref
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from runner.call.machine.transfers import NOT_TRANSFERRED
from runner.call.view.call_view import CallView
from runner.model.values import Json
from runner.serve.admin import followed
from runner.serve.live_call import LiveCall
from runner.serve.log_lines import call_id_of
from runner.standin.faults import FINE, Faults, HttpFault, ReferEffect
from runner.standin.placed_call import PlacedCall
from runner.standin.script import CallerHangsUp, CallerSays, ScriptStep, greets, says
from runner.store import record_saver
from tests.call.machine.playing import TO_NURSE
from tests.patience import PATIENCE_S
from tests.serve.admin.lab import PAGER, AdminLab, Event, desk, started


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[AdminLab]:
    async with started(tmp_path) as lab:
        yield lab


async def greeted(lab: AdminLab, *script: ScriptStep, faults: Faults = FINE) -> PlacedCall:
    """A call whose caller has heard the greeting."""
    call = await lab.ring(greets(), *script, faults=faults)
    await lab.api.until(lambda: "output_audio_buffer.stopped" in call.sent_types())
    return call


async def live_ids(lab: AdminLab) -> set[str]:
    return {row["id"] for row in (await lab.get("/admin/calls"))["calls"]}


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


async def test_the_end_of_a_call_is_told_even_if_it_comes_while_the_call_is_first_looked_at(
    lab: AdminLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at, may_go_on = asyncio.Event(), asyncio.Event()

    async def wait(_: object) -> None:
        looked_at.set()
        await may_go_on.wait()

    call = await greeted(lab)
    monkeypatch.setattr(followed, "in_turns", wait)
    async with lab.follow(f"/admin/events?call={call.id}") as stream:
        await looked_at.wait()
        await hang_up(lab, call)
        while await live_ids(lab):
            pass
        may_go_on.set()
        await stream.next("snapshot")
        *_, ended = await stream.to_the_end()
    assert (ended.name, ended.data["ended"]) == ("ended", "caller_hung_up")


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


async def test_a_key_is_not_taken_for_another_act(lab: AdminLab) -> None:
    call, other = await greeted(lab), await greeted(lab)

    async def asked(act: str, body: dict[str, Json], key: str, *, of: PlacedCall = call) -> tuple[int, Json]:
        headers = {"Idempotency-Key": key}
        reply = await lab.ask("POST", f"/admin/calls/{of.id}/{act}", body=body, headers=headers)
        return reply.status, reply.json.get("result") or f"{reply.json['reason']}: {reply.json['detail']}"

    def reused(by: str) -> tuple[int, Json]:
        why = f"the Idempotency-Key has been used for another act, {by}: use a new key for each act"
        return 422, f"key-reused: {why}"

    assert await asked("note", {"text": "Called before."}, "k1") == (202, "done")
    assert await asked("note", {"text": "Called twice."}, "k1") == reused('"note" with another body')
    assert await asked("hush", {}, "k1") == reused('"note"')
    assert await asked("note", {"text": "Called before."}, "k1") == (202, "done")
    # A refused act keeps its key, and so does one that has only renewed another.
    status, why = await asked("transfer", {"to": "nobody"}, "k2")
    assert (status, why) == (409, 'refused: no "transfer" now: "nobody" is not among the destinations')
    assert await asked("transfer", {"to": "nobody"}, "k2") == (status, why)
    assert await asked("transfer", {"to": "nurse"}, "k2") == reused('"transfer" with another body')
    assert await asked("take-over", {"for_s": 60}, "k3") == (202, "done")
    for _ in range(2):
        assert await asked("take-over", {"for_s": 90}, "k4") == (202, "done")
    assert await asked("take-over", {"for_s": 60}, "k4") == reused('"take-over" with another body')
    # What is left out has its default.
    assert await asked("give-back", {}, "k5") == (202, "done")
    assert await asked("give-back", {"speak": False}, "k5") == (202, "done")
    # It counts for one call.
    assert await asked("note", {"text": "Another caller."}, "k1", of=other) == (202, "done")
    for each, texts in ((call, ["Called before."]), (other, ["Another caller."])):
        deeds = (await lab.get(f"/admin/calls/{each.id}"))["deeds"]
        assert [deed["given"]["text"] for deed in deeds if deed["what"] == "note"] == texts


async def transferred(lab: AdminLab, call: PlacedCall, **given: str) -> list[Event]:
    """Transfer a call, and follow it to its end."""
    async with lab.follow(f"/admin/events?call={call.id}") as stream:
        snapshot = await stream.next("snapshot")
        assert snapshot.data["call"]["choices"]["transfer_to"] == ["nurse", "tel:+14155550123"]
        key = {"Idempotency-Key": "t1"}
        reply = await lab.ask("POST", f"/admin/calls/{call.id}/transfer", body=given, headers=key)
        assert (reply.status, reply.json) == (202, {"deed": "t1", "result": "waiting"})
        return await stream.to_the_end()


def became_of(events: list[Event]) -> tuple[str, str]:
    """What was told last of the act, and its detail."""
    last = [each.data for each in events if each.name == "deed"][-1]
    return last["result"], last["detail"]


@pytest.mark.parametrize(
    ("to", "target"),
    [("nurse", "sip:nurse@maple.example"), ("tel:+14155550123", "tel:+14155550123")],
)
async def test_a_transfer_by_a_person_is_followed_to_its_end(tmp_path: Path, to: str, target: str) -> None:
    async with started(tmp_path, desk(tools=(TO_NURSE,)), transfer_to=("tel:+14155550123",)) as lab:
        call = await greeted(lab)
        rest = await transferred(lab, call, to=to, say="I put you through.")
    assert [(each.action, each.body) for each in call.requests[1:]] == [("refer", {"target_uri": target})]
    assert became_of(rest) == ("completed", "")
    assert "I put you through." in [each.data["text"] for each in rest if each.name == "turn"]
    assert rest[-1].data["ended"] == "transferred"


async def test_a_transfer_by_a_person_that_does_not_happen_is_told_to_the_agent(tmp_path: Path) -> None:
    async with started(tmp_path, desk(tools=(TO_NURSE,)), transfer_to=("tel:+14155550123",)) as lab:
        faults = Faults(refer=(HttpFault(status=400),), refer_effect=ReferEffect.STAYS)
        call = await greeted(lab, says("It did not work, I am sorry."), CallerHangsUp(), faults=faults)
        rest = await transferred(lab, call, to="nurse")
    result, detail = became_of(rest)
    assert result == "not_completed"
    assert "400" in detail
    told = [event["item"]["content"][0]["text"] for event in call.received if "item" in event]
    assert told == [NOT_TRANSFERRED]
    assert "It did not work, I am sorry." in [each.data["text"] for each in rest if each.name == "turn"]
    assert rest[-1].data["ended"] == "caller_hung_up"


async def test_a_stream_that_was_cut_goes_on_where_it_was(lab: AdminLab) -> None:
    call = await greeted(lab)
    path = f"/admin/events?call={call.id}"
    async with lab.follow(path) as stream:
        first = await stream.next("snapshot")
        await lab.ask("POST", f"/admin/calls/{call.id}/note", body={"text": "one"})
        seen = await stream.next("deed")
    await lab.ask("POST", f"/admin/calls/{call.id}/note", body={"text": "two"})
    async with lab.follow(path, last_id=seen.id) as stream:
        event = await stream.next()
        assert (event.name, event.data["given"]) == ("deed", {"text": "two"})
    for other in ("x.1", first.id.partition(".")[0] + ".999", ""):
        async with lab.follow(path, last_id=other) as stream:
            assert (await stream.next()).name == "snapshot"


async def test_a_list_that_was_cut_goes_on_where_it_was(
    lab: AdminLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.serve.admin.fleet_feed.LOOK_S", 0.0)
    first, second = await greeted(lab), await greeted(lab)
    async with lab.follow() as stream:
        seen = await stream.next("snapshot")
        assert {row["id"] for row in seen.data["calls"]} == {first.id, second.id}
    third = await greeted(lab)
    await hang_up(lab, second)
    async with asyncio.timeout(PATIENCE_S):
        while await live_ids(lab) != {first.id, third.id}:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)
    async with lab.follow(last_id=seen.id) as stream:
        changed, gone = await stream.next(), await stream.next()
        assert changed.name == "calls"
        assert third.id in [row["id"] for row in changed.data["calls"]]
        assert (gone.name, gone.data["id"], gone.data["ended"]) == ("gone", second.id, "caller_hung_up")
    # Of a batch of events the last one alone moves the place: one that was cut between them is told all.
    async with lab.follow(last_id=changed.id) as stream:
        assert [(await stream.next()).name for _ in range(2)] == ["calls", "gone"]
    async with lab.follow(token=PAGER, last_id=gone.id) as stream:
        assert (await stream.next()).name == "snapshot"
    for other in ("x.1", gone.id.partition(".")[0] + ".999", ""):
        async with lab.follow(last_id=other) as stream:
            assert (await stream.next()).name == "snapshot"


async def test_a_list_that_was_cut_for_long_begins_anew(
    lab: AdminLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.serve.admin.streams.KEPT_S", 0.0)
    monkeypatch.setattr("runner.serve.admin.calls.MOST_STREAMS", 1)
    async with lab.follow() as stream:
        seen = await stream.next("snapshot")
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                # While the first stream is open, there is no room for another.
                async with lab.follow(last_id=seen.id) as stream:
                    assert (await stream.next()).name == "snapshot"
                    return
            except AssertionError as error:
                assert "too-many-streams" in str(error)  # noqa: PT017 - only then is it asked again
                await asyncio.sleep(0.02)


async def test_a_silent_stream_has_a_heartbeat(lab: AdminLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.serve.admin.calls.HEARTBEAT_S", 0.05)
    async with lab.follow() as stream:
        await stream.next("snapshot")
        assert (await stream.response.content.readline()).startswith(b": ")


async def test_calls_are_found_by_agent_number_and_words(lab: AdminLab) -> None:
    call, _ = await greeted(lab), await greeted(lab)
    for query, total in (
        ("agent=front-desk", 2),
        ("agent=billing", 0),
        ("q=415555", 2),
        ("q=HELLO", 2),
        (f"q={call.id}", 1),
        ("q=nothing", 0),
    ):
        listed = await lab.get(f"/admin/calls?{query}")
        assert (listed["total"], len(listed["calls"])) == (total, total)
    listed = await lab.get("/admin/calls?limit=1")
    assert (listed["total"], [row["id"] for row in listed["calls"]]) == (2, [call.id])


async def test_what_does_not_fit_is_refused_in_a_sentence(lab: AdminLab) -> None:
    call = await greeted(lab)
    reply = await lab.ask("POST", f"/admin/calls/{call.id}/transfer", body={"to": "nobody"})
    assert (reply.status, reply.json["reason"]) == (409, "refused")
    assert reply.json["detail"] == 'no "transfer" now: "nobody" is not among the destinations'
    assert reply.json["deed"]["result"] == "refused"
    await hang_up(lab, call)
    async with asyncio.timeout(PATIENCE_S):
        while (reply := await lab.ask("POST", f"/admin/calls/{call.id}/hush", body={})).status != 404:
            assert reply.status in {202, 409, 502}
            await asyncio.sleep(0.02)
    assert reply.json["detail"] == f'there is no live call "{call.id}"'


async def test_a_call_whose_record_waits_for_the_store_is_not_live(
    lab: AdminLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_saver, "FIRST_RETRY_S", 10 * PATIENCE_S)
    call = await greeted(lab)
    service = lab.runner.service
    assert service is not None
    [live] = await service.storage.store.live_calls()

    async def is_not_live() -> None:
        assert await live_ids(lab) == set()
        for reply in (
            await lab.ask("GET", f"/admin/calls/{call.id}"),
            await lab.ask("POST", f"/admin/calls/{call.id}/hush", body={}),
            await lab.ask("GET", f"/admin/events?call={call.id}"),
        ):
            assert (reply.status, reply.json["detail"]) == (404, f'there is no live call "{call.id}"')

    with closing(sqlite3.connect(tmp_path / "calls.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await hang_up(lab, call)
        async with asyncio.timeout(PATIENCE_S):
            while not len(service.storage.saver):  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
        await is_not_live()
    # The store can be asked again, and has not been told yet.
    assert await service.storage.store.live_calls() == [live]
    await is_not_live()


async def test_a_call_that_nobody_follows_has_no_follower(
    lab: AdminLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.serve.admin.followed.KEPT_S", 0.0)
    call = await greeted(lab)
    assert lab.runner.service is not None
    live = lab.runner.service.live_calls.find(call.id)
    assert isinstance(live, LiveCall)

    def follows_words() -> bool | None:
        return live.follower.wants_words if live.follower is not None else None

    assert follows_words() is None
    async with lab.follow(f"/admin/events?call={call.id}") as stream:
        await stream.next("snapshot")
        assert follows_words() is True
    async with asyncio.timeout(PATIENCE_S):
        while follows_words() is not None:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)


async def test_nothing_is_kept_of_a_call_that_was_listed_once(
    lab: AdminLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.serve.admin.followed.IDLE_S", 0.05)
    call = await greeted(lab)
    assert (await lab.get("/admin/calls"))["total"] == 1
    assert lab.runner.service is not None
    live = weakref.ref(lab.runner.service.live_calls.find(call.id))
    await hang_up(lab, call)
    async with asyncio.timeout(PATIENCE_S):
        while live() is not None:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)


async def test_a_bug_in_the_view_costs_no_call(
    lab: AdminLab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("a bug")

    call = await greeted(lab)
    async with lab.follow(f"/admin/events?call={call.id}") as stream:
        await stream.next("snapshot")
        monkeypatch.setattr(CallView, "changes", fail)
        monkeypatch.setattr(CallView, "words", fail)
        monkeypatch.setattr(CallView, "row", fail)
        call.play(CallerSays(text="Are you there?"), says("Yes."))
        lab.api.wake(call)
        await lab.api.until(lambda: call.sent_types().count("output_audio_buffer.stopped") == 2)
    assert (await lab.get("/admin/calls"))["calls"] == []
    assert "call cannot be shown" in {record.message for record in caplog.records}
    monkeypatch.undo()
    await hang_up(lab, call)
    async with asyncio.timeout(PATIENCE_S):
        while (await lab.ask("GET", f"/admin/records/{call.id}")).status != 200:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)
    stored = await lab.get(f"/admin/records/{call.id}")
    assert stored["record"]["ended"] == "caller_hung_up"


async def test_every_line_about_a_person_s_act_and_what_follows_names_the_call(lab: AdminLab) -> None:
    """The act is handled in the task of the admin request, which belongs to no call."""
    lines: list[tuple[str, str | None]] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append((record.getMessage(), call_id_of(record)))

    call = await greeted(lab, faults=Faults(hangup=(HttpFault(status=503),)))
    ours, kept = logging.getLogger("runner"), Lines()
    level = ours.level
    ours.addHandler(kept)
    ours.setLevel(logging.INFO)
    try:
        assert (await lab.ask("POST", f"/admin/calls/{call.id}/hangup", body={})).status == 202
        await lab.api.until_over(call)
        await lab.runner.drain(asyncio.Event())
    finally:
        ours.removeHandler(kept)
        ours.setLevel(level)
    told = {
        "person has acted on a call",
        "call is being ended",
        "api request failed",
        "call has ended",
    }
    assert {line for line in lines if line[0] in told} == {(message, call.id) for message in told}
