"""What every store promises of live calls: one runner serves each, and whoever has lost one changes nothing.

The runners of a test are two stores over one database. Where a database is for one process at a time, the
second is the process that comes after the first.
"""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from runner.errors import CallLostError, StoreError
from runner.model.event import Limit
from runner.model.live_call import CallState, Claim, ClaimLimits, FleetCall, Owner
from runner.store.journal.sealed import HeldPiece
from tests.store.engines import Engine, call_record
from tests.store.members import joined, journal, piece, ringing

DAY_S = 24 * 3600.0


async def served_by(engine: Engine) -> list[tuple[Any, ...]]:
    return await engine.run("SELECT id, runner, fence, state FROM live_calls ORDER BY id")


# Claims


async def test_a_call_is_claimed_once(engine: Engine) -> None:
    one = await joined(engine, "one")
    assert await one.claim(ringing(api_call_id="rtc_w1")) == Claim(ours=ringing(api_call_id="rtc_w1"))
    assert await served_by(engine) == [("rtc_1", "one", 1, "ringing")]


async def test_a_claim_whose_answer_was_lost_is_made_again(engine: Engine) -> None:
    one = await joined(engine, "one")
    first = await one.claim(ringing())
    assert await one.claim(ringing()) == first
    assert await served_by(engine) == [("rtc_1", "one", 1, "ringing")]


async def test_a_call_that_was_answered_is_taken(engine: Engine) -> None:
    one = await joined(engine, "one")
    await one.store.set_state(one.lease, replace(await one.holds(), state=CallState.ANSWERED))
    assert await one.claim(ringing()) == Claim()


async def test_a_call_with_a_record_is_taken(engine: Engine) -> None:
    one = await joined(engine, "one")
    await one.holds()
    await one.store.save(call_record("rtc_1"))
    assert await one.claim(ringing()) == Claim()
    assert await served_by(engine) == []


async def test_a_claim_that_was_given_up_can_be_made_again(engine: Engine) -> None:
    one = await joined(engine, "one")
    call = await one.holds()
    await one.append(piece())
    await one.store.unclaim(one.lease, call)
    assert await journal(one, "rtc_1") == []
    assert await one.claim(ringing(agent="night")) == Claim(ours=ringing(agent="night"))


async def test_the_ring_is_written_with_the_claim_or_not_at_all(engine: Engine) -> None:
    one = await joined(engine, "one")
    ring, limits = piece(entries=b"ring"), ClaimLimits(concurrent_calls=1)
    await one.claim(ringing(), limits, ring)
    await one.claim(ringing(), limits, ring)
    await one.claim(ringing("rtc_2"), limits, piece("rtc_2"))
    assert await journal(one, "rtc_1") == [ring]
    assert await journal(one, "rtc_2") == [], "its agent has no room"


async def test_one_call_of_the_api_is_claimed_for_one_page(engine: Engine) -> None:
    one = await joined(engine, "one")
    await one.holds("rtc_1")
    made = ringing("web_1", api_call_id="rtc_2", state=CallState.ANSWERED)
    assert await one.claim(made) == Claim(ours=made)
    for api_call_id in ("rtc_2", "rtc_1"):
        assert await one.claim(replace(made, id="web_2", api_call_id=api_call_id)) == Claim()
    assert await served_by(engine) == [("rtc_1", "one", 1, "ringing"), ("web_1", "one", 1, "answered")]


async def test_an_agent_takes_so_many_calls_at_once(engine: Engine) -> None:
    one = await joined(engine, "one")
    limits = ClaimLimits(concurrent_calls=2)
    for call_id in ("rtc_1", "rtc_2"):
        assert (await one.claim(ringing(call_id), limits)).ours is not None
    assert await one.claim(ringing("rtc_3"), limits) == Claim(reached=Limit.CONCURRENT_CALLS)
    assert (await one.claim(ringing("rtc_2"), limits)).ours is not None, "its own place is not in its way"
    assert (await one.claim(ringing("rtc_3", agent="night"), limits)).ours is not None
    await one.store.save(call_record("rtc_1"))
    assert (await one.claim(ringing("rtc_4"), limits)).ours is not None


async def test_an_agent_takes_so_many_calls_a_day(engine: Engine) -> None:
    one = await joined(engine, "one")
    limits = ClaimLimits(calls_per_day=3)
    await one.store.save(call_record("yesterday", created_at=DAY_S - 1))
    await one.store.save(call_record("over", created_at=DAY_S))
    await one.store.save(call_record("another's", agent="night", created_at=DAY_S))
    await one.holds("live", began_at=DAY_S + 5)
    assert (await one.claim(ringing("last", began_at=2 * DAY_S - 1), limits)).ours is not None
    assert await one.claim(ringing("more", began_at=DAY_S), limits) == Claim(reached=Limit.CALLS_PER_DAY)
    assert (await one.claim(ringing("tomorrow", began_at=2 * DAY_S), limits)).ours is not None


async def test_calls_that_come_at_once_cannot_all_find_room(engine: Engine) -> None:
    members = [await joined(engine, "one")]
    if engine.is_shared:
        members += [await joined(engine, "two"), await joined(engine, "three")]
    limits = ClaimLimits(concurrent_calls=5)
    claims = await asyncio.gather(
        *(members[at % len(members)].claim(ringing(f"rtc_{at}"), limits) for at in range(30))
    )
    assert len([claim for claim in claims if claim.ours]) == 5
    assert len([claim for claim in claims if claim.reached is Limit.CONCURRENT_CALLS]) == 25


# Journals


async def test_a_journal_is_read_in_its_order_and_goes_with_the_record(engine: Engine) -> None:
    one = await joined(engine, "one")
    await one.holds("rtc_1")
    await one.holds("rtc_2")
    await one.append(piece(first_seq=0, entries=b"a\0"), piece("rtc_2", entries=b"x"))
    await one.append(piece(first_seq=10, entries=b"c"))
    await one.append(piece(first_seq=5, entries=b"b"))
    assert [found.entries for found in await journal(one, "rtc_1")] == [b"a\0", b"b", b"c"]
    await one.store.save(call_record("rtc_1"))
    assert await journal(one, "rtc_1") == []
    assert await journal(one, "rtc_2") == [piece("rtc_2", entries=b"x")]


async def test_a_piece_that_is_written_again_replaces_itself(engine: Engine) -> None:
    one = await joined(engine, "one")
    await one.holds()
    await one.append(piece(entries=b"a"))
    await one.append(piece(entries=b"ab"), piece(first_seq=2, entries=b"c"), piece(first_seq=2, entries=b"d"))
    await one.append()
    assert [found.entries for found in await journal(one, "rtc_1")] == [b"ab", b"d"]


async def test_a_piece_that_comes_twice_hides_nothing_that_came_since(engine: Engine) -> None:
    one = await joined(engine, "one")
    call = await one.holds()
    pieces = [piece(entries=b"a"), piece(first_seq=1, entries=b"b")]
    for each in pieces:
        await one.append(each)
    await one.append(pieces[0])
    assert await journal(one, "rtc_1") == pieces
    await one.store.append_late([HeldPiece(piece=pieces[0], call=call)])
    assert await journal(one, "rtc_1") == pieces


async def test_a_configuration_is_kept_while_a_live_call_or_a_runner_uses_it(engine: Engine) -> None:
    one = await joined(engine, "one")
    await one.store.publish(one.lease, "c1", "old texts")
    await one.holds("rtc_1", configuration="c1")
    await one.store.publish(one.lease, "c2", "new texts")
    await one.store.publish(one.lease, "c2", "new texts")
    await one.store.sweep()
    assert await one.store.configuration("c1") == "old texts"
    await one.store.save(call_record("rtc_1"))
    await one.store.sweep()
    assert await one.store.configuration("c1") is None
    assert await one.store.configuration("c2") == "new texts"


async def test_nothing_is_written_for_a_call_that_another_has_or_that_is_over(engine: Engine) -> None:
    """A runner still had something to write when it lost the call, and writes it under a new lease."""
    one = await joined(engine, "one")
    for call_id in ("rtc_1", "rtc_2", "rtc_3"):
        await one.holds(call_id)
    await one.append(piece("rtc_1"))
    await engine.run("UPDATE live_calls SET runner = 'two', fence = 2 WHERE id = 'rtc_1'")
    await engine.run("UPDATE live_calls SET runner = NULL WHERE id = 'rtc_2'")
    await one.store.save(call_record("rtc_5"))
    late = [piece(f"rtc_{number}", entries=b"late") for number in (1, 2, 3, 4, 5)]
    assert await one.append(*late) == {"rtc_1", "rtc_2", "rtc_5"}
    assert await journal(one, "rtc_1") == [piece("rtc_1")]
    assert await journal(one, "rtc_2") == []
    assert await journal(one, "rtc_3") == [late[2]]
    assert await journal(one, "rtc_4") == [late[3]], "the store was away when it came"
    assert await journal(one, "rtc_5") == [], "it is over"


# The call's end


async def test_the_owner_of_a_call_saves_its_record_once(engine: Engine) -> None:
    one = await joined(engine, "one")
    await one.holds()
    owner = Owner(runner="one", fence=1)
    await one.store.save(call_record(ended="hangup"), owner=owner)
    await one.store.save(call_record(ended="again"), owner=owner)
    assert await engine.run("SELECT id, ended FROM calls") == [("rtc_1", "hangup")]


@pytest.mark.parametrize("owner", [Owner(runner="one", fence=2), Owner(runner="two", fence=1)])
async def test_who_does_not_own_a_call_saves_no_record_of_it(engine: Engine, owner: Owner) -> None:
    one = await joined(engine, "one")
    await one.answers(await one.holds())
    with pytest.raises(CallLostError) as caught:
        await one.store.save(call_record(), owner=owner)
    assert str(caught.value) == 'call "rtc_1" is served by another runner'
    assert await served_by(engine) == [("rtc_1", "one", 1, "answered")]


async def test_a_record_waits_until_the_runner_at_which_its_call_rings_has_found_it_over(
    engine: Engine,
) -> None:
    """Its owner had answered the call and could not tell the store, so the next one knows of a ring only."""
    one = await joined(engine, "one")
    await one.holds()
    await one.leave()
    two = await joined(engine, "two")
    (taken,) = await two.take_over()
    owner = Owner(runner="one", fence=1)
    with pytest.raises(StoreError) as caught:
        await two.store.save(call_record(), owner=owner)
    assert type(caught.value) is StoreError, "it is not dropped"
    assert str(caught.value) == 'call "rtc_1" rings at another runner, which may find that it is over'
    assert await served_by(engine) == [("rtc_1", two.id, taken.fence, "ringing")]
    await two.store.unclaim(two.lease, taken)
    await two.store.save(call_record(), owner=owner)
    assert await engine.run("SELECT id FROM calls") == [("rtc_1",)]


async def test_a_call_that_was_never_claimed_is_saved_all_the_same(engine: Engine) -> None:
    """The store was away when it came."""
    one = await joined(engine, "one")
    await one.store.save(call_record(), owner=Owner(runner="one", fence=1))
    assert await engine.run("SELECT id FROM calls") == [("rtc_1",)]


# Going on with the calls of another


async def test_the_next_runner_takes_what_one_that_left_has_handed_over(engine: Engine) -> None:
    one = await joined(engine, "one")
    call = await one.holds("rtc_1")
    await one.store.set_state(one.lease, replace(call, state=CallState.ANSWERED, api_call_id="rtc_w1"))
    await one.holds("rtc_2", began_at=5.0)
    await one.append(piece())
    assert await one.take_over() == []
    await one.leave()
    two = await joined(engine, "two")
    assert await two.take_over() == [
        ringing("rtc_1", api_call_id="rtc_w1", fence=2, state=CallState.ANSWERED),
        ringing("rtc_2", began_at=5.0, fence=2),
    ]
    assert await two.take_over() == []
    assert await journal(two, "rtc_1") == [piece()]
    assert await served_by(engine) == [("rtc_1", "two", 2, "answered"), ("rtc_2", "two", 2, "ringing")]


async def test_a_claim_of_a_runner_that_left_is_free(engine: Engine) -> None:
    one = await joined(engine, "one")
    await one.holds()
    await one.leave()
    two = await joined(engine, "two")
    assert await two.claim(ringing()) == Claim(ours=ringing(fence=2))


async def test_a_claim_begins_the_journal_anew(engine: Engine) -> None:
    one = await joined(engine, "one")
    await one.claim(ringing(), ring=piece())
    await one.append(piece(first_seq=1), piece(first_seq=2))
    await one.leave()
    two = await joined(engine, "two")
    await two.claim(ringing(), ring=piece(entries=b"anew"))
    await two.append(piece("rtc_2"))
    await two.claim(ringing("rtc_2"))
    assert await journal(two, "rtc_1") == [piece(entries=b"anew")]
    assert await journal(two, "rtc_2") == [piece("rtc_2")]


async def test_who_has_lost_a_call_cannot_change_its_state(engine: Engine) -> None:
    one = await joined(engine, "one")
    call = await one.holds()
    await one.leave()
    two = await joined(engine, "two")
    await two.take_over()
    with pytest.raises(CallLostError):
        await two.store.set_state(one.lease, replace(call, state=CallState.ANSWERED))
    await two.store.unclaim(one.lease, call)
    assert await served_by(engine) == [("rtc_1", "two", 2, "ringing")]


async def test_what_an_ended_process_could_not_write_is_written_late_unless_another_has_the_call(
    engine: Engine,
) -> None:
    one = await joined(engine, "one")
    await one.holds("rtc_1")
    await one.holds("rtc_2")
    await one.store.save(call_record("rtc_3"))
    await one.leave()
    two = await joined(engine, "two")
    taken = await two.store.append_late(
        [
            *(
                HeldPiece(piece=piece("rtc_1", 3, entries), call=ringing("rtc_1"))
                for entries in (b"?", b"late")
            ),
            HeldPiece(piece=piece("rtc_2", 3, b"of another"), call=ringing("rtc_2", fence=2)),
            HeldPiece(piece=piece("rtc_3", 0, b"over"), call=ringing("rtc_3")),
        ]
    )
    assert taken == {"rtc_2"}
    assert await journal(two, "rtc_1") == [piece("rtc_1", 3, b"late")]
    assert await journal(two, "rtc_2") == []
    assert await journal(two, "rtc_3") == []
    await two.take_over()
    late = [] if not engine.is_shared else [piece("rtc_2", 3, b"of another")]
    assert await two.store.late(two.lease) == late
    await two.store.forget_late(two.lease, late)
    assert await two.store.late(two.lease) == []


@pytest.mark.parametrize("has_record", [True, False])
async def test_a_call_that_was_lost_and_is_over_does_not_come_back(engine: Engine, has_record: bool) -> None:
    one = await joined(engine, "one")
    call = await one.holds()
    await one.leave()
    two = await joined(engine, "two")
    (taken,) = await two.take_over()
    if has_record:
        await two.store.save(call_record(call.id), owner=Owner(runner=two.id, fence=taken.fence))
        assert await two.store.delete(call.id)
    else:
        await two.store.unclaim(two.lease, taken)
    late = [HeldPiece(piece=piece(first_seq=3), call=call)]
    assert await two.store.append_late(late, were_lost=True) == set()
    assert await two.store.live_calls() == []
    assert await journal(two, call.id) == []


async def test_a_call_that_was_answered_while_the_store_was_away_is_known_late(engine: Engine) -> None:
    two = await joined(engine, "two")
    rings, talks = ringing("rtc_1"), ringing("rtc_1", state=CallState.ANSWERED)
    late = [HeldPiece(piece=piece("rtc_1", 0), call=rings), HeldPiece(piece=piece("rtc_1", 3), call=talks)]
    await two.store.append_late(late)
    assert await journal(two, "rtc_1") == [piece("rtc_1", 0), piece("rtc_1", 3)]
    assert await two.take_over() == [replace(talks, fence=2)]


async def test_all_live_calls_are_shown_with_who_serves_them(engine: Engine) -> None:
    one = await joined(engine, "one")
    call = await one.holds("rtc_2", began_at=2.0)
    first = await one.holds("rtc_1", began_at=1.0)
    served = FleetCall(call=call, runner="one", address="http://one:8081")
    if engine.is_shared:
        served = replace(served, page_address="http://one:8080")
    assert await one.store.live_calls() == [replace(served, call=first), served]
    assert await one.store.live_call("rtc_2") == served
    assert await one.store.live_call("rtc_3") is None
    assert await one.store.runners() == [one.info]


async def test_a_lease_is_renewed(engine: Engine) -> None:
    one = await joined(engine, "one")
    assert await one.store.renew(one.lease)
    assert await one.store.renew(one.lease)


async def test_calls_that_the_store_does_not_know_are_claimed_when_they_are_asserted(engine: Engine) -> None:
    one = await joined(engine, "one")
    known = await one.holds("rtc_1")
    await one.store.save(call_record("rtc_3"))
    unknown = ringing("rtc_2", state=CallState.ANSWERED, api_call_id="rtc_w2")
    assert await one.assert_calls([known, unknown, ringing("rtc_3")]) == {"rtc_3"}
    assert await served_by(engine) == [("rtc_1", "one", 1, "ringing"), ("rtc_2", "one", 1, "answered")]
    await one.append(piece("rtc_2"))
    assert await one.assert_calls([]) == set()
