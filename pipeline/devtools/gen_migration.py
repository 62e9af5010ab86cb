"""Writes the next migration: tables and columns of the catalogue that no migration has yet.

    python -m pipeline.devtools.gen_migration --write | --check

A column is only ever added. An entry whose kind changed is refused: it needs a new id.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import click

from lb import catalogue as lb_catalogue
from lb.catalogue import SCOPES, Catalogue
from pipeline import migrate, schema
from pipeline.errors import MigrationError
from pipeline.migrate import Migration
from pipeline.store import DATABASE

_CREATE = re.compile(r"CREATE TABLE IF NOT EXISTS popscope\.(\w+) \(\n(.*?)\n\)", re.S)
_COLUMN = re.compile(r"^    (\w+) (.+?),?$", re.M)
_ADD = re.compile(r"ALTER TABLE popscope\.(\w+)\n?\s+ADD COLUMN IF NOT EXISTS (\w+) (.+)")
HEADER = "-- Generated from lb/counters.toml by `make gen`; never edited after it was applied.\n"


def known_columns(migrations: Sequence[Migration]) -> dict[str, dict[str, str]]:
    """Table -> column -> type, as the migrations leave them."""
    tables: dict[str, dict[str, str]] = {}
    for migration in migrations:
        for table, body in _CREATE.findall(migration.text):
            found = {n: t for n, t in _COLUMN.findall(body) if n != "INDEX"}
            tables.setdefault(table, {}).update(found)
        for statement in migration.statements():
            if match := _ADD.fullmatch(statement):
                tables.setdefault(match[1], {})[match[2]] = match[3]
    return tables


def missing(catalogue: Catalogue, known: dict[str, dict[str, str]]) -> list[str]:
    """The statements that add what the migrations lack. Raises MigrationError on a new type."""
    statements = []
    for scope in SCOPES:
        for level in schema.LEVELS:
            table = schema.table_name(scope, level)
            wanted = schema.columns(catalogue, scope, level)
            if table not in known:
                statements.append(_create(scope, level, wanted))
                continue
            _check_types(table, wanted, known[table])
            statements += [
                f"ALTER TABLE {DATABASE}.{table} ADD COLUMN IF NOT EXISTS {c.name} {c.type};"
                for c in wanted
                if c.name not in known[table]
            ]
    return statements


def _check_types(table: str, wanted: list[schema.Column], known: dict[str, str]) -> None:
    for column in wanted:
        old = known.get(column.name, column.type)
        if old.split(" CODEC")[0] != column.type.split(" CODEC")[0]:
            raise MigrationError(
                f"{table}.{column.name}: is {old} in the migrations, {column.type} in the "
                "catalogue: a column keeps its type; give the counter a new id"
            )


def _create(scope: str, level: str, columns: list[schema.Column]) -> str:
    lines = [f"    {c.name} {c.type}" for c in columns]
    lines += [f"    {index}" for index in schema.indices(level)]
    body = ",\n".join(lines)
    name = f"{DATABASE}.{schema.table_name(scope, level)}"
    return f"CREATE TABLE IF NOT EXISTS {name} (\n{body}\n)\n{schema.table_options(scope, level)};"


def next_migration(catalogue: Catalogue, folder: Path) -> Path | None:
    """Where the next migration goes, and writes it; None when nothing is missing."""
    migrations = migrate.load(folder)
    statements = missing(catalogue, known_columns(migrations))
    if not statements:
        return None
    path = folder / f"{len(migrations) + 1:04d}_counters.sql"
    path.write_text(HEADER + "\n" + "\n\n".join(statements) + "\n")
    return path


@click.command(help=__doc__)
@click.option(
    "--write/--check", default=False, help="Write the migration, or only say if one is due."
)
def main(write: bool) -> None:
    try:
        catalogue, folder = lb_catalogue.load(), migrate.FOLDER
        due = missing(catalogue, known_columns(migrate.load(folder)))
        if due and not write:
            raise click.ClickException(
                f"{len(due)} statements are missing from the migrations, first: "
                f"{due[0].splitlines()[0]}\nrun `make gen` and commit the new file"
            )
        if path := next_migration(catalogue, folder):
            click.echo(f"wrote {path.name}")
    except MigrationError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
