"""The core as its agent sees it: alive or not, and what is in force there."""

from __future__ import annotations

import asyncio
import fcntl
import os
from pathlib import Path
from typing import Any

from lb.core_client import SOCKET, Control, CoreState

_PATIENCE_S = 10.0


class Core:
    """A core by its folder. Its answers are waited for in a thread."""

    def __init__(self, run_dir: Path) -> None:
        self._lock = run_dir / "lock"
        self._socket = run_dir / SOCKET
        self._control = Control(self._socket, _PATIENCE_S)

    def alive(self) -> bool:
        """Whether a core holds its lock: the kernel drops it at any kind of death."""
        try:
            lock = os.open(self._lock, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    def boot(self) -> int:
        """A number that changes when a core starts; 0 without one."""
        try:
            return self._socket.stat().st_ino
        except OSError:
            return 0

    async def show(self) -> CoreState:
        """What is in force. Raises ControlError."""
        return await asyncio.to_thread(self._control.show)

    async def apply(self, document: dict[str, Any]) -> int:
        """Put a document in force; returns its generation. Raises ConfigError, ControlError."""
        return await asyncio.to_thread(self._control.apply, document)
