"""Migrations: order, checksums, the generator, and stores of older states."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from lb.catalogue import Catalogue, Counter, load
from pipeline import group, migrate, recover, rollup, schema
from pipeline.devtools import gen_migration
from pipeline.errors import MigrationError
from pipeline.frames import Reader
from pipeline.ledger.audit import verify
from pipeline.ledger.model import Range
from pipeline.ledger.source import StoreSource
from pipeline.store.embedded import EmbeddedOptions, EmbeddedStore
from tests.unit.pipeline_tools import Node, body

RECENT = ("untracked_packets", "busy_cycles", "burst_packets")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    opened = EmbeddedStore(EmbeddedOptions(tmp_path / "store", durable=False))
    yield opened
    opened.close()


@pytest.fixture
def old_folder(tmp_path: Path) -> Path:
    """The migrations of a version that did not have some of today's counters."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    # Frames of today have this column, too; only counters are what the tests take away.
    kept = ("0001_frames.sql", "0007_taken_over.sql", "0016_hours.sql", "0018_fleet.sql")
    texts = [migrate.FOLDER / name for name in kept]
    (folder / "0001_frames.sql").write_text("\n".join(path.read_text() for path in texts))
    gen_migration.next_migration(_without(*RECENT), folder)
    return folder


def _without(*names: str) -> Catalogue:
    return Catalogue(tuple(c for c in load().counters if c.id not in names))


def _columns(store: EmbeddedStore, table: str) -> dict[str, str]:
    rows = store.query_arrow(
        "SELECT name, type FROM system.columns WHERE database = 'popscope' AND table = {t:String}",
        {"t": table},
    ).to_pylist()
    return {row["name"]: row["type"] for row in rows}


def _ingest(store: EmbeddedStore, node: Node, count: int) -> None:
    reader = Reader(schema.in_store(store, load()))
    frames = reader.read(body(node.frames(count))).frames
    memory = recover.recover(store)
    for insert in group.inserts(frames, memory.commit + 1, node.start_ms, memory.orphans):
        store.insert(insert.table, insert.rows)


def test_columns_of_one_table_are_added_together_and_nothing_passes_anything_else() -> None:
    add = "ALTER TABLE popscope.{} ADD COLUMN IF NOT EXISTS {} UInt64 CODEC(T64, ZSTD(1))".format
    view = "CREATE OR REPLACE VIEW popscope.v AS SELECT b FROM popscope.x"
    given = [add("x", "a"), add("y", "a"), add("x", "b"), view, add("x", "c")]
    assert migrate.joined(given) == [
        add("x", "a") + ", ADD COLUMN IF NOT EXISTS b UInt64 CODEC(T64, ZSTD(1))",
        add("y", "a"),
        view,
        add("x", "c"),
    ]
    assert migrate.joined([]) == []


def test_a_new_store_has_every_column_of_the_catalogue(store: EmbeddedStore) -> None:
    assert migrate.migrate(store) == migrate.load()
    assert migrate.migrate(store) == []
    for scope in ("lcore", "port", "port_queue", "vip", "backend", "node"):
        for level in schema.LEVELS:
            there = _columns(store, schema.table_name(scope, level))
            wanted = schema.columns(load(), scope, level)
            assert {c.name: c.type.split(" CODEC")[0].replace('"', "'") for c in wanted} == there


def test_an_old_store_with_data_is_brought_up_and_still_balances(
    store: EmbeddedStore, old_folder: Path
) -> None:
    migrate.migrate(store, old_folder)
    node = Node()
    _ingest(store, node, 25)
    assert "busy_cycles" not in _columns(store, "lcore_1s")
    path = gen_migration.next_migration(load(), old_folder)
    assert path is not None
    assert path.name == "0003_counters.sql"
    assert [m.number for m in migrate.migrate(store, old_folder)] == [3]
    for level in schema.LEVELS:
        new, old = _columns(store, f"lcore_{level}"), schema.columns(load(), "lcore", level)
        assert new.keys() == {c.name for c in old}
    before = store.query("SELECT count(), sum(busy_cycles) FROM lcore_1s", "CSV")
    assert before == b"50,0\n"
    _ingest(store, node, 10)
    rollup.once(store, now=node.start_ms / 1000 + 7200)
    report = verify(StoreSource(store), Range(node.start_ms, node.start_ms + 3_600_000))
    wrong = {check.name for check in report.checks if check.failed}
    # What was not stored at the time cannot be summed: the audit says so, of those counters only.
    assert wrong == {"boots", "keyframes"}
    texts = [text for check in report.checks for text in check.findings]
    assert texts
    assert all("lcore: " in t and any(name in t for name in RECENT) for t in texts)


def test_migrations_change_nothing_that_was_applied(store: EmbeddedStore, old_folder: Path) -> None:
    migrate.migrate(store, old_folder)
    path = old_folder / "0002_counters.sql"
    path.write_text(path.read_text() + "\n-- a word\n")
    with pytest.raises(MigrationError, match=r"0002_counters\.sql was changed"):
        migrate.migrate(store, old_folder)
    path.unlink()
    with pytest.raises(MigrationError, match="newer popscope"):
        migrate.migrate(store, old_folder)


def test_a_migration_that_died_half_way_runs_again(store: EmbeddedStore, old_folder: Path) -> None:
    bad = old_folder / "0003_bad.sql"
    good = "CREATE TABLE IF NOT EXISTS popscope.x (a Int8) ENGINE = MergeTree ORDER BY a;\n"
    bad.write_text(good + "CREATE TABLE IF NOT EXISTS popscope.y (a Nonsense) ENGINE = Memory;\n")
    with pytest.raises(MigrationError, match=r"0003_bad\.sql.*Nonsense"):
        migrate.migrate(store, old_folder)
    bad.write_text(good)
    assert [m.file for m in migrate.migrate(store, old_folder)] == ["0003_bad.sql"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("first.sql", "", "must be named"),
        ("0002_a.sql", "", "0001 is missing"),
        ("0001_a.sql", "DROP TABLE popscope.frames;", "cannot run twice"),
    ],
)
def test_odd_files_are_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(MigrationError, match=message):
        migrate.load(tmp_path)


def test_the_generator_adds_only_what_is_missing(old_folder: Path) -> None:
    assert gen_migration.next_migration(_without(*RECENT), old_folder) is None
    known = gen_migration.known_columns(migrate.load(old_folder))
    statements = gen_migration.missing(load(), known)
    added = [s.split() for s in statements]
    assert {words[2] for words in added} == {f"popscope.lcore_{x}" for x in schema.LEVELS}
    assert {words[8].removesuffix("_peak") for words in added} == set(RECENT)


def test_the_generator_refuses_a_changed_kind(old_folder: Path) -> None:
    known = gen_migration.known_columns(migrate.load(old_folder))
    entry = next(c for c in load().scope("lcore") if c.id == "rx_packets")
    changed = Counter(
        entry.id, entry.scope, 0, "histogram", entry.unit, entry.help, entry.metric, bounds=(1, 2)
    )
    with pytest.raises(MigrationError, match="give the counter a new id"):
        gen_migration.missing(Catalogue((changed,)), known)


def test_the_committed_migrations_are_fresh() -> None:
    result = CliRunner().invoke(gen_migration.main, ["--check"])
    assert result.exit_code == 0, result.output
