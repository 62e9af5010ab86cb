"""Backup and restore of the embedded store, while it is written.

The engine copies parts as they are when it begins, table by table, so that a copy may hold halves
of later commits. The last commit before the backup is noted beside it, and a restore takes back
what is later: raw rows by their commit, rollups by their version, which are computed anew.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lb.catalogue import SCOPES
from pipeline import hours, migrate, rollup, schema
from pipeline.errors import BackupError, QueryError
from pipeline.group import FRAMES, INSTANCES
from pipeline.recover import TABLES
from pipeline.store import DATABASE, Store

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_BY_COMMIT = (*TABLES, INSTANCES, FRAMES, "orphans")
_BY_VERSION = (
    *(schema.table_name(scope, level) for level in rollup.LEVELS for scope in SCOPES),
    *hours.TABLES,
)


@dataclass(frozen=True, slots=True)
class Note:
    """What a backup must hold: rows of each table up to `commit`. `migration`: the last of them."""

    name: str
    created: float
    commit: int
    migration: int
    rows: dict[str, int]
    seconds: float = 0.0
    bytes: int = 0


def backup(store: Store, folder: Path, name: str = "") -> Note:
    """Write FOLDER/NAME and, when it is whole, FOLDER/NAME.json. Raises BackupError."""
    name = name or time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    if not NAME.fullmatch(name):
        raise BackupError(f"{name!r} is no name for a backup: letters, digits, dots, dashes")
    target = folder / name
    if target.exists() or note_of(target).exists():
        raise BackupError(f"{target}: is there already; choose another name")
    started = time.time()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        commit = _number(store, f"SELECT max(commit) FROM {DATABASE}.{FRAMES}")
        rows = _rows(store, commit)
        migration = _number(store, f"SELECT max(number) FROM {DATABASE}.migrations")
        store.query(f"BACKUP DATABASE {DATABASE} TO File('{_quoted(target)}')", "Null")
        size = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
        note = Note(name, started, commit, migration, rows, time.time() - started, size)
        fresh = note_of(target).with_suffix(".new")
        fresh.write_text(json.dumps(asdict(note), indent=1) + "\n")
        fresh.rename(note_of(target))
    except (QueryError, OSError) as error:
        raise BackupError(f"{target}: {error}") from error
    return note


def note_of(target: Path) -> Path:
    """The file that says what a backup holds."""
    return target.with_name(target.name + ".json")


def read_note(target: Path) -> Note:
    """Raises BackupError when the backup has none, or is of a newer version."""
    try:
        raw: dict[str, Any] = json.loads(note_of(target).read_text())
        note = Note(**raw)
    except (OSError, ValueError, TypeError) as error:
        raise BackupError(
            f"{note_of(target)}: {error}: only a backup that was finished has this file"
        ) from error
    newest = migrate.load()[-1].number
    if note.migration > newest:
        raise BackupError(
            f"{target}: has migration {note.migration}, and this version knows {newest}: "
            "install the version that wrote it"
        )
    return note


def restore(store: Store, target: Path, report: Callable[[str], None] = lambda text: None) -> Note:
    """Bring a backup into an empty store, as of its commit. Raises BackupError if it is not whole.

    The store's engine must be allowed to read the folder of the backup.
    """
    note = read_note(target)
    if int(store.query(f"SELECT count() FROM system.tables WHERE database = '{DATABASE}'", "TSV")):
        raise BackupError("the store is not empty: restore into a new folder")
    try:
        report("copying")
        store.query(f"DROP DATABASE {DATABASE}", "Null")
        store.query("SYSTEM STOP TTL MERGES", "Null")  # what is old is counted before it goes
        store.query(f"RESTORE DATABASE {DATABASE} FROM File('{_quoted(target)}')", "Null")
        report("taking back what is later than the backup")
        for column, tables in (("commit", _BY_COMMIT), ("version", _BY_VERSION)):
            for table in tables:
                _take_back(store, table, column, note.commit)
        found = _rows(store, note.commit)
    except QueryError as error:
        raise BackupError(f"{target}: {error}") from error
    for table, rows in note.rows.items():
        if found[table] != rows:
            raise BackupError(
                f"{target}: {table} has {found[table]} rows, and had {rows}: it is damaged"
            )
    store.query("SYSTEM START TTL MERGES", "Null")
    migrate.migrate(store, report=report)
    report("computing rollups")
    rollup.once(store)
    return note


def _take_back(store: Store, table: str, column: str, commit: int) -> None:
    where = f"{column} > {commit}"
    if int(store.query(f"SELECT count() FROM {DATABASE}.{table} WHERE {where}", "TSV")):
        store.query(
            f"ALTER TABLE {DATABASE}.{table} DELETE WHERE {where} SETTINGS mutations_sync = 2",
            "Null",
        )


def _rows(store: Store, commit: int) -> dict[str, int]:
    """Rows of each table up to a commit."""
    return {
        table: _number(store, f"SELECT count() FROM {DATABASE}.{table} WHERE commit <= {commit}")
        for table in _BY_COMMIT
    }


def _number(store: Store, sql: str) -> int:
    return int(store.query(sql, "TSV"))


def _quoted(path: Path) -> str:
    return str(path.resolve()).replace("\\", "\\\\").replace("'", "\\'")
