"""A store that was filled without a server, and faults planted in it."""

from __future__ import annotations

from collections.abc import Sequence

from exporters.frames import Frame
from lb.catalogue import load
from pipeline import group, hours, migrate, recover, schema
from pipeline.frames import Reader
from pipeline.store.embedded import EmbeddedStore
from tests.unit.pipeline_tools import body

SYNC = "SETTINGS mutations_sync = 2"


def prepare(store: EmbeddedStore) -> None:
    """The tables, empty."""
    migrate.migrate(store)
    for table in (*recover.TABLES, group.INSTANCES, group.FRAMES, "orphans", *hours.TABLES):
        store.query(f"TRUNCATE TABLE {table}")
    for scope in ("lcore", "port", "port_queue", "vip", "backend", "node", "fleet"):
        for level in (schema.MINUTE, schema.HOUR):
            store.query(f"TRUNCATE TABLE {scope}_{level}")


def commit(store: EmbeddedStore, frames: Sequence[Frame], now_ms: int = 0) -> int:
    """Commit frames as one group, now or when the last one was taken; returns the number."""
    read = Reader(load()).read(body(frames))
    assert not read.damaged
    memory = recover.recover(store)
    number = memory.commit + 1
    now_ms = now_ms or frames[-1].header.ts_ms
    for insert in group.inserts(read.frames, number, now_ms, memory.orphans):
        store.insert(insert.table, insert.rows)
    return number


def change(store: EmbeddedStore, table: str, what: str) -> None:
    """Alter rows as no part of the pipeline does: DELETE WHERE ..., UPDATE x = y WHERE ..."""
    store.query(f"ALTER TABLE {table} {what} {SYNC}")


def tear(store: EmbeddedStore, table: str, where: str) -> None:
    """Store some rows once more as those of a later group, the row in `frames` of which lacks."""
    store.query(
        f"INSERT INTO {table} SELECT * REPLACE (commit + 1 AS commit, seq + 1000 AS seq) "
        f"FROM (SELECT * FROM {table} WHERE {where})"
    )


def double(store: EmbeddedStore, table: str, where: str) -> None:
    """Store some rows once more."""
    store.query(f"INSERT INTO {table} SELECT * FROM {table} WHERE {where}")
