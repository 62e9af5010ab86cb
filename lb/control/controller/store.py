"""The controller's data base: resources, audit, tokens, answers; SQLite or PostgreSQL.

All functions block; the service calls them in a thread. One change is one transaction, which locks
the revision first: several controllers may share a PostgreSQL, and each sees the others' changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import alembic.command
import alembic.config
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from lb.control.controller.catalog import Catalog, Id, Resource
from lb.control.controller.changes import Edit, Staged
from lb.control.controller.tables import ANSWERS, AUDIT, REFERENCES, RESOURCES, REVISION
from lb.control.errors import StoreError
from lb.control.model.resources import KINDS

_MIGRATIONS = Path(__file__).parent / "migrations"


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes something, and why; for the audit."""

    who: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is kept for a repetition of its request; `request` is the request's hash."""

    request: bytes
    status: int
    body: dict[str, Any]
    version: int = 0


def engine(url: str) -> sa.Engine:
    """A data base by its SQLAlchemy URL. Raises StoreError."""
    try:
        made = sa.create_engine(url, pool_pre_ping=True)
    except (SQLAlchemyError, ModuleNotFoundError) as error:
        raise StoreError(
            f"{url}: {error}: use sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME"
        ) from error
    if made.dialect.name == "sqlite":
        sa.event.listen(made, "connect", _sqlite_connect)
        sa.event.listen(made, "begin", _sqlite_begin)
    return made


def _sqlite_connect(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # SQLAlchemy begins transactions, see _sqlite_begin
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA busy_timeout = 10000")


def _sqlite_begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def migrate(db: sa.Engine) -> None:
    """Bring the tables up to this version. Raises StoreError."""
    config = alembic.config.Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    with guarded(db), db.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        try:
            alembic.command.upgrade(config, "head")
        except alembic.util.CommandError as error:
            raise StoreError(f"{shown(db)}: {error}: made by a newer version?") from error


def shown(db: sa.Engine) -> str:
    """The data base's URL without its password."""
    return db.url.render_as_string(hide_password=True)


@contextmanager
def guarded(db: sa.Engine) -> Iterator[None]:
    """Turn the data base's errors into StoreError."""
    try:
        yield
    except SQLAlchemyError as error:
        said = str(error.__cause__ or error).strip()
        raise StoreError(f"{shown(db)}: {said}") from error


@contextmanager
def transaction(db: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction. Raises StoreError."""
    with guarded(db), db.begin() as connection:
        yield connection


def revision(connection: sa.Connection, *, lock: bool = False) -> int:
    """The number of the last change; locked until the end of the transaction on demand."""
    asked = sa.select(REVISION.c.value).where(REVISION.c.id == 1)
    return int(connection.execute(asked.with_for_update() if lock else asked).scalar_one())


def fleet(connection: sa.Connection) -> str:
    """The identity of this data base."""
    return str(connection.execute(sa.select(REVISION.c.fleet)).scalar_one())


def load(connection: sa.Connection) -> Catalog:
    """All resources. Raises StoreError when one is of a kind or form that is not known."""
    number = revision(connection)
    resources = []
    for row in connection.execute(sa.select(RESOURCES)):
        try:
            spec = KINDS[row.kind].model_validate(row.spec)
        except (KeyError, ValueError) as error:
            raise StoreError(
                f"resource {row.kind}/{row.name} is not of this version: {error}"
            ) from error
        resources.append(Resource(row.kind, row.name, spec, row.spec, row.version, row.revision))
    return Catalog(resources, number)


def write(connection: sa.Connection, staged: Staged, author: Author, tenant: str = "") -> None:
    """Write changes, in the order that references ask for, with their audit."""
    number = staged.catalog.revision
    connection.execute(sa.update(REVISION).values(value=number))
    order = list(KINDS)
    edits = sorted(staged.edits, key=lambda edit: order.index(edit.id[0]))
    _forget_references(connection, [edit.id for edit in edits])
    _delete(connection, [edit.id for edit in reversed(edits) if edit.after is None])
    for edit in edits:
        if edit.after is not None:
            _put(connection, staged.catalog, edit)
    _remember_references(connection, staged.catalog, edits)
    _audit(connection, number, edits, author, tenant)


def _forget_references(connection: sa.Connection, ids: Sequence[Id]) -> None:
    mine = sa.and_(REFERENCES.c.kind == sa.bindparam("k"), REFERENCES.c.name == sa.bindparam("n"))
    if ids:
        connection.execute(sa.delete(REFERENCES).where(mine), [{"k": k, "n": n} for k, n in ids])


def _delete(connection: sa.Connection, ids: Sequence[Id]) -> None:
    mine = sa.and_(RESOURCES.c.kind == sa.bindparam("k"), RESOURCES.c.name == sa.bindparam("n"))
    if ids:
        connection.execute(sa.delete(RESOURCES).where(mine), [{"k": k, "n": n} for k, n in ids])


def _put(connection: sa.Connection, catalog: Catalog, edit: Edit) -> None:
    resource = catalog.get(edit.id)
    assert resource is not None
    values = {
        "spec": resource.document,
        "version": resource.version,
        "revision": resource.revision,
    }
    kind, name = edit.id
    if edit.before is None:
        connection.execute(sa.insert(RESOURCES).values(kind=kind, name=name, **values))
    else:
        mine = sa.and_(RESOURCES.c.kind == kind, RESOURCES.c.name == name)
        connection.execute(sa.update(RESOURCES).where(mine).values(**values))


def _remember_references(
    connection: sa.Connection, catalog: Catalog, edits: Sequence[Edit]
) -> None:
    rows = []
    for edit in edits:
        resource = catalog.get(edit.id)
        kind, name = edit.id
        rows += [
            {"kind": kind, "name": name, "to_kind": to_kind, "to_name": to_name}
            for to_kind, to_name in sorted(resource.targets() if resource else ())
        ]
    if rows:
        connection.execute(sa.insert(REFERENCES), rows)


def _audit(
    connection: sa.Connection, number: int, edits: Sequence[Edit], author: Author, tenant: str
) -> None:
    now = datetime.now(UTC)
    rows = [
        {
            "revision": number,
            "at": now,
            "who": author.who,
            "why": author.why,
            "tenant": tenant,
            "action": edit.action,
            "kind": edit.id[0],
            "name": edit.id[1],
            "before": edit.before,
            "after": edit.after,
        }
        for edit in edits
    ]
    if rows:
        connection.execute(sa.insert(AUDIT), rows)


def audit(
    connection: sa.Connection, before: int | None, limit: int, tenant: str = ""
) -> list[dict[str, Any]]:
    """Entries of the audit, latest first, with ids below `before`."""
    asked = sa.select(AUDIT).order_by(AUDIT.c.id.desc()).limit(limit)
    if before is not None:
        asked = asked.where(AUDIT.c.id < before)
    if tenant:
        asked = asked.where(AUDIT.c.tenant == tenant)
    # SQLite forgets the time zone: all times in the tables are UTC.
    return [
        {**row, "at": row["at"].replace(tzinfo=row["at"].tzinfo or UTC).isoformat()}
        for row in connection.execute(asked).mappings()
    ]


def answer(connection: sa.Connection, who: str, key: str) -> Answer | None:
    """The answer that a request with this key got."""
    mine = sa.and_(ANSWERS.c.who == who, ANSWERS.c.key == key)
    row = connection.execute(sa.select(ANSWERS).where(mine)).one_or_none()
    return Answer(row.request, row.status, row.body, row.version) if row else None


def keep_answer(connection: sa.Connection, who: str, key: str, kept: Answer) -> None:
    """Keep an answer, in the transaction of what it answers."""
    connection.execute(
        sa.insert(ANSWERS).values(
            who=who,
            key=key,
            request=kept.request,
            status=kept.status,
            body=kept.body,
            version=kept.version,
            at=datetime.now(UTC),
        )
    )
