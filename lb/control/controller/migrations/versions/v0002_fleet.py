"""An identity of the data base, by which agents tell it from another one."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add it; it stays with copies and backups."""
    fresh = secrets.token_hex(16)
    column = sa.Column("fleet", sa.String(32), nullable=False, server_default=fresh)
    op.add_column("revision", column)
