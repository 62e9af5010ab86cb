"""The embedded store: who owns it, what it refuses, what goes in and comes out."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.errors import QueryError, StoreBusy, StoreUnavailable
from pipeline.store import QueryLimits
from pipeline.store.embedded import EmbeddedOptions, EmbeddedStore


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    opened = EmbeddedStore(EmbeddedOptions(tmp_path_factory.mktemp("store")))
    opened.query(
        "CREATE TABLE t (a UInt64, b LowCardinality(String)) ENGINE = MergeTree ORDER BY a"
    )
    yield opened
    opened.close()


def test_parameters_are_values_whatever_they_hold(store: EmbeddedStore) -> None:
    text = "tab\tnewline\nquote'backslash\\end"
    rows = store.query_arrow("SELECT {p:String} AS p", {"p": text})
    assert rows.column("p").to_pylist() == [text]


def test_an_insert_of_several_batches_stores_every_row(store: EmbeddedStore) -> None:
    store.query("TRUNCATE TABLE t")
    kind = pa.dictionary(pa.int32(), pa.string())
    batches = [
        pa.record_batch({"a": pa.array([n], pa.uint64()), "b": pa.array([f"x{n}"]).cast(kind)})
        for n in range(5)
    ]
    assert store.insert("t", batches) == 5
    assert store.query("SELECT a, b FROM t ORDER BY a", "CSV") == b"".join(
        f'{n},"x{n}"\n'.encode() for n in range(5)
    )


def test_an_insert_that_the_engine_drops_without_a_word_is_an_error(store: EmbeddedStore) -> None:
    """As on a full disk: the engine tells how many rows it was given, and wrote none."""
    store.query(
        "CREATE TABLE full (a UInt64) ENGINE = MergeTree ORDER BY a"
        f" SETTINGS min_free_disk_bytes_to_perform_insert = {1 << 60}"
    )
    rows = pa.table({"a": pa.array(range(9), pa.uint64())})
    with pytest.raises(QueryError, match="wrote nothing"):
        store.insert("full", rows)
    assert store.query("SELECT count() FROM full", "TSV") == b"0\n"
    store.query("ALTER TABLE full MODIFY SETTING min_free_disk_bytes_to_perform_insert = 0")
    assert store.insert("full", rows) == 9


def test_columns_that_an_insert_lacks_take_their_default(store: EmbeddedStore) -> None:
    store.query("TRUNCATE TABLE t")
    store.insert("t", pa.table({"a": pa.array([7], pa.uint64())}))
    assert store.query("SELECT * FROM t", "CSV") == b'7,""\n'


def test_a_refused_statement_names_its_code(store: EmbeddedStore) -> None:
    with pytest.raises(QueryError) as caught:
        store.query("SELECT * FROM nothing_of_the_kind")
    assert caught.value.code == 60
    with pytest.raises(QueryError):
        store.insert("nothing_of_the_kind", pa.table({"a": [1]}))


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE u (a Int8) ENGINE = Memory",
        "INSERT INTO t (a) VALUES (1)",
        "DROP TABLE t",
        "SET readonly = 0",
        "SELECT 1 SETTINGS max_result_rows = 0",
    ],
)
def test_a_read_only_session_cannot_write(store: EmbeddedStore, sql: str) -> None:
    with store.read_only(QueryLimits()) as session, pytest.raises(QueryError) as caught:
        session.query(sql)
    assert caught.value.code == 164


def test_limits_end_a_query(store: EmbeddedStore) -> None:
    with store.read_only(QueryLimits(result_rows=10)) as session:
        assert session.query("SELECT number FROM numbers(10)", "CSV").count(b"\n") == 10
        with pytest.raises(QueryError):
            session.query("SELECT number FROM numbers(11)", "CSV")


def test_a_stream_gives_all_pieces_and_raises_in_the_middle(store: EmbeddedStore) -> None:
    with store.read_only(QueryLimits()) as session:
        pieces = list(session.stream("SELECT number FROM numbers(200000)", "CSV"))
        assert len(pieces) > 1
        assert b"".join(pieces).count(b"\n") == 200_000
        with pytest.raises(QueryError):
            list(session.stream("SELECT throwIf(number = 150000) FROM numbers(200000)", "CSV"))


def test_a_second_store_in_the_process_is_refused(store: EmbeddedStore, tmp_path: Path) -> None:
    with pytest.raises(StoreBusy, match="already"):
        EmbeddedStore(EmbeddedOptions(tmp_path))


def test_a_second_process_is_told_who_owns_the_folder(store: EmbeddedStore) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from pipeline.store.embedded import EmbeddedOptions, EmbeddedStore\n"
        "EmbeddedStore(EmbeddedOptions(Path(sys.argv[1])))"
    )
    folder = str(store.folder)
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True)
    assert done.returncode != 0
    assert "StoreBusy" in done.stderr
    assert str(os.getpid()) in done.stderr


@pytest.mark.parametrize("command", ["run", "migrate"])
def test_a_second_service_ends_and_says_who_owns_the_folder(
    store: EmbeddedStore, command: str
) -> None:
    popscope = Path(sys.executable).with_name("popscope")
    argv = [str(popscope), "pipeline", command, "--store", str(store.folder)]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout == ""
    assert f"{store.folder}: in use by" in done.stderr
    assert f'"pid": {os.getpid()}' in done.stderr
    assert "Traceback" not in done.stderr
    assert store.query("SELECT 1", "CSV") == b"1\n"  # the owner goes on


def test_a_child_of_a_fork_gets_an_error_not_a_hang(store: EmbeddedStore) -> None:
    child = os.fork()
    if not child:
        try:
            store.query("SELECT 1")
        except StoreUnavailable:
            os._exit(7)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_a_closed_store_says_so_and_gives_the_folder_back(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from pipeline.errors import StoreUnavailable\n"
        "from pipeline.store.embedded import EmbeddedOptions, EmbeddedStore\n"
        "one, two = (EmbeddedOptions(Path(sys.argv[1]) / n) for n in 'ab')\n"
        "s = EmbeddedStore(one); s.close()\n"
        "try: s.query('SELECT 1')\n"
        "except StoreUnavailable: print('closed')\n"
        "s = EmbeddedStore(two); print(s.query('SELECT 1', 'CSV')); s.close()\n"
        "s = EmbeddedStore(one); s.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True
    )
    assert done.stdout.split() == ["closed", "b'1\\n'"], done.stderr
