"""What the spool asks of its disk: to be its folder's only user, and names that last."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from exporters.errors import SpoolBusyError, SpoolError


def lock(directory: Path) -> int:
    """Make the folder and lock it; a descriptor to close. Raises SpoolError, SpoolBusyError."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise SpoolError(f"{directory}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise SpoolBusyError(f"{directory}: another exporter uses this spool") from error
    return lock


def sync_directory(directory: Path) -> None:
    """Make names in a folder durable."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
