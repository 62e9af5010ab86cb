"""Tokens: who may do what. Only their hashes are kept."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

import sqlalchemy as sa

from lb.control.controller.tables import TOKENS
from lb.control.errors import StoreError

Role = Literal["viewer", "operator", "node"]
ROLES: tuple[str, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Identity:
    """Whoever asks. A `tenant` sees and writes its own only; a `node` reads its own state only."""

    name: str
    role: str
    tenant: str = ""
    node: str = ""


def create(connection: sa.Connection, identity: Identity) -> str:
    """A token; it is shown once, and cannot be read again. Raises StoreError."""
    if (identity.role == "node") != bool(identity.node):
        raise StoreError("a token with the role node needs a node, and no other one has any")
    taken = sa.select(TOKENS.c.name).where(TOKENS.c.name == identity.name)
    if connection.execute(taken).first():
        raise StoreError(f"there is a token {identity.name!r} already: revoke it first")
    token = f"ps_{secrets.token_urlsafe(32)}"
    connection.execute(
        sa.insert(TOKENS).values(
            name=identity.name,
            hash=_hash(token),
            role=identity.role,
            tenant=identity.tenant,
            node=identity.node,
            created=datetime.now(UTC),
        )
    )
    return token


def revoke(connection: sa.Connection, name: str) -> bool:
    """Whether there was such a token."""
    return connection.execute(sa.delete(TOKENS).where(TOKENS.c.name == name)).rowcount > 0


def identify(connection: sa.Connection, token: str) -> Identity | None:
    """Whose token it is."""
    mine = sa.select(TOKENS).where(TOKENS.c.hash == _hash(token))
    row = connection.execute(mine).one_or_none()
    return Identity(row.name, row.role, row.tenant, row.node) if row else None


def _hash(token: str) -> bytes:
    # A random token of 256 bits needs no salt and no slow hash.
    return hashlib.sha256(token.encode()).digest()
