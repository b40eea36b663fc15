"""Several runners over one database: leases end by its clock, and who has lost a call can do nothing."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import asyncpg
import pytest

from runner.errors import CallLostError, ClockError, LeaseLostError, StoreError
from runner.model.live_call import CallState, Claim, HeldCall, Owner
from runner.store.postgresql import claims, live_calls
from runner.store.postgresql.database import CONNECTIONS
from runner.store.postgresql.postgresql_store import PostgresqlStore
from tests.patience import PATIENCE_S
from tests.store.engines import PostgresqlEngine, call_record
from tests.store.members import HOUR_S, Member, joined, journal, piece, ringing
from tests.store.postgresql.server import PostgresqlServer


@pytest.fixture
async def engine(postgresql: PostgresqlServer) -> AsyncIterator[PostgresqlEngine]:
    async with AsyncExitStack() as stack:
        yield PostgresqlEngine(postgresql.new_database(), stack)


async def loses_touch(engine: PostgresqlEngine, *names: str) -> None:
    """Nothing was heard of these runners for longer than their lease lasts."""
    for name in names:
        await engine.run(f"UPDATE runners SET seen_at = seen_at - interval '2 hours' WHERE id = '{name}'")


async def has_been_there(engine: PostgresqlEngine, *names: str) -> None:
    """These runners have held their lease for as long as it lasts."""
    for name in names:
        await engine.run(
            f"UPDATE runners SET asserted_at = asserted_at - interval '2 hours' WHERE id = '{name}'"
        )


async def runners(engine: PostgresqlEngine, *names: str) -> list[Member]:
    """Runners that have been there for a while."""
    members = [await joined(engine, name) for name in names]
    await has_been_there(engine, *names)
    return members


async def holders(engine: PostgresqlEngine) -> dict[str, tuple[str, int]]:
    return {row[0]: (row[1], row[2]) for row in await engine.run("SELECT id, runner, fence FROM live_calls")}


async def test_two_runners_that_race_for_a_call_do_not_both_get_it(engine: PostgresqlEngine) -> None:
    one, two = await runners(engine, "one", "two")
    for number in range(20):
        call = ringing(f"rtc_{number}")
        claims = await asyncio.gather(one.claim(call), two.claim(call))
        assert sorted(claim.ours is None for claim in claims) == [False, True]


async def test_a_lease_that_is_over_writes_nothing(engine: PostgresqlEngine) -> None:
    [one] = await runners(engine, "one")
    await one.holds()
    await loses_touch(engine, "one")
    assert not await one.store.renew(one.lease)
    for attempt in (one.append(piece()), one.claim(ringing("rtc_2")), one.take_over()):
        with pytest.raises(LeaseLostError, match=r"^the lease is over$"):
            await attempt
    assert await journal(one, "rtc_1") == []
    assert await one.store.runners() == []


async def test_who_comes_back_in_time_keeps_its_calls_under_a_new_lease(engine: PostgresqlEngine) -> None:
    [one] = await runners(engine, "one")
    call = await one.holds()
    await loses_touch(engine, "one")
    old = one.lease
    assert await one.assert_calls([call]) == set()
    await one.append(piece())
    assert await one.store.renew(one.lease)
    with pytest.raises(LeaseLostError):
        await one.store.append(old, [piece(first_seq=9)])


async def test_the_calls_of_a_lost_runner_are_taken_and_it_can_do_nothing_for_them(
    engine: PostgresqlEngine,
) -> None:
    one, two = await runners(engine, "one", "two")
    call = await one.holds("rtc_1")
    await one.append(piece())
    await two.holds("rtc_2")
    await loses_touch(engine, "one")
    assert await two.take_over() == [ringing("rtc_1", fence=2)]
    for attempt in (one.append(piece(first_seq=1)), one.claim(ringing("rtc_3"))):
        with pytest.raises(LeaseLostError):
            await attempt
    assert await one.assert_calls([call]) == {"rtc_1"}
    with pytest.raises(StoreError, match="rings at another runner"):
        await one.store.save(call_record(), owner=Owner(runner="one", fence=1))
    await two.store.save(call_record(), owner=Owner(runner="two", fence=2))
    assert await one.assert_calls([call]) == {"rtc_1"}
    assert await holders(engine) == {"rtc_2": ("two", 1)}


async def test_a_runner_whose_row_is_gone_comes_back_with_a_later_epoch(engine: PostgresqlEngine) -> None:
    one, two = await runners(engine, "one", "two")
    await loses_touch(engine, "one")
    await two.store.sweep()
    assert await engine.run("SELECT id FROM runners") == [("two",)]
    old = one.lease
    await one.assert_calls([])
    assert one.lease.epoch > old.epoch


async def test_who_has_just_come_takes_nothing_from_a_lost_runner_but_what_was_handed_over(
    engine: PostgresqlEngine,
) -> None:
    [one] = await runners(engine, "one")
    await one.holds("rtc_1")
    await one.holds("rtc_2")
    await one.store.hand_over(one.lease, ["rtc_2"])
    await loses_touch(engine, "one")
    two = await joined(engine, "two")
    assert await two.take_over() == [ringing("rtc_2", fence=2)]
    await has_been_there(engine, "two")
    assert await two.take_over() == [ringing("rtc_1", fence=2)]


async def test_when_the_store_was_away_for_everybody_nobody_takes_anything(engine: PostgresqlEngine) -> None:
    one, two = await runners(engine, "one", "two")
    calls = [await one.holds("rtc_1")], [await two.holds("rtc_2")]
    await loses_touch(engine, "one", "two")
    for member in (one, two):
        with pytest.raises(LeaseLostError):
            await member.take_over()
    assert await two.assert_calls(calls[1]) == set()
    assert await two.take_over() == []
    assert await one.assert_calls(calls[0]) == set()
    assert await holders(engine) == {"rtc_1": ("one", 1), "rtc_2": ("two", 1)}


async def test_the_calls_of_a_lost_runner_are_spread(engine: PostgresqlEngine) -> None:
    lost, *others = await runners(engine, "lost", "one", "two", "three")
    for number in range(9):
        await lost.holds(f"rtc_{number}")
    await loses_touch(engine, "lost")
    assert [len(await member.take_over()) for member in others] == [3, 3, 3]


async def test_nothing_is_left_to_a_runner_that_has_just_joined(engine: PostgresqlEngine) -> None:
    lost, one, two = await runners(engine, "lost", "one", "two")
    for number in range(9):
        await (lost, one, two)[number % 3].holds(f"rtc_{number}")
    await loses_touch(engine, "lost")
    new = await joined(engine, "new")
    assert [len(await member.take_over()) for member in (new, one, two)] == [0, 2, 1]


@pytest.mark.parametrize(("ahead_s", "apart"), [(3600.0, "3600 s ahead of"), (-3600.0, "3600 s behind")])
async def test_a_runner_whose_clock_is_wrong_takes_nothing_and_deletes_nothing(
    engine: PostgresqlEngine, ahead_s: float, apart: str
) -> None:
    one, two = await runners(engine, "one", "two")
    await one.answers(await one.holds())
    await one.leave()
    wrong = await PostgresqlStore.open(engine.url, lambda: time.time() + ahead_s)
    with pytest.raises(ClockError, match=f"^this machine's clock is {apart} the database's$"):
        await wrong.take_over(two.lease)
    with pytest.raises(ClockError, match=apart):
        await wrong.delete_before(time.time(), 9)
    await wrong.close()
    assert len(await two.take_over()) == 1


async def test_who_has_more_calls_than_others_takes_a_share_as_well(engine: PostgresqlEngine) -> None:
    lost, one, two = await runners(engine, "lost", "one", "two")
    for number in range(12):
        await (lost, one, one)[number % 3].holds(f"rtc_{number:02}")
    await loses_touch(engine, "lost")
    assert [len(await member.take_over()) for member in (one, two)] == [2, 2]


async def test_a_runner_takes_very_many_calls_in_parts(
    engine: PostgresqlEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_calls, "MOST_TAKEN", 2)
    lost, one = await runners(engine, "lost", "one")
    for number in range(5):
        await lost.holds(f"rtc_{number}")
    await loses_touch(engine, "lost")
    assert [len(await one.take_over()) for _ in range(4)] == [2, 2, 1, 0]


async def test_runners_that_take_over_at_once_never_take_the_same(engine: PostgresqlEngine) -> None:
    lost, *others = await runners(engine, "lost", "one", "two", "three")
    for number in range(30):
        await lost.holds(f"rtc_{number:02}")
    await loses_touch(engine, "lost")
    taken: list[HeldCall] = []
    while len(taken) < 30:
        for batch in await asyncio.gather(*(member.take_over() for member in others)):
            taken += batch
    assert sorted(call.id for call in taken) == [f"rtc_{number:02}" for number in range(30)]
    assert {call.fence for call in taken} == {2}


async def test_a_write_that_is_under_way_is_there_before_its_calls_are_taken(
    engine: PostgresqlEngine,
) -> None:
    one, two = await runners(engine, "one", "two")
    await one.holds()
    await loses_touch(engine, "one")
    writing = await asyncpg.connect(engine.url)
    async with writing.transaction():
        # As `append` locks it, a moment before the lease was over.
        await writing.execute("SELECT 1 FROM runners WHERE id = 'one' FOR KEY SHARE")
        assert await two.take_over() == []
        await writing.execute("INSERT INTO journal (call_id, first_seq, entries) VALUES ('rtc_1', 0, 'a')")
    await writing.close()
    assert await two.take_over() == [ringing("rtc_1", fence=2)]
    assert await journal(two, "rtc_1") == [piece(entries=b"a")]


async def test_a_heartbeat_waits_for_no_write_and_a_new_lease_for_those_under_the_old_one(
    engine: PostgresqlEngine,
) -> None:
    [one] = await runners(engine, "one")
    writing = await asyncpg.connect(engine.url)
    async with writing.transaction():
        await writing.execute("SELECT 1 FROM runners WHERE id = 'one' FOR KEY SHARE")
        assert await one.store.renew(one.lease)
        asserting = asyncio.create_task(one.assert_calls([]))
        while not await engine.run("SELECT 1 FROM pg_locks WHERE NOT granted"):
            assert not asserting.done()
    await writing.close()
    assert await asserting == set()


async def test_a_heartbeat_waits_for_no_claim(engine: PostgresqlEngine) -> None:
    [one] = await runners(engine, "one")
    claiming = await asyncpg.connect(engine.url)
    async with claiming.transaction(), asyncio.timeout(PATIENCE_S):
        assert await claims.claim_new(claiming, one.lease, ringing("rtc_1"), None) is not None
        assert await one.store.renew(one.lease)
    await claiming.close()


async def test_a_heartbeat_has_a_connection_when_claims_wait_for_all_others(
    engine: PostgresqlEngine,
) -> None:
    [one] = await runners(engine, "one")
    blocking = await asyncpg.connect(engine.url)
    async with blocking.transaction():
        await blocking.execute("LOCK TABLE live_calls")
        claims = [asyncio.create_task(one.claim(ringing(f"rtc_{number}"))) for number in range(CONNECTIONS)]
        while len(await engine.run("SELECT 1 FROM pg_locks WHERE NOT granted")) < CONNECTIONS - 1:
            assert not any(claim.done() for claim in claims)
        assert await one.store.renew(one.lease)
    await blocking.close()
    assert all(claimed.ours for claimed in await asyncio.gather(*claims))


async def test_a_call_whose_record_is_saved_while_it_is_asserted_stays_over(engine: PostgresqlEngine) -> None:
    one, two = await runners(engine, "one", "two")
    call = await one.holds()
    await two.store.save(call_record("rtc_2"))
    saving = await asyncpg.connect(engine.url)
    async with saving.transaction():
        # As `save` does it.
        await saving.execute("DELETE FROM live_calls WHERE id = 'rtc_1'")
        await saving.execute("UPDATE calls SET id = 'rtc_1'")
        asserting = asyncio.create_task(one.assert_calls([call]))
        while not await engine.run("SELECT 1 FROM pg_locks WHERE NOT granted"):
            assert not asserting.done()
    await saving.close()
    assert await asserting == {"rtc_1"}
    assert await holders(engine) == {}


async def test_the_claim_of_a_lost_runner_is_free_and_an_answered_call_is_not(
    engine: PostgresqlEngine,
) -> None:
    one, two = await runners(engine, "one", "two")
    await one.holds("rtc_1")
    await one.answers(await one.holds("rtc_2"))
    assert await two.claim(ringing("rtc_1")) == Claim()
    await loses_touch(engine, "one")
    assert await two.claim(ringing("rtc_1")) == Claim(ours=ringing("rtc_1", fence=2))
    assert await two.claim(ringing("rtc_2")) == Claim()


async def test_a_take_over_that_a_failover_has_forgotten_is_asserted_against_the_owner_before(
    engine: PostgresqlEngine,
) -> None:
    one, two = await runners(engine, "one", "two")
    call = await one.holds()
    await loses_touch(engine, "one")
    [taken] = await two.take_over()
    # A failover to a server that has not heard of it: there the call is the first one's, and its lease good.
    await engine.run("UPDATE live_calls SET runner = 'one', fence = 1")
    await engine.run("UPDATE runners SET seen_at = now(), epoch = 1 WHERE id = 'one'")
    await one.append(piece())
    assert await two.assert_calls([taken]) == set()
    with pytest.raises(LeaseLostError):
        await one.append(piece(first_seq=1))
    assert not await one.store.renew(one.lease)
    assert await one.assert_calls([call]) == {"rtc_1"}
    assert await holders(engine) == {"rtc_1": ("two", 2)}


async def test_a_server_that_was_restarted_wants_the_calls_asserted(
    engine: PostgresqlEngine, postgresql: PostgresqlServer
) -> None:
    [one] = await runners(engine, "one")
    call = await one.holds()
    postgresql.stop()
    try:
        for attempt in (one.append(piece()), one.store.renew(one.lease)):
            with pytest.raises(StoreError):
                await attempt
    finally:
        postgresql.start()
    assert not await one.store.renew(one.lease)
    assert await one.assert_calls([call]) == set()
    assert await one.store.renew(one.lease)
    await one.append(piece())


async def test_a_lease_ends_by_the_clock_of_the_database(engine: PostgresqlEngine) -> None:
    one, two = await joined(engine, "one", lease_s=0.001), await joined(engine, "two", lease_s=HOUR_S)
    await one.assert_calls([ringing()], lease_s=0.001)
    await has_been_there(engine, "two")
    while not (taken := await two.take_over()):
        pass
    assert taken == [ringing(fence=2)]


async def test_a_runner_that_is_about_to_end_takes_calls_only_when_nobody_stays(
    engine: PostgresqlEngine,
) -> None:
    one, two, three = await runners(engine, "one", "two", "three")
    for number in range(4):
        await one.holds(f"rtc_{number}")
    for leaving in (one, two):
        await leaving.store.retire(leaving.lease)
    await one.store.hand_over(one.lease, ["rtc_0", "rtc_1", "rtc_2", "rtc_3"])
    assert [info.is_leaving for info in await three.store.runners()] == [True, False, True]
    assert await two.take_over() == []
    assert len(await three.take_over()) == 4, "who leaves is not counted among those who share"
    await three.store.retire(three.lease)
    await three.store.hand_over(three.lease, ["rtc_0", "rtc_1", "rtc_2", "rtc_3"])
    assert len(await two.take_over()) == 2


async def test_what_a_runner_has_taken_without_hearing_of_it_is_nobodys_once_it_asserts_its_calls(
    engine: PostgresqlEngine,
) -> None:
    one, two = await runners(engine, "one", "two")
    for number in range(3):
        await one.answers(await one.holds(f"rtc_{number}"))
    rings = await two.holds("rtc_3")
    await one.store.hand_over(one.lease, ["rtc_0", "rtc_1"])
    heard_of = (await two.take_over())[:1]
    assert len(await two.take_over()) == 1, "the answer to this one was lost"
    assert await two.assert_calls([*heard_of, rings]) == set()
    assert [call.id for call in await one.take_over()] == ["rtc_1"]
    assert await holders(engine) == {
        "rtc_0": ("two", 2),
        "rtc_1": ("one", 3),
        "rtc_2": ("one", 1),
        "rtc_3": ("two", 1),
    }


async def test_what_a_runner_could_not_write_is_for_who_has_its_call_now(engine: PostgresqlEngine) -> None:
    one, two, three = await runners(engine, "one", "two", "three")
    await two.holds("rtc_1")
    await three.store.save(call_record("rtc_2"))
    await one.holds("rtc_3")
    late = [piece("rtc_1", 7, b"b"), piece("rtc_1", 5, b"a")]
    assert await one.append(*late, piece("rtc_2", 7), piece("rtc_3", 7)) == {"rtc_1", "rtc_2"}
    assert await three.store.late(three.lease) == []
    assert await two.store.late(two.lease) == [late[1], late[0]]
    await two.store.forget_late(two.lease, [late[1]])
    assert await two.store.late(two.lease) == [late[0]]
    assert await one.store.late(one.lease) == []
    await two.store.forget_late(two.lease, [late[0]])
    assert await engine.run("SELECT * FROM late_entries") == []


async def test_what_came_late_is_there_for_the_runner_that_takes_the_call_before_it_is_made_up_for(
    engine: PostgresqlEngine,
) -> None:
    one, two, three = await runners(engine, "one", "two", "three")
    await two.answers(await two.holds("rtc_1"))
    late = [piece("rtc_1", 5, b"a"), piece("rtc_1", 5, b"of the next owner")]
    for each in late:
        await one.append(each)
    assert await two.store.late(two.lease) == late
    await two.store.hand_over(two.lease, ["rtc_1"])
    assert await two.store.late(two.lease) == []
    assert [taken.id for taken in await three.take_over()] == ["rtc_1"]
    await two.store.forget_late(two.lease, late)
    await three.store.forget_late(three.lease, late[1:])
    assert await three.store.late(three.lease) == late[:1]


async def test_nothing_that_came_late_stays_when_the_call_is_over(engine: PostgresqlEngine) -> None:
    one, two = await runners(engine, "one", "two")
    await two.holds("rtc_1")
    await one.append(piece("rtc_1", 5, b"a"))
    await two.store.save(call_record("rtc_1"), owner=Owner(runner="two", fence=1))
    assert await engine.run("SELECT * FROM late_entries") == []


async def test_of_two_who_have_claimed_a_call_it_is_of_whom_the_api_has_answered_it_for(
    engine: PostgresqlEngine,
) -> None:
    one, two = await runners(engine, "one", "two")
    claimed = await two.claim(ringing(), ring=piece(entries=b"of two"))
    assert claimed.ours is not None
    late = ringing()  # `one` could not reach the store
    assert await one.append(piece(first_seq=1)) == {"rtc_1"}
    assert await one.answers(late) == 2
    assert await journal(one, "rtc_1") == []
    with pytest.raises(CallLostError):
        await two.answers(claimed.ours)
    assert await two.assert_calls([claimed.ours]) == {"rtc_1"}
    await two.store.unclaim(two.lease, claimed.ours)
    assert await holders(engine) == {"rtc_1": ("one", 2)}


async def test_a_call_that_another_has_claimed_is_kept_when_the_api_has_answered_it_for_us(
    engine: PostgresqlEngine,
) -> None:
    one, two = await runners(engine, "one", "two")
    claimed = await two.claim(ringing(), ring=piece(entries=b"of two"))
    assert claimed.ours is not None
    rings = ringing()
    assert await one.assert_calls([rings]) == set(), "nobody has been put through yet"
    assert await holders(engine) == {"rtc_1": ("two", 1)}
    talks = replace(rings, state=CallState.ANSWERED)
    one.lease, fences = await one.store.assert_calls(one.info, one.lease, lambda: [talks], HOUR_S)
    assert fences == {"rtc_1": 2}
    assert await journal(one, "rtc_1") == []
    assert await two.assert_calls([claimed.ours]) == {"rtc_1"}
    assert await holders(engine) == {"rtc_1": ("one", 2)}


async def test_a_call_that_is_answered_while_it_is_asserted_stays_answered(engine: PostgresqlEngine) -> None:
    one, two = await runners(engine, "one", "two")
    rings = await one.holds()
    await one.answers(rings)
    assert await one.assert_calls([rings]) == set()
    await loses_touch(engine, "one")
    assert await two.take_over() == [ringing(fence=2, state=CallState.ANSWERED)]
