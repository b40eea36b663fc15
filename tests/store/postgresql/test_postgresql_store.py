"""What is particular to PostgreSQL: how it is reached, its schema, a server that is away for a while."""

import asyncio
import os

import asyncpg
import pytest

from runner.errors import CannotRunError, StoreError
from runner.model.stored_call import CallFilter
from runner.store.opening import open_store
from runner.store.postgresql.database import CONNECTIONS, Connection, PostgresqlDatabase
from runner.store.postgresql.postgresql_store import PostgresqlStore
from tests.patience import PATIENCE_S
from tests.store.engines import call_record
from tests.store.postgresql.database_line import DatabaseLine, LineFault
from tests.store.postgresql.server import PostgresqlServer


async def run(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def refusal(url: str) -> str:
    with pytest.raises(CannotRunError) as caught:
        await open_store(url)
    return str(caught.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "postgresql://ada:hidden@no-such-host.invalid/calls",
            'store "postgresql://no-such-host.invalid/calls" cannot be reached: name or service not known',
        ),
        (
            "postgresql://ada:hidden@127.0.0.1:port/calls",
            'store "postgresql://127.0.0.1:port/calls" cannot be reached: '
            "invalid literal for int() with base 10: 'port'",
        ),
    ],
)
async def test_a_server_that_cannot_be_reached_stops_us_with_one_sentence(url: str, message: str) -> None:
    told = await refusal(url)
    assert told.startswith(message.rpartition(": ")[0])
    assert "hidden" not in told


async def test_a_server_that_is_down_is_told_without_its_password_and_its_address_once() -> None:
    assert await refusal("postgresql://ada:hidden@127.0.0.1:1/calls") == (
        'store "postgresql://127.0.0.1:1/calls" cannot be reached: connection refused'
    )


async def test_a_database_that_does_not_exist_is_told(postgresql: PostgresqlServer) -> None:
    url = postgresql.new_database().replace("/postgres?", "/missing?")
    assert await refusal(url) == (
        'store "postgresql:///missing" cannot be reached: database "missing" does not exist'
    )


async def test_runners_that_start_together_make_the_schema_once(postgresql: PostgresqlServer) -> None:
    url = postgresql.new_database()
    stores = await asyncio.gather(*(open_store(url) for _ in range(6)))
    await asyncio.gather(*(store.save(call_record(f"rtc_{at}")) for at, store in enumerate(stores)))
    assert len(await stores[0].find(CallFilter(), 9)) == 6
    for store in stores:
        await store.close()


async def test_an_older_runner_works_beside_the_next_version_only(
    postgresql: PostgresqlServer,
) -> None:
    url = postgresql.new_database()
    await (await open_store(url)).close()
    newest = "SELECT max(version) FROM phone_agents_schema"
    await run(url, f"INSERT INTO phone_agents_schema SELECT max + 1 FROM ({newest}) AS newest")
    await (await open_store(url)).close()
    await run(url, "INSERT INTO phone_agents_schema VALUES (99)")
    told = await refusal(url)
    assert told.startswith('store "postgresql:///postgres" was written by a newer phone-agents (schema 99, ')
    assert told.endswith("); use that one or name another database")


async def test_a_table_of_another_program_is_left_alone(postgresql: PostgresqlServer) -> None:
    url = postgresql.new_database()
    await run(url, "CREATE TABLE calls (id integer)")
    assert await refusal(url) == (
        'store "postgresql:///postgres" holds a table of another program '
        '(relation "calls" already exists); name another database'
    )
    await run(url, "INSERT INTO calls VALUES (1)")


async def test_nothing_stays_in_a_session(postgresql: PostgresqlServer) -> None:
    """As PgBouncer in transaction mode wants it: no prepared statements, no settings, no locks."""
    database = await PostgresqlDatabase.open(postgresql.new_database())
    store = PostgresqlStore(database)
    await store.save(call_record())
    await store.find(CallFilter(text="x"), 9)

    async def left(connection: Connection) -> list[int]:
        return [
            await connection.fetchval(f"SELECT count(*) FROM {view}")
            for view in ("pg_prepared_statements", "pg_locks WHERE locktype = 'advisory'")
        ]

    assert await database.run(left) == [0, 0]
    await store.close()


async def test_a_server_that_is_away_is_told_at_once_and_used_again_when_it_is_back(
    postgresql: PostgresqlServer,
) -> None:
    store = await open_store(postgresql.new_database())
    await store.save(call_record("rtc_1"))
    postgresql.stop()
    try:
        async with asyncio.timeout(PATIENCE_S):
            for _ in range(3):
                with pytest.raises(StoreError):
                    await store.save(call_record("rtc_2"))
    finally:
        postgresql.start()
    await store.save(call_record("rtc_3"))
    assert [found.id for found in await store.find(CallFilter(), 9)] == ["rtc_3", "rtc_1"]
    await store.close()


@pytest.mark.skipif("FAKETIME" in os.environ, reason="faketime swallows the server's timers")
async def test_a_transaction_that_stands_still_keeps_nobody_waiting(
    postgresql: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.store.postgresql.database.STATEMENT_S", PATIENCE_S)
    database = await PostgresqlDatabase.open(postgresql.new_database())
    monkeypatch.setattr("runner.store.postgresql.database.IDLE_S", 0.5)
    await database.run(lambda connection: connection.execute("CREATE TABLE held (id integer)"))
    is_locked, goes_on = asyncio.Event(), asyncio.Event()

    async def stands_still(connection: Connection) -> None:
        await connection.execute("LOCK TABLE held")
        is_locked.set()
        await goes_on.wait()

    standing = asyncio.create_task(database.run(stands_still))
    await is_locked.wait()
    # As long as the other transaction lasts, this one waits.
    await database.run(lambda connection: connection.execute("LOCK TABLE held"))
    goes_on.set()
    with pytest.raises(StoreError):
        await standing
    await database.close()


async def test_what_the_client_of_the_database_complains_of_is_a_failure_of_the_store(
    postgresql: PostgresqlServer,
) -> None:
    async def stumbles(connection: Connection) -> None:
        raise asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress")

    database = await PostgresqlDatabase.open(postgresql.new_database())
    with pytest.raises(StoreError, match=r"^cannot switch to state 15"):
        await database.run(stumbles)
    await database.close()


async def test_a_statement_that_takes_too_long_is_given_up(
    postgresql: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgresql.new_database()
    await (await open_store(url)).close()
    monkeypatch.setattr("runner.store.postgresql.database.STATEMENT_S", 1.0)
    database = await PostgresqlDatabase.open(url)
    with pytest.raises(StoreError, match=r"^no answer in time$"):
        await database.run(lambda connection: connection.execute("SELECT pg_sleep(10)"))
    await database.close()


@pytest.mark.parametrize("is_one_statement", [True, False])
async def test_who_gives_up_does_not_wait_for_a_server_that_hangs(
    postgresql: PostgresqlServer, is_one_statement: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.store.postgresql.database.CLOSE_S", 0.05)
    monkeypatch.setattr("runner.store.postgresql.database.STATEMENT_S", 2 * PATIENCE_S)
    line = DatabaseLine(postgresql.new_database())

    async def ask(*, is_urgent: bool) -> int:
        answer: int = await database.run(
            lambda connection: connection.fetchval("SELECT 1"),
            is_one_statement=is_one_statement,
            is_urgent=is_urgent,
        )
        return answer

    async with line.serving() as url:
        database = await PostgresqlDatabase.open(url)
        await asyncio.gather(*(ask(is_urgent=True) for _ in range(CONNECTIONS)))
        line.fail(LineFault.DEAD)
        async with asyncio.timeout(PATIENCE_S):
            for is_urgent in (False, *[True] * CONNECTIONS):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await ask(is_urgent=is_urgent)
            line.mend()
            assert await ask(is_urgent=True) == 1
        await database.close()
