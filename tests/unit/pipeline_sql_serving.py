"""The SQL interface over a store with one table of the test, `t`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient, TestServer

from pipeline.sql import SqlOptions, sql_app
from pipeline.store.embedded import EmbeddedStore
from tests.unit.pipeline_stores import fresh_store

Client = TestClient[Any, Any]


@contextmanager
def store_with_t(folder: Path) -> Iterator[EmbeddedStore]:
    """1,000 rows of every kind of column that a driver must read: t(ts, pop, v, h, n)."""
    store = fresh_store(folder)
    store.query(
        "CREATE TABLE t (ts DateTime64(3, 'UTC'), pop LowCardinality(String), v UInt64,"
        " h Array(UInt64), n Nullable(Float64)) ENGINE = MergeTree ORDER BY v"
    )
    store.query(
        "INSERT INTO t SELECT toDateTime64('2026-01-01 00:00:00', 3, 'UTC') + number,"
        " 'p' || number % 3, number, [number, 2], if(number % 2, NULL, 0.5) FROM numbers(1000)"
    )
    yield store
    store.close()


def serve(store: EmbeddedStore, options: SqlOptions) -> Client:
    return TestClient(
        TestServer(sql_app(store, options)),
        auto_decompress=False,
        skip_auto_headers={"Accept-Encoding"},
    )
