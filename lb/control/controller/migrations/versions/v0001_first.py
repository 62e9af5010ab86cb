"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def _big(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _string(name: str, length: int, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), primary_key=key, nullable=False)


def upgrade() -> None:
    """Make them."""
    _resources()
    op.create_table(
        "audit",
        sa.Column("id", _NUMBER, primary_key=True, autoincrement=True),
        _big("revision"),
        sa.Column("at", _TIME, nullable=False),
        _string("who", 63),
        sa.Column("why", sa.Text(), nullable=False),
        _string("tenant", 63),
        _string("action", 8),
        _string("kind", 16),
        _string("name", 63),
        sa.Column("before", sa.JSON()),
        sa.Column("after", sa.JSON()),
    )
    op.create_index("audit_resource", "audit", ["kind", "name"])
    op.create_table(
        "tokens",
        _string("name", 63, key=True),
        sa.Column("hash", sa.LargeBinary(32), nullable=False, unique=True),
        _string("role", 16),
        _string("tenant", 63),
        _string("node", 63),
        sa.Column("created", _TIME, nullable=False),
    )
    op.create_table(
        "answers",
        _string("who", 63, key=True),
        _string("key", 128, key=True),
        sa.Column("request", sa.LargeBinary(32), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        _big("version"),
        sa.Column("at", _TIME, nullable=False),
    )


def _resources() -> None:
    revision_table = op.create_table(
        "revision", sa.Column("id", sa.Integer(), primary_key=True), _big("value")
    )
    op.bulk_insert(revision_table, [{"id": 1, "value": 0}])
    op.create_table(
        "resources",
        _string("kind", 16, key=True),
        _string("name", 63, key=True),
        sa.Column("spec", sa.JSON(), nullable=False),
        _big("version"),
        _big("revision"),
    )
    op.create_table(
        "resource_references",
        _string("kind", 16, key=True),
        _string("name", 63, key=True),
        _string("to_kind", 16, key=True),
        _string("to_name", 63, key=True),
        sa.ForeignKeyConstraint(["kind", "name"], ["resources.kind", "resources.name"]),
        sa.ForeignKeyConstraint(["to_kind", "to_name"], ["resources.kind", "resources.name"]),
    )
    op.create_index("resource_references_to", "resource_references", ["to_kind", "to_name"])
