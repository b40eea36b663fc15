"""What the doctor says of a PostgreSQL database."""

from urllib.parse import urlsplit

import asyncpg
import pytest

from runner.doctor.finding import FindingState
from runner.doctor.store import examine_store
from runner.store.opening import open_store
from runner.store.url import without_password
from tests.store.postgresql.server import PostgresqlServer


@pytest.mark.parametrize("is_used", [False, True])
async def test_a_database_that_can_be_used_is_left_as_it_is(
    postgresql: PostgresqlServer, is_used: bool
) -> None:
    url = postgresql.new_database()
    if is_used:
        await (await open_store(url)).close()
    found = await examine_store(url)
    assert found.state is FindingState.OK
    assert found.text.startswith(f"{without_password(url)}, ")
    connection = await asyncpg.connect(url)
    tables = await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()")
    await connection.close()
    assert bool(tables) == is_used


async def test_a_database_that_is_not_there(postgresql: PostgresqlServer) -> None:
    url = urlsplit(postgresql.new_database())._replace(path="/nothing").geturl()
    found = await examine_store(url)
    assert (found.state, found.remedy) == (FindingState.ERROR, "create the database: createdb NAME")
    assert found.text == f'{without_password(url)}: database "nothing" does not exist'


async def test_a_database_of_a_newer_version(postgresql: PostgresqlServer) -> None:
    url = postgresql.new_database()
    await (await open_store(url)).close()
    connection = await asyncpg.connect(url)
    await connection.execute("INSERT INTO phone_agents_schema VALUES (999)")
    await connection.close()
    found = await examine_store(url)
    assert found.state is FindingState.ERROR
    assert found.text.startswith(
        f"{without_password(url)} was written by a newer phone-agents (schema 999, this one knows "
    )


async def test_a_user_who_may_make_no_tables(postgresql: PostgresqlServer) -> None:
    url = postgresql.new_database()
    connection = await asyncpg.connect(url)
    await connection.execute("DROP ROLE IF EXISTS reader")
    await connection.execute("CREATE ROLE reader LOGIN")
    schema = await connection.fetchval("SELECT current_schema()")
    await connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO reader")
    await connection.close()
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    found = await examine_store(parts._replace(netloc=f"reader@{host}").geturl())
    assert found.text == f"{without_password(url)}: the user may not create tables, and some are missing"
    assert found.remedy == "grant it: GRANT CREATE ON SCHEMA public TO …"
