"""Which laboratories exist on this machine, and the removal of what dead ones left.

A laboratory holds a lock on `<id>.lock` for its life; the kernel drops it at any kind of death.
What must be removed is known by name (namespaces `ps-<id>-*`) or written down (processes with their
start times, folders). So whoever gets the lock of another may clean up after it.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.lab.process import start_time
from tests.lab.shell import run

# Machine-wide, as namespaces are; memory-backed, as segments should be.
ROOT = Path("/dev/shm/popscope-lab")


class Registry:
    """The entry of one laboratory: its id, and all that has to be removed after it."""

    def __init__(self, root: Path = ROOT) -> None:
        """Claim a new id, after the removal of what dead laboratories left."""
        root.mkdir(parents=True, exist_ok=True)
        sweep(root)
        self.id = secrets.token_hex(3)
        self._lock_path = root / f"{self.id}.lock"
        self._lock = _claim(self._lock_path)
        self.folder = root / self.id
        self.folder.mkdir()

    def namespace(self, host: str) -> str:
        """The name of a host's namespace."""
        return f"ps-{self.id}-{host}"

    def add_process(self, pid: int, name: str) -> None:
        """Write down a process that was started."""
        self._write("processes", f"{pid} {start_time(pid)} {name}")

    def add_folder(self, path: Path) -> None:
        """Write down a folder that is about to be made and must not stay."""
        self._write("folders", str(path))

    def close(self) -> None:
        """Remove all that this laboratory made."""
        if self._lock >= 0:
            _remove(self.folder)
            _release(self._lock_path, self._lock)
            self._lock = -1

    def _write(self, file: str, line: str) -> None:
        with (self.folder / file).open("a") as out:
            out.write(f"{line}\n")


def sweep(root: Path = ROOT) -> list[str]:
    """Remove what dead laboratories left; return their ids."""
    swept = []
    for path in sorted(root.glob("*.lock")):
        with _dead(path) as dead:
            if dead:
                _remove(path.with_suffix(""))
                swept.append(path.stem)
    return swept


@contextmanager
def _dead(path: Path) -> Iterator[bool]:
    """Hold the lock of a laboratory, and remove it at the end, if nobody else holds it."""
    try:
        lock = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        yield False
        return
    yield True
    _release(path, lock)


def _claim(path: Path) -> int:
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        # A sweep may have removed the file between its creation and our lock.
        with suppress(FileNotFoundError):
            if os.stat(path).st_ino == os.fstat(lock).st_ino:
                return lock
        os.close(lock)


def _release(path: Path, lock: int) -> None:
    path.unlink(missing_ok=True)
    os.close(lock)


def _remove(folder: Path) -> None:
    for line in _lines(folder / "processes"):
        pid, started, *_ = line.split()
        if started and start_time(int(pid)) == started:
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
    for namespace in _namespaces(f"ps-{folder.name}-"):
        for word in run(["ip", "netns", "pids", namespace]).split():
            with suppress(ProcessLookupError):
                os.kill(int(word), signal.SIGKILL)
        run(["ip", "netns", "delete", namespace])
    for line in _lines(folder / "folders"):
        shutil.rmtree(line, ignore_errors=True)
    _remove_tree(folder)


def _namespaces(prefix: str) -> list[str]:
    names = (line.split()[0] for line in run(["ip", "netns", "list"]).splitlines() if line)
    return [name for name in names if name.startswith(prefix)]


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _remove_tree(folder: Path) -> None:
    # A process that was just killed may still be making a file in it.
    for _ in range(50):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.02)
    shutil.rmtree(folder)
