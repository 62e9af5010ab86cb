"""Which laboratories exist on this machine, and the removal of what dead ones left.

A laboratory holds a lock on `<id>.lock` for its life; the kernel drops it at any kind of death.
What must be removed carries its id (namespaces in their name, processes in their environment) or is
written down before it is made (folders). So whoever gets the lock of another may clean up after it.
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

from tests.lab.shell import run

# Machine-wide, as namespaces are; memory-backed, as segments should be.
ROOT = Path("/dev/shm/popscope-lab")
VARIABLE = "POPSCOPE_LAB"
FOLDERS = "folders"
PAUSE_S = 0.02


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

    @property
    def environment(self) -> dict[str, str]:
        """What a process must have in its environment to be known as this laboratory's."""
        return {VARIABLE: self.id}

    def add_folder(self, path: Path) -> None:
        """Write down a folder that is about to be made and must not stay."""
        with (self.folder / FOLDERS).open("a") as out:
            out.write(f"{path}\n")

    def close(self) -> None:
        """Remove all that this laboratory made."""
        if self._lock >= 0:
            _remove(self.folder)
            _release(self._lock_path, self._lock)
            self._lock = -1


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
    _kill(folder.name)
    for namespace in _namespaces(f"ps-{folder.name}-"):
        run(["ip", "netns", "delete", namespace])
    file = folder / FOLDERS
    for line in file.read_text().splitlines() if file.exists() else []:
        shutil.rmtree(line, ignore_errors=True)
    _remove_tree(folder)


def _kill(lab: str) -> None:
    """Kill the laboratory's processes, and those that they are just starting."""
    while pids := _processes(lab):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(PAUSE_S)


def _processes(lab: str) -> list[int]:
    wanted, found = f"{VARIABLE}={lab}".encode(), []
    for folder in Path("/proc").glob("[0-9]*"):
        # What has ended meanwhile, or is another user's, is not ours.
        with suppress(OSError):
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def _namespaces(prefix: str) -> list[str]:
    names = (line.split()[0] for line in run(["ip", "netns", "list"]).splitlines() if line)
    return [name for name in names if name.startswith(prefix)]


def _remove_tree(folder: Path) -> None:
    # A process that was just killed may still be making a file in it.
    for _ in range(50):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(PAUSE_S)
    shutil.rmtree(folder)
