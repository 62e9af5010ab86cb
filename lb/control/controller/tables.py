"""The tables of the controller's data base. `migrations/` makes them; a test compares the two."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

METADATA = MetaData()
_NUMBER = BigInteger().with_variant(Integer, "sqlite")

# One row: the number of the last change, which whoever changes anything locks first, and the
# identity of this data base.
REVISION = Table(
    "revision",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("value", BigInteger, nullable=False),
    Column("fleet", String(32), nullable=False),
)

RESOURCES = Table(
    "resources",
    METADATA,
    Column("kind", String(16), primary_key=True),
    Column("name", String(63), primary_key=True),
    Column("spec", JSON, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
)

# What names what, so that the data base itself refuses what would dangle.
REFERENCES = Table(
    "resource_references",
    METADATA,
    Column("kind", String(16), primary_key=True),
    Column("name", String(63), primary_key=True),
    Column("to_kind", String(16), primary_key=True),
    Column("to_name", String(63), primary_key=True),
    ForeignKeyConstraint(["kind", "name"], ["resources.kind", "resources.name"]),
    ForeignKeyConstraint(["to_kind", "to_name"], ["resources.kind", "resources.name"]),
    Index("resource_references_to", "to_kind", "to_name"),
)

AUDIT = Table(
    "audit",
    METADATA,
    Column("id", _NUMBER, primary_key=True, autoincrement=True),
    Column("revision", BigInteger, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("who", String(63), nullable=False),
    Column("why", Text, nullable=False),
    Column("tenant", String(63), nullable=False),
    Column("action", String(8), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("name", String(63), nullable=False),
    Column("before", JSON),
    Column("after", JSON),
    Index("audit_resource", "kind", "name"),
)

TOKENS = Table(
    "tokens",
    METADATA,
    Column("name", String(63), primary_key=True),
    Column("hash", LargeBinary(32), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("tenant", String(63), nullable=False),
    Column("node", String(63), nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
)

# Answers of requests with an idempotency key, for a repetition of the request.
ANSWERS = Table(
    "answers",
    METADATA,
    Column("who", String(63), primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("request", LargeBinary(32), nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", JSON, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
)
