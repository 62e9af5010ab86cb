"""What the read-only SQL interface lets through, and every way around it that was thought of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.errors import QueryError
from pipeline.sql.filter import MAX_QUERY_BYTES, Refused, check
from pipeline.sql.words import Words, load
from pipeline.store import QueryLimits, ReadOnly
from pipeline.store.embedded import EmbeddedStore
from tests.unit.pipeline_sql_statements import (
    ALLOWED,
    CONTROLS,
    LOOKS_ELSEWHERE,
    READS_A_FILE,
    WRITES,
    lines,
)
from tests.unit.pipeline_stores import fresh_store

SECRET = "the secret of the file"
TABLE = """CREATE TABLE t (ts DateTime64(3, 'UTC'), pop LowCardinality(String), v UInt64,
  h Array(UInt64)) ENGINE = MergeTree ORDER BY ts"""


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("secret") / "secret"
    path.write_text(SECRET)
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    store = fresh_store(tmp_path_factory.mktemp("store"))
    store.query(TABLE)
    store.query("INSERT INTO t SELECT now64(3), 'p1', number, [1, 2] FROM numbers(10)")
    yield store
    store.close()


@pytest.fixture(scope="module")
def words(store: EmbeddedStore) -> Words:
    return load(store)


@pytest.fixture(scope="module")
def session(store: EmbeddedStore) -> Iterator[ReadOnly]:
    with store.read_only(QueryLimits(execution_seconds=10)) as session:
        yield session


@pytest.mark.parametrize("attack", lines(READS_A_FILE, WRITES, CONTROLS, LOOKS_ELSEWHERE))
def test_an_attack_is_refused_and_does_nothing(
    attack: str, session: ReadOnly, words: Words, secret: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    sql = attack.replace("{f}", str(secret)).replace("{o}", str(out)).replace("\\n", "\n")
    with pytest.raises(QueryError) as refusal:
        check(session, words, sql)
    assert SECRET not in str(refusal.value)
    assert not list(tmp_path.iterdir())


def test_the_attacks_on_files_work_without_the_filter(session: ReadOnly, secret: Path) -> None:
    # Otherwise the test above would prove nothing.
    for attack in (
        "select arrayMap(file, ['{f}'])",
        "select * apply file from (select '{f}' as a)",
    ):
        found = session.query(attack.replace("{f}", str(secret)), "TabSeparated")
        assert SECRET.encode() in found


@pytest.mark.parametrize("sql", lines(ALLOWED))
def test_what_people_ask_is_let_through_and_runs(sql: str, session: ReadOnly, words: Words) -> None:
    statement = check(session, words, sql)
    values = {"a": "1", "b": "x", "c": "['x']"}
    session.query(statement.sql, statement.format or "TabSeparated", values)


def test_the_format_is_taken_out_of_the_text(session: ReadOnly, words: Words) -> None:
    statement = check(session, words, "select 1 as x format JSONEachRow")
    assert (statement.sql, statement.format) == ("SELECT 1 AS x", "JSONEachRow")
    assert check(session, words, "select ' FORMAT CSV' format CSV").sql == "SELECT ' FORMAT CSV'"


def test_a_tree_that_lacks_a_part_of_the_text_is_not_believed(words: Words) -> None:
    class Forgetful:
        """An engine whose tree, and the text made from it, do not show INTO OUTFILE."""

        def query(self, *_: object) -> bytes:
            tree = json.dumps({"type": "SelectWithUnionQuery"})
            return json.dumps(["SELECT 1 INTO OUTFILE 'x'", tree, "SELECT 1"]).encode()

    with pytest.raises(Refused, match="does not show"):
        check(Forgetful(), words, "select 1 into outfile 'x'")  # type: ignore[arg-type]


def test_types_of_parameters_are_known(session: ReadOnly, words: Words) -> None:
    statement = check(session, words, "select {a:Array(String)}, {b:UInt8} where {b:UInt8} = 1")
    assert statement.parameters == {"a": "Array(String)", "b": "UInt8"}


def test_an_error_of_syntax_speaks_of_the_clients_text_alone(
    session: ReadOnly, words: Words
) -> None:
    with pytest.raises(QueryError) as error:
        check(session, words, "select 1 frm t")
    assert error.value.code == 62
    assert "formatQuerySingleLine" not in str(error.value)


@pytest.mark.parametrize(
    "sql",
    [
        "select " + "[" * 900 + "1" + "]" * 900,
        "select " + "(" * 5000 + "1" + ")" * 5000,
        "select " + " + ".join(["1"] * 20_000),
        "select " + "(select " * 400 + "1" + ")" * 400,
        "select " + "case when 1 then " * 2000 + "1" + " end" * 2000,
        "desc " + "(desc " * 2000 + "(select 1)" + ")" * 2000,
        "select '" + "x" * MAX_QUERY_BYTES + "'",
    ],
    ids=["arrays", "parentheses", "sum", "subqueries", "case", "describe", "long"],
)
def test_a_huge_query_is_refused_and_nothing_breaks(
    sql: str, session: ReadOnly, words: Words
) -> None:
    with pytest.raises(QueryError):
        check(session, words, sql)
    assert check(session, words, "select 1").sql == "SELECT 1"


@pytest.mark.parametrize("sql", ["", " ", ";", "-- nothing", "\0", "select \ud800"])
def test_what_is_no_query_is_refused(sql: str, session: ReadOnly, words: Words) -> None:
    with pytest.raises(QueryError):
        check(session, words, sql)


WRAPPERS = (
    "length({x})", "arrayMap(y -> {x}, [1])", "(select {x})", "if(1, {x}, {x})", "[{x}][1]",
    "(select * from (select {x} as q))", "(with z as (select {x} as q) select q from z)",
    "(select q from numbers(1) array join [{x}] as q)", "case when {x} = '' then 1 end",
    "toString({x})", "({x}, 1).1", "(select max({x}) over (order by {x}))", "{x}::String",
    "(select a from view(select {x} as a))", "any({x})",
    "(select * apply toString from (select {x}))",
)  # fmt: skip


@given(st.lists(st.sampled_from(WRAPPERS), max_size=8), st.sampled_from(["file", "FILE", "`file`"]))
@settings(max_examples=60, deadline=None)
def test_a_call_is_found_however_deep_it_is(
    store: EmbeddedStore, words: Words, wrappers: list[str], name: str
) -> None:
    expression = f"{name}('/etc/hostname')"
    for wrapper in wrappers:
        expression = wrapper.replace("{x}", expression)
        assume(len(expression) < 2000)
    with store.read_only(QueryLimits()) as session, pytest.raises(Refused):
        check(session, words, f"select {expression}")


def test_no_function_that_reaches_out_is_allowed(store: EmbeddedStore, words: Words) -> None:
    # Categories of the engine that are not about the arguments alone: none of their members is in.
    kinds = "'AI', 'Introspection', 'Dictionary', 'Embedded Dictionary', 'Machine Learning'"
    found = store.query(
        f"SELECT name FROM system.functions WHERE NOT is_aggregate AND categories IN ({kinds})",
        "TabSeparated",
    )
    names = found.decode().split()
    assert len(names) > 60
    assert not [name for name in names if words.allows(name)]


def test_refusals_have_the_code_of_denied_access(session: ReadOnly, words: Words) -> None:
    with pytest.raises(Refused) as refusal:
        check(session, words, "drop table t")
    assert refusal.value.code == 497
