"""Stores for tests: copies of one that has this version's schema."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline import migrate
from pipeline.store.embedded import EmbeddedOptions, EmbeddedStore


def fresh_store(folder: Path) -> EmbeddedStore:
    """An empty, migrated store in `folder`, that does not wait for the disk."""
    shutil.copytree(_template().name, folder, symlinks=True, dirs_exist_ok=True)
    return EmbeddedStore(EmbeddedOptions(folder, durable=False))


@cache
def _template() -> TemporaryDirectory[str]:
    """Made once a process, and removed at its end."""
    folder = TemporaryDirectory(prefix="popscope-store-")
    store = EmbeddedStore(EmbeddedOptions(Path(folder.name), durable=False))
    try:
        migrate.migrate(store)
    finally:
        store.close()
    return folder
