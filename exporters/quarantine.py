"""Frames that the pipeline refuses, kept beside the spool for people to look at; bounded."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

LOG = logging.getLogger(__name__)
SUFFIX = ".frame"


class Quarantine:
    """A folder of single frames. `dropped`: frames that it could not keep."""

    def __init__(self, directory: Path, max_bytes: int) -> None:
        self.directory, self.max_bytes = directory, max_bytes
        self.dropped = 0

    def keep(self, name: str, data: bytes) -> None:
        """Keep a frame; the oldest go when there is no room for it.

        A disk that does not take it must not hold up the frames behind it: then it is dropped.
        """
        if len(data) > self.max_bytes:
            self.dropped += 1
            return
        path = self.directory / (name + SUFFIX)
        try:
            self.directory.mkdir(exist_ok=True)
            self._make_room(self.max_bytes - len(data))
            path.write_bytes(data)
        except OSError as error:
            self.dropped += 1
            with suppress(OSError):
                path.unlink()
            LOG.error("%s: a refused frame is lost: %s", path, error.strerror)

    def _make_room(self, left: int) -> None:
        """Unlink the oldest frames until the others are `left` bytes at most."""
        found = [(path.stat(), path) for path in self.directory.glob("*" + SUFFIX)]
        found.sort(key=lambda item: (item[0].st_mtime_ns, item[1].name))
        size = sum(status.st_size for status, _ in found)
        for status, path in found:
            if size <= left:
                return
            path.unlink()
            size -= status.st_size
            self.dropped += 1
