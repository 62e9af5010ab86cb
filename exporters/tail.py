"""The file at the end of the spool, to which frames are appended."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from exporters import disk
from exporters.errors import SpoolError


class Tail:
    """An open file. Every method raises SpoolError when the disk does not do it."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path, self._fd = path, fd

    @classmethod
    def create(cls, path: Path) -> Tail:
        """A new, empty file whose name is durable."""
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
            try:
                disk.sync_directory(path.parent)
            except OSError:
                os.close(fd)
                path.unlink()
                raise
        except OSError as error:
            raise SpoolError(f"{path}: {error.strerror}") from error
        return cls(path, fd)

    @classmethod
    def resume(cls, path: Path, end: int) -> Tail:
        """A file of an earlier process, cut off at the end of its last whole frame."""
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.ftruncate(fd, end)
                os.fsync(fd)
            except OSError:
                os.close(fd)
                raise
        except OSError as error:
            raise SpoolError(f"{path}: {error.strerror}") from error
        return cls(path, fd)

    @property
    def is_gone(self) -> bool:
        """Whether somebody deleted the file: what is written now, nobody will find."""
        return not os.fstat(self._fd).st_nlink

    def append(self, data: bytes, end: int) -> None:
        """Write behind `end`; durable on return. What fails is taken back as far as it goes, and
        the next write goes over the rest."""
        try:
            done = 0
            while done < len(data):
                done += os.pwrite(self._fd, memoryview(data)[done:], end + done)
            os.fdatasync(self._fd)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._fd, end)
            raise SpoolError(f"{self.path}: {error.strerror}") from error

    def close(self) -> None:
        os.close(self._fd)
