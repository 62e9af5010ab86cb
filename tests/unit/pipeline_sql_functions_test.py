"""Everything that the engine lists, tried: functions, table functions, tables, formats."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from pipeline.errors import QueryError
from pipeline.sql import SqlOptions, sql_app
from pipeline.sql.filter import Refused, check
from pipeline.sql.words import SYSTEM_TABLES, TABLE_FUNCTIONS, Words, load
from pipeline.store import QueryLimits, ReadOnly
from pipeline.store.embedded import EmbeddedStore
from tests.unit.pipeline_stores import fresh_store

SYNTAX_ERROR = 62
SECRET = "the secret of the file"
# {f}: a file that holds the secret; {u}: an address that counts who comes.
CALLS = ("select `{}`(1)", "select * apply `{}` from (select 1)", "select arrayMap(`{}`, [1])")
ARGUMENTS = ("'{f}'", "'{f}', '{f}'", "'{u}', 'LineAsString'", "['{f}']", "1, '{f}'", "1", "[1], 1")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    store = fresh_store(tmp_path_factory.mktemp("store"))
    yield store
    store.close()


@pytest.fixture(scope="module")
def words(store: EmbeddedStore) -> Words:
    return load(store)


@pytest.fixture(scope="module")
def session(store: EmbeddedStore) -> Iterator[ReadOnly]:
    with store.read_only(QueryLimits(execution_seconds=10, memory_bytes=256 << 20)) as session:
        yield session


def listed(store: EmbeddedStore, what: str) -> list[Any]:
    return [json.loads(line) for line in store.query(what, "JSONCompactEachRow").splitlines()]


def refuses(session: ReadOnly, words: Words, sql: str) -> bool:
    """Whether the filter does not let it through; what is no SQL to the engine is not, either."""
    try:
        check(session, words, sql)
    except QueryError as error:
        return isinstance(error, Refused) or error.code == SYNTAX_ERROR
    return False


def test_every_function_is_refused_or_looks_at_its_arguments_alone(
    store: EmbeddedStore, words: Words, session: ReadOnly, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text(SECRET)
    functions = listed(store, "SELECT name, is_aggregate FROM system.functions ORDER BY name")
    assert len(functions) > 1800
    refused, ran = 0, set()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        for name, aggregate in functions:
            if not words.allows(name):
                refused += 1
                for way in CALLS if not aggregate else CALLS[:2]:
                    assert refuses(session, words, way.replace("{}", name)), (way, name)
                continue
            for shape in ARGUMENTS:
                arguments = shape.replace("{f}", str(tmp_path / "secret")).replace("{u}", url)
                said = answer(session, f"SELECT `{name}`({arguments})")
                assert SECRET not in said, name
                ran |= set() if said.startswith("Code: ") else {name}
        with pytest.raises(BlockingIOError):
            server.accept()
    assert refused > 300
    assert len(ran) > 600
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def answer(session: ReadOnly, sql: str) -> str:
    try:
        return session.query(sql, "TabSeparated").decode(errors="replace")
    except QueryError as error:
        return str(error)


def test_every_table_function_but_those_that_count_is_refused(
    store: EmbeddedStore, words: Words, session: ReadOnly
) -> None:
    names = {name for (name,) in listed(store, "SELECT name FROM system.table_functions")}
    assert names > TABLE_FUNCTIONS
    assert len(names) > 90
    for name in names - TABLE_FUNCTIONS:
        for sql in (
            f"select * from `{name}`('a')",
            f"select * from {name.upper()}('a')",
            f"select 1 in (select * from {name}('a'))",
            f"with x as (select * from {name}('a', 'b')) select * from x",
            f"explain ast select * from {name}()",
            f"desc (select * from {name}('a'))",
        ):
            assert refuses(session, words, sql), sql


def test_every_system_table_but_the_harmless_is_refused(
    store: EmbeddedStore, words: Words, session: ReadOnly
) -> None:
    found = listed(store, "SELECT name FROM system.tables WHERE database = 'system'")
    names = {name for (name,) in found}
    assert names >= SYSTEM_TABLES
    for name in names - SYSTEM_TABLES:
        for sql in (
            f"select * from system.{name}",
            f"select 1 in `system`.`{name}`",
            f"select 1 from system.one where exists(select * from system.{name})",
            f"desc system.{name}",
            f"exists system.{name}",
        ):
            assert refuses(session, words, sql), sql


def test_the_information_schema_is_a_view_of_harmless_tables(
    store: EmbeddedStore, words: Words, session: ReadOnly
) -> None:
    found = listed(
        store,
        "SELECT database, name, create_table_query FROM system.tables"
        " WHERE lower(database) = 'information_schema'",
    )
    assert len(found) == 40
    for database, name, made in found:
        read = set(re.findall(r"\bsystem\.(\w+)", made))
        assert read <= SYSTEM_TABLES | {"collations", "parts"}, (name, read)
        assert not refuses(session, words, f"select * from {database}.{name}")
    for sql in ("select * from information_schema.processlist", "select 1 in Information_Schema.x"):
        assert refuses(session, words, sql)


async def test_every_format_gives_an_answer_or_says_why_not(store: EmbeddedStore) -> None:
    found = await asyncio.to_thread(listed, store, "SELECT name FROM system.formats")
    names = [name for (name,) in found]
    assert len(names) > 90
    # What the engine's Python binding understands beside the formats.
    names += ["DataFrame", "dataframe", "ArrowTable", "Debug", "Pandas"]
    async with TestClient(TestServer(sql_app(store, SqlOptions()))) as client:
        for name in names:
            asked = {"query": "select 1 as a", "default_format": name}
            response = await client.get("/", params=asked)
            text = (await response.read()).decode(errors="replace")
            code = response.headers.get("X-ClickHouse-Exception-Code")
            assert code is None or text.startswith(f"Code: {code}."), (name, text)
            assert (response.status == 200) == (code is None), (name, text)
