"""Alembic's entry: it is given a connection by `store.migrate`."""

from __future__ import annotations

from alembic import context

from lb.control.controller.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
