"""Numbered SQL files that bring a store to the schema of this version.

They are applied in order, each once, with a checksum. ClickHouse has no transaction over DDL, so
that every statement can run again: a migration that died half-way is simply applied anew.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import MigrationError, QueryError
from pipeline.store import DATABASE, Store

FOLDER = Path(__file__).with_name("migrations")
_FILE = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_REPEATABLE = re.compile(r"\b(IF NOT EXISTS|CREATE OR REPLACE VIEW|MATERIALIZE INDEX)\b")
_ADD_COLUMN = re.compile(r"ALTER TABLE (\S+)\s+(ADD COLUMN IF NOT EXISTS .+)", re.DOTALL)
_TABLE = f"""CREATE TABLE IF NOT EXISTS {DATABASE}.migrations (
    number UInt32, name String, checksum String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = MergeTree ORDER BY number"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file; `checksum` is of its whole text."""

    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def file(self) -> str:
        return f"{self.number:04d}_{self.name}.sql"

    def statements(self) -> list[str]:
        """The statements; each ends with a semicolon at the end of a line."""
        code = "\n".join(x for x in self.text.splitlines() if not x.lstrip().startswith("--"))
        parts = (p.strip().removesuffix(";") for p in re.split(r"(?<=;)\s*(?:\n|$)", code))
        return [p for p in parts if p]


def joined(statements: list[str]) -> list[str]:
    """The same, with the columns that go to one table in one ALTER.

    An ALTER costs what the table is wide (50 ms for 300 columns), however many columns it adds.
    """
    done: list[str] = []
    adding: dict[str, list[str]] = {}
    for statement in [*statements, ""]:
        if match := _ADD_COLUMN.fullmatch(statement):
            adding.setdefault(match[1], []).append(match[2])
            continue
        done += [f"ALTER TABLE {table} {', '.join(added)}" for table, added in adding.items()]
        adding.clear()
        done.append(statement)
    return done[:-1]


def load(folder: Path = FOLDER) -> list[Migration]:
    """The migrations of a folder, 1, 2, 3, ... Raises MigrationError for gaps and odd names."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = _FILE.fullmatch(path.name)
        if match is None:
            raise MigrationError(f"{path.name}: must be named like 0001_words.sql")
        found.append(Migration(int(match[1]), match[2], path.read_text()))
    for expected, migration in enumerate(found, 1):
        if migration.number != expected:
            raise MigrationError(f"{migration.file}: number {expected:04d} is missing or twice")
        for statement in migration.statements():
            if not _REPEATABLE.search(statement):
                raise MigrationError(
                    f"{migration.file}: a statement cannot run twice: {statement[:60]}"
                )
    return found


def applied(store: Store) -> dict[int, tuple[str, str]]:
    """What the store has: number -> (name, checksum)."""
    store.query(_TABLE, "Null")
    rows = store.query_arrow(
        f"SELECT number, name, checksum FROM {DATABASE}.migrations ORDER BY number"
    ).to_pylist()
    return {row["number"]: (row["name"], row["checksum"]) for row in rows}


def pending(store: Store, migrations: list[Migration]) -> list[Migration]:
    """What is still to apply. Raises MigrationError when the store's history is another one."""
    done = applied(store)
    known = {m.number: m for m in migrations}
    for number, (name, checksum) in done.items():
        if number not in known:
            raise MigrationError(
                f"the store has migration {number:04d}_{name}, which this version does not know: "
                "it was used by a newer popscope; install that version"
            )
        if known[number].checksum != checksum:
            raise MigrationError(
                f"{known[number].file} was changed after the store applied it: "
                "restore the file and put the change into a new migration"
            )
    return [m for m in migrations if m.number not in done]


def migrate(
    store: Store, folder: Path = FOLDER, report: Callable[[str], None] = lambda text: None
) -> list[Migration]:
    """Apply what is pending; returns it. Raises MigrationError, naming the file that failed."""
    todo = pending(store, load(folder))
    for migration in todo:
        report(f"applying {migration.file}")
        for statement in joined(migration.statements()):
            try:
                store.query(statement, "Null")
            except QueryError as error:
                raise MigrationError(f"{migration.file}: {error}\n{statement[:200]}") from error
        store.query(
            f"INSERT INTO {DATABASE}.migrations (number, name, checksum) VALUES "
            f"({migration.number}, '{migration.name}', '{migration.checksum}')",
            "Null",
        )
    return todo
