"""Frames as the exporter makes them: the store has their columns, the ingest acknowledges them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from exporters import frames, tables
from exporters.config import PipelineConfig
from exporters.metrics import Sending
from exporters.sender import Sender
from exporters.spool import Spool
from lb.catalogue import SCOPES, load
from pipeline import migrate, schema
from pipeline.store.embedded import EmbeddedStore
from tests.unit.pipeline_serving import serving, until
from tests.unit.pipeline_stores import fresh_store
from tests.unit.pipeline_tools import Node


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    opened = fresh_store(tmp_path / "store")
    yield opened
    opened.close()


def test_every_column_of_a_frame_has_its_column_in_the_store(store: EmbeddedStore) -> None:
    migrate.migrate(store)
    rows = store.query_arrow(schema.COLUMNS_SQL).to_pylist()
    there = {(row["table"], row["name"]) for row in rows}
    for scope in SCOPES:
        for level in (schema.RAW, schema.ABSOLUTE):
            names = [*tables.names_types(scope), *(c.name for c in tables.layout(scope).columns)]
            for name in ("ts", "pop", "node", *names):
                assert (f"{scope}_{level}", name) in there
    assert schema.in_store(store, load()) == load()


@pytest.mark.parametrize("scope", SCOPES)
def test_the_key_of_a_row_is_the_same_on_both_sides(scope: str) -> None:
    names = [*tables.names_types(scope)]
    assert names[:2] == ["instance", "boot"]
    assert {*schema.row_key(scope)} == {"pop", "node", *names} - {"boot"}


async def test_what_the_exporter_spools_is_stored_and_acknowledged(
    store: EmbeddedStore, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "spool")
    node = Node(stream=spool.stream)
    for frame in node.frames(30):
        spool.append(frames.encode(frame), frame.header)
    sending, executor = Sending(), ThreadPoolExecutor(1)
    async with serving(store) as client:
        config = PipelineConfig(url=client.url, batch_frames=7)
        task = asyncio.create_task(Sender(spool, config, sending, executor).run())
        try:
            await until(lambda: sending.acked == 30)
        finally:
            task.cancel()
            await asyncio.wait([task])
            executor.shutdown()
            spool.close()
    assert not sum(sending.failures.values())
    assert store.query("SELECT count(), uniqExact(seq) FROM frames", "CSV") == b"30,30\n"
