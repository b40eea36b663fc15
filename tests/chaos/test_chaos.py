"""Nothing is lost while runners are killed, paused and deployed; and the checker finds what is planted."""

from dataclasses import replace

import pytest

from tests.chaos.checker import STALE
from tests.chaos.world import Plan, Round, play
from tests.store.postgresql.server import PostgresqlServer

pytestmark = pytest.mark.chaos


async def played(plan: Plan, server: PostgresqlServer | None = None) -> Round:
    """The first round that counts, of this plan's seed or one of the next."""
    for seed in range(plan.seed, plan.seed + 5):
        store = plan.store if server is None else server.new_database()
        result = await play(replace(plan, seed=seed, store=store))
        if not result.is_void:
            break
    return result


async def test_one_runner_on_sqlite_loses_nothing() -> None:
    plan = Plan(
        seed=1,
        store="sqlite:",
        runners=1,
        calls=8,
        lasts_s=12.0,
        faults=("kill", "cut", "duplicate", "reload"),
    )
    result = await played(plan)
    assert result.losses == []
    assert result.faults["kill"] > 0


async def test_several_runners_on_postgresql_lose_nothing(postgresql: PostgresqlServer) -> None:
    plan = Plan(
        seed=2,
        store=postgresql.new_database(),
        runners=2,
        calls=8,
        lasts_s=12.0,
        faults=("kill", "deploy", "cut", "duplicate", "reload"),
    )
    result = await played(plan, postgresql)
    assert result.losses == []
    assert result.faults["kill"] + result.faults["deploy"] > 0


SEEDS = range(3, 15)
"""What a seed does depends on how fast the machine is: a bug that one does not show, another does."""


@pytest.mark.parametrize(
    ("bug", "fault", "said"),
    [
        ("greets_again", "kill", "greeted"),
        ("output_not_resent", "cut_at_reply", "tool without an output"),
        ("journal_after_action", "kill_at_work", ""),
    ],
)
async def test_a_planted_bug_is_found_on_sqlite(bug: str, fault: str, said: str) -> None:
    found: list[str] = []
    for seed in SEEDS:
        plan = Plan(
            seed=seed,
            store="sqlite:",
            runners=1,
            calls=8,
            lasts_s=10.0,
            faults=(fault,),
            bug=bug,
        )
        found += [loss for loss in (await play(plan)).losses if said in loss]
        if found:
            break
    assert found


@pytest.mark.parametrize("bug", ["no_fencing", "lease_not_checked"])
async def test_a_planted_bug_is_found_on_postgresql(bug: str, postgresql: PostgresqlServer) -> None:
    found: list[str] = []
    for seed in SEEDS:
        plan = Plan(
            seed=seed,
            store=postgresql.new_database(),
            runners=2,
            calls=10,
            lasts_s=14.0,
            faults=("pause",),
            # A call that outlasts the pause has a runner that may act when it may not.
            lookups=10,
            bug=bug,
        )
        losses = (await play(plan)).losses
        found += [loss for loss in losses if STALE in loss]
        if found:
            break
    assert found
