"""`phone-agents calls`: what is listed and shown, and what becomes of jobs and of calls that are deleted."""

import asyncio
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing
from pathlib import Path

import pytest

from runner.cli import calls_list
from runner.cli.main import CANNOT, OK, PROBLEMS, USAGE, main
from runner.model.job import Job, JobCapacity, JobKind, Parked
from runner.model.live_call import Owner
from runner.model.record import CallRecord, Deed, Handoff, ToolUse, Turn
from runner.model.stored_call import CallFilter, CallSummary
from runner.scenario.from_record import scenario_of
from runner.serve.metrics import Metrics
from runner.serve.storage import Storage
from runner.store.opening import open_store
from runner.store.store import Store
from tests.clock import NOW
from tests.patience import PATIENCE_S
from tests.store.engines import SqliteEngine, call_record

ALL = ["rtc_u0_1", "rtc_u0_2", "rtc_u0_3"]
LIST = """\
began             agent       from           to              lasted  ended              cost  id
2026-11-23 17:00  front-desk  +14155550100   +18005551212      2:31  transferred     $0.1200  rtc_u0_3
2026-11-23 16:00  front-desk  withheld       +18005551212      0:05  failed          unknown  rtc_u0_2
2026-11-22 17:00  billing     +493012345678  +18005551212   1:00:00  hangup            $1.50  rtc_u0_1
"""


def calls() -> list[CallRecord]:
    def made(call_id: str, at: float, **fields: object) -> CallRecord:
        fields = {"called": "+18005551212", "agent": "front-desk", "created_at": at, **fields}
        return call_record(call_id, **fields)

    return [
        made(
            "rtc_u0_1", NOW - 86400, agent="billing", caller="+493012345678", ended="hangup",
            ended_at=NOW - 86400 + 3600, cost_usd=1.5,
        ),
        made("rtc_u0_2", NOW - 3600, ended="failed", ended_at=NOW - 3595, detail="its sideband was lost"),
        made(
            "rtc_u0_3", NOW, caller="+14155550100", ended="transferred", ended_at=NOW + 151, cost_usd=0.12,
            accepted_at=NOW + 0.25, why="the route at agents/a.yaml:2:5 matches", model="gpt-realtime-2.1",
            turns=(
                Turn(role="agent", text="Maple Dental, how can I help?", at=NOW + 1, waited_s=0.62),
                Turn(role="caller", text=None, at=NOW + 4),
                Turn(role="agent", text="Let me put you", at=NOW + 9, heard_ms=700),
            ),
            tools=(
                ToolUse(
                    name="find_slots", call_id="c1", arguments={"day": "2026-11-27"}, started_at=NOW + 5,
                    took_s=1.25, status="error", http_status=503, attempts=2, error="the endpoint is down",
                    reply={"error": "down"},
                ),
            ),
            handoffs=(Handoff(agent="billing", because="find_slots", at=NOW + 10),),
            deeds=(
                Deed(
                    id="d1", by="shift-lead", what="transfer", given={"to": "tel:+14155550123"}, at=NOW + 12,
                    result="refused", detail="the call is leaving", settled_at=NOW + 12.5,
                ),
            ),
            faults=("the transfer took long",),
        ),
    ]  # fmt: skip


@pytest.fixture(autouse=True)
def _in_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


async def fill(store: Store) -> None:
    """Three calls; a delivery of the second is parked."""
    for record in calls():
        parked = record.id == "rtc_u0_2"
        job = Job(
            id="job-2",
            call_id=record.id,
            kind=JobKind.DELIVERY,
            receiver="crm.example",
            created_at=NOW,
            due_at=NOW,
            work={"v": 1},
        )
        await store.save(record, [job] if parked else [])
    for due in await store.take(JobCapacity(most=9, per_receiver=9), now=NOW, lease_s=60):
        await store.settle(due, Parked(error="410 Gone"), NOW)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """The file of a store with three calls."""

    async def make() -> None:
        store = await open_store("sqlite:calls.db")
        await fill(store)
        await store.close()

    asyncio.run(make())
    return tmp_path / "calls.db"


def test_calls_are_listed_the_newest_first(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calls"]) == OK
    assert capsys.readouterr().out == LIST


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (["--agent", "billing"], ["rtc_u0_1"]),
        (["--number", "00493012345678"], ["rtc_u0_1"]),
        (["--number", "+1 (415) 555-0100"], ["rtc_u0_3"]),
        (["--ended", "failed"], ["rtc_u0_2"]),
        (["--since", "2026-11-23"], ["rtc_u0_3", "rtc_u0_2"]),
        (["--since", "2026-11-23T11:30-05:00"], ["rtc_u0_3"]),
        (["--most", "1"], ["rtc_u0_3"]),
        (["--agent", "nobody"], []),
    ],
)
def test_options_say_which_calls(
    stored: Path, capsys: pytest.CaptureFixture[str], options: list[str], ids: list[str]
) -> None:
    assert main(["calls", *options, "--format", "json"]) == OK
    document = json.loads(capsys.readouterr().out)
    assert [call["id"] for call in document["calls"]] == ids
    assert (document["version"], document["live"], document["unsaved"]) == (1, 0, 0)


@pytest.mark.parametrize(
    ("agent", "hint"),
    [
        ("front_dekst", '; did you mean "front-desk"?'),
        ("nobody\x1b", '; there is "billing" or "front-desk"'),
    ],
)
def test_an_agent_without_a_stored_call_may_be_mistyped(
    stored: Path, capsys: pytest.CaptureFixture[str], agent: str, hint: str
) -> None:
    message = f'no call of an agent "{agent}" is stored{hint}\n'.replace("\x1b", "\\x1b")
    assert main(["calls", "--agent", agent]) == OK
    assert capsys.readouterr().out == message
    assert main(["calls", "--agent", agent, "--format", "json"]) == OK
    assert capsys.readouterr().err == message
    assert main(["calls", "--agent", "billing", "--ended", "failed"]) == OK
    assert capsys.readouterr().out == "no stored call matches\n"


@pytest.mark.parametrize(("ago", "count"), [("30m", 1), ("90m", 2), ("2d", 3), ("3600s", 2), ("1h", 2)])
def test_since_takes_a_time_ago(
    stored: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    ago: str,
    count: int,
) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)
    assert main(["calls", "--since", ago, "--format", "json"]) == OK
    assert len(json.loads(capsys.readouterr().out)["calls"]) == count


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--ended", "hung_up"],
            '--ended: no call ends as "hung_up"; did you mean "hangup"?',
        ),
        (
            ["--since", "yesterday"],
            '"yesterday" is not a time; write 2h, 3d, 2026-11-23 or 2026-11-23T15:00-05:00',
        ),
        (
            ["--since", "2026-11-31"],
            '"2026-11-31" is not a time; write 2h, 3d, 2026-11-23 or 2026-11-23T15:00-05:00',
        ),
        (
            ["--since", "2026-11-23T15:00"],
            '"2026-11-23T15:00" could be anywhere; end it with an offset such as -05:00, or with Z',
        ),
        (["delete"], "say which calls: by their ids, by --number N, by --before TIME"),
        (
            ["delete", "rtc_u0_1", "--number", "+493012345678"],
            "name calls by their ids, or by --number and --before, not both",
        ),
        (
            ["delete", "--number", "+493012345678"],
            "there is no terminal to confirm at; add --yes to delete them without a question",
        ),
    ],
)
def test_what_is_not_meant_so_is_wrong_usage(
    stored: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["calls", *arguments]) == USAGE
    assert capsys.readouterr().err == f"phone-agents calls: {message}\n"
    assert len(ids_in(stored)) == 3


def test_a_call_is_shown_from_its_ring_to_its_end(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calls", "show", "rtc_u0_3"]) == OK
    assert capsys.readouterr().out == (
        "\n"
        "front-desk, 2026-11-23 17:00\n"
        "rtc_u0_3\n"
        "the route at agents/a.yaml:2:5 matches\n"
        "\n"
        " 0:00.0 rings     +14155550100 calls +18005551212\n"
        " 0:00.2 answered  by front-desk (250 ms)\n"
        " 0:01.0 agent     Maple Dental, how can I help? (after 0.6 s)\n"
        " 0:04.0 caller    (not transcribed)\n"
        ' 0:05.0 tool      find_slots {"day": "2026-11-27"}\n'
        "                  ← error, HTTP 503, 2 attempts, the endpoint is down, the\n"
        '                  model was given {"error": "down"} (1.2 s)\n'
        " 0:09.0 agent     Let me put you — (interrupted, 0.7 s were heard)\n"
        " 0:10.0 hand-off  handed off to billing: find_slots\n"
        ' 0:12.0 person    shift-lead: transfer {"to": "tel:+14155550123"}\n'
        "                  ← refused: the call is leaving (500 ms)\n"
        " 2:31.0 ended     transferred\n"
        "\n"
        "record\n"
        "  ended     transferred: the caller was transferred after 2:31.0\n"
        "  turns     3\n"
        "  tools     find_slots error (1.2 s), 2 attempts\n"
        "  tokens    0 in (0 of them cached), 0 out\n"
        "  cost      $0.1200, an estimate, at the prices of gpt-realtime-2.1\n"
        "fault: the transfer took long\n"
    )


def test_a_call_becomes_a_scenario(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calls", "scenario", "0_3"]) == OK
    assert capsys.readouterr().out == scenario_of(calls()[2])


def test_a_call_is_found_by_the_end_of_its_id(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calls", "show", "0_2", "--format", "json"]) == OK
    document = json.loads(capsys.readouterr().out)
    assert document["record"]["detail"] == "its sideband was lost"
    assert [(job["kind"], job["state"], job["error"]) for job in document["jobs"]] == [
        ("delivery", "parked", "410 Gone")
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "rtc_u0_9"], 'no call "rtc_u0_9" is stored; "phone-agents calls" lists them'),
        (["delete", "rtc_u0_9"], 'no call "rtc_u0_9" is stored; "phone-agents calls" lists them'),
        (["show", "rtc"], 'no call "rtc" is stored; "phone-agents calls" lists them'),
    ],
)
def test_a_call_that_is_not_stored_is_said_so(
    stored: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["calls", *arguments]) == CANNOT
    assert capsys.readouterr().err == f"phone-agents calls: {message}\n"


def test_an_end_that_several_ids_have_is_no_call(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(stored)) as connection, connection:
        connection.execute("UPDATE calls SET id = 'x_3', words = 'x_3' WHERE id = 'rtc_u0_1'")
    assert main(["calls", "show", "_3"]) == CANNOT
    assert capsys.readouterr().err == (
        'phone-agents calls: the ids of several calls end with "_3": "rtc_u0_3", "x_3"\n'
    )


def test_a_record_of_another_version_is_said_so(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(stored)) as connection, connection:
        connection.execute("""UPDATE calls SET record = '{"id": "rtc_u0_1"}' WHERE id = 'rtc_u0_1'""")
    assert main(["calls", "show", "rtc_u0_1"]) == CANNOT
    assert capsys.readouterr().err == (
        'phone-agents calls: the record of call "rtc_u0_1" was written by another version of phone-agents; '
        "--format json shows it as it is\n"
    )
    assert main(["calls", "show", "rtc_u0_1", "--format", "json"]) == OK


def test_parked_jobs_are_listed_and_tried_again(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calls", "parked"]) == OK
    assert capsys.readouterr().out == (
        "rtc_u0_2  delivery of 2026-11-23 17:00\n"
        "  parked after 1 attempt: 410 Gone\n"
        "\n"
        "phone-agents calls resend ID retries them\n"
    )
    assert main(["calls", "resend", "rtc_u0_2", "rtc_u0_1"]) == PROBLEMS
    assert capsys.readouterr().out == (
        '1 job of call "rtc_u0_2" will be tried again: a runner that is up looks every 60 s\n'
        'call "rtc_u0_1" has no parked job\n'
    )
    assert main(["calls", "parked"]) == OK
    assert capsys.readouterr().out == "no job is parked\n"


def ids_in(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        return [row[0] for row in connection.execute("SELECT id FROM calls ORDER BY id")]


def test_calls_are_deleted_by_id_with_their_jobs(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calls", "delete", "rtc_u0_2", "0_3"]) == OK
    assert capsys.readouterr().out == 'call "rtc_u0_2" is deleted\ncall "rtc_u0_3" is deleted\n'
    assert ids_in(stored) == ["rtc_u0_1"]
    with closing(sqlite3.connect(stored)) as connection:
        assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (0,)


@pytest.mark.parametrize(
    ("options", "said", "left"),
    [
        (["--number", "+14155550100"], "1 call is deleted\n", ["rtc_u0_1", "rtc_u0_2"]),
        (["--number", "+18005551212"], "3 calls are deleted\n", []),
        (["--before", "2026-11-23"], "1 call is deleted\n", ["rtc_u0_2", "rtc_u0_3"]),
        (["--before", "2026-11-23T16:00Z"], "1 call is deleted\n", ["rtc_u0_2", "rtc_u0_3"]),
        (["--before", "2026-11-23", "--number", "+14155550100"], "0 calls are deleted\n", ALL),
        (["--number", "+15"], "0 calls are deleted\n", ALL),
    ],
)  # fmt: skip
def test_calls_are_deleted_by_number_and_date(
    stored: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str, left: list[str]
) -> None:
    assert main(["calls", "delete", *options, "--yes"]) == OK
    assert capsys.readouterr() == (said, "")
    assert ids_in(stored) == left


def test_files_beside_the_store_are_named_and_left(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("calls.db.unsaved.refused").write_text("{}\n")
    assert main(["calls", "delete", "rtc_u0_1"]) == OK
    assert capsys.readouterr().err == (
        '"calls.db.unsaved.refused" holds records that the store has not taken, and is left as it is\n'
    )
    assert Path("calls.db.unsaved.refused").read_text() == "{}\n"


def test_what_is_deleted_is_overwritten(stored: Path) -> None:
    assert b"its sideband was lost" in stored.read_bytes()
    assert main(["calls", "delete", "rtc_u0_2"]) == OK
    assert b"its sideband was lost" not in stored.read_bytes()


def test_where_there_is_no_store_none_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calls"]) == CANNOT
    assert capsys.readouterr().err.endswith(
        f'there is no store "sqlite:calls.db" here ({tmp_path}); run this in the directory in which the '
        "runner runs, or name the file by its whole path\n"
    )
    assert list(tmp_path.glob("calls.db*")) == []


def test_a_store_that_is_named_by_its_whole_path_is_not_told_to_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "agents").mkdir(exist_ok=True)
    (tmp_path / "agents" / "runner.yaml").write_text(f"store: sqlite:{tmp_path}/none.db\n")
    assert main(["calls"]) == CANNOT
    expected = f'there is no store "sqlite:{tmp_path}/none.db"; a runner makes it when it starts\n'
    assert capsys.readouterr().err.endswith(expected)
    assert not (tmp_path / "none.db").exists()


def test_the_store_is_that_of_the_directory_and_its_environment(
    stored: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("desk").mkdir()
    Path("desk/broken.yaml").write_text("agent: [\n")
    Path("desk/runner.yaml").write_text(
        "store: sqlite:none.db\nenvironments: {staging: {store: {env: STORE_URL}}}\n"
    )
    assert main(["calls", "--dir", "desk"]) == CANNOT
    assert "sqlite:none.db" in capsys.readouterr().err
    assert main(["calls", "--dir", "desk", "--environment", "staging"]) == CANNOT
    assert capsys.readouterr().err.endswith('environment variable "STORE_URL" is not set (store)\n')
    monkeypatch.setenv("STORE_URL", "sqlite:calls.db")
    assert main(["calls", "--dir", "desk", "--environment", "staging"]) == OK
    assert main(["calls", "parked", "--dir", "desk", "--environment", "staging"]) == OK
    assert capsys.readouterr().out.startswith(LIST)


def test_a_mistake_in_runner_yaml_is_shown_with_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    Path("agents").mkdir()
    Path("agents/runner.yaml").write_text("stroe: sqlite:calls.db\n")
    assert main(["calls"]) == PROBLEMS
    assert capsys.readouterr().err.startswith('agents/runner.yaml:1:1: unknown key "stroe"')


async def test_follow_shows_calls_when_they_are_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same filter holds, and no call is shown twice."""
    monkeypatch.setattr(calls_list, "FOLLOW_EVERY_S", 0.0)
    monkeypatch.setattr(time, "time", lambda: NOW + 200)
    shown: list[str] = []
    both = asyncio.Event()

    def show(call: CallSummary) -> None:
        shown.append(call.id)
        if len(shown) == 2:
            both.set()

    where = CallFilter(agent="desk")
    async with AsyncExitStack() as stack, asyncio.timeout(PATIENCE_S):
        store = await SqliteEngine(tmp_path, stack).open()
        await store.save(call_record("before", agent="desk", created_at=NOW - 10))
        known = await calls_list.recent(store, where, NOW)
        await store.save(call_record("a", agent="desk", created_at=NOW - 3000))
        await store.save(call_record("other", agent="other", created_at=NOW))
        following = asyncio.create_task(calls_list.follow(store, where, known, show))
        stack.callback(following.cancel)
        await store.save(call_record("b", agent="desk", created_at=NOW + 1))
        await both.wait()
    assert sorted(shown) == ["a", "b"]


def test_a_live_call_is_counted_and_has_no_record(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    insert_live(stored, "rtc_live")
    assert main(["calls", "--most", "9"]) == OK
    assert capsys.readouterr().out == f"{LIST}1 call is live\n"
    assert main(["calls", "scenario", "live"]) == CANNOT
    assert capsys.readouterr().err == (
        'phone-agents calls: call "rtc_live" is live; its record is written when it is over\n'
    )


@pytest.mark.parametrize(
    ("admin", "where"),
    [
        ("server: {port: 0}\n", "to see live calls, declare server.admin in runner.yaml"),
        (
            "server: {admin: {tokens: {ada: {env: ADA}}}}\n",
            "see it in the console of server.admin, or GET /admin/calls/rtc_live there",
        ),
    ],
)
def test_a_live_call_is_shown_as_far_as_it_is_known(
    stored: Path, capsys: pytest.CaptureFixture[str], admin: str, where: str
) -> None:
    insert_live(stored, "rtc_live")
    Path("agents").mkdir()
    Path("agents/runner.yaml").write_text(admin)
    assert main(["calls", "show", "live"]) == OK
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == 'call "rtc_live" is live: answered, served by runner r'
    assert lines[1].startswith("front-desk since 2026-11-23 ")
    assert lines[2] == f"its record is written when it is over; {where}"
    assert main(["calls", "show", "live", "--format", "json"]) == OK
    known = {"agent": "front-desk", "state": "answered", "began_at": NOW, "runner": "r", "address": None}
    assert json.loads(capsys.readouterr().out) == {
        "version": 1,
        "record": None,
        "outcome": None,
        "jobs": [],
        "live": {"id": "rtc_live", **known},
    }


def test_an_end_that_several_live_calls_have_is_no_call(
    stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    insert_live(stored, "rtc_1_live")
    insert_live(stored, "rtc_2_live")
    assert main(["calls", "show", "live"]) == CANNOT
    assert capsys.readouterr().err == (
        'phone-agents calls: the ids of several calls without a record end with "live": '
        '"rtc_1_live", "rtc_2_live"\n'
    )


async def end_unsaved(owners: dict[str, Owner]) -> None:
    """Calls end, and their records are left in a file: the store cannot be written to."""
    storage = await Storage.open(
        "sqlite:calls.db", keep_s=None, metrics=Metrics(), clock=lambda: NOW, on_jobs=lambda: None
    )
    with closing(sqlite3.connect("calls.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for call_id, owner in owners.items():
            await storage.saver.save(call_record(call_id, created_at=NOW), (), owner)
        assert len(storage.saver) == len(owners)
        await storage.close()


def test_a_call_whose_record_waits_for_the_store_is_over(
    stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for call_id in ("rtc_over", "rtc_live", "rtc_moved"):
        insert_live(stored, call_id)
    # Another runner has taken the second one since, which still serves it.
    owners = {"rtc_over": Owner(runner="r", fence=1), "rtc_moved": Owner(runner="q", fence=0)}
    asyncio.run(end_unsaved(owners))
    assert main(["calls"]) == OK
    assert capsys.readouterr().out == (
        f'{LIST}2 calls are live\n1 call is over, and its record waits for the store in "calls.db.unsaved"\n'
    )
    assert main(["calls", "--format", "json"]) == OK
    document = json.loads(capsys.readouterr().out)
    assert (document["live"], document["unsaved"]) == (2, 1)
    assert main(["calls", "show", "over"]) == CANNOT
    assert capsys.readouterr().err == (
        'phone-agents calls: call "rtc_over" is over, and its record waits for the store in '
        '"calls.db.unsaved"; a runner saves it\n'
    )
    assert main(["calls", "show", "rtc_moved"]) == OK
    asyncio.run(save_what_waits())
    assert main(["calls"]) == OK
    assert capsys.readouterr().out.splitlines()[-1] == "2 calls are live"


async def save_what_waits() -> None:
    storage = await Storage.open(
        "sqlite:calls.db", keep_s=None, metrics=Metrics(), clock=lambda: NOW, on_jobs=lambda: None
    )
    await storage.close()


def insert_live(stored: Path, call_id: str) -> None:
    with closing(sqlite3.connect(stored)) as connection, connection:
        connection.execute(
            "INSERT INTO live_calls VALUES (:id, 'r', 1, 'front-desk', 'answered', 'c', :now, :id)",
            {"id": call_id, "now": NOW},
        )
