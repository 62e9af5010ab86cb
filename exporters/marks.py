"""What became of the frames of a spool, in one small file beside them.

`acked`: committed in the pipeline, or given up. Losing this file only means that frames are sent
again. `attempted`: frames that may have reached the pipeline; they must keep their bytes for ever,
so this is durable before they are sent. `used`: a number below which none is used again; a spool
that ends before it has lost frames.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from exporters import disk
from exporters.intervals import Intervals

AHEAD = 256
NAME = "marks.json"


class Marks:
    """The two sets, of one stream."""

    def __init__(self, path: Path, stream: int) -> None:
        self.path, self.stream = path, stream
        self.acked, self.attempted = Intervals(), Intervals()
        self.used = 0
        self.failures = 0

    @classmethod
    def load(cls, directory: Path, stream: int, next_seq: int) -> Marks:
        """Read them. Without the file of this stream every frame so far may have been sent."""
        marks = cls(directory / NAME, stream)
        try:
            raw = json.loads(marks.path.read_text())
            if raw["stream"] != f"{stream:016x}":
                raise ValueError("another stream's")
            marks.acked = Intervals((int(a), int(b)) for a, b in raw["acked"])
            marks.attempted = Intervals((int(a), int(b)) for a, b in raw["attempted"])
            marks.used = int(raw.get("used", 0))
        except (OSError, ValueError, KeyError, TypeError):
            marks.acked, marks.attempted, marks.used = Intervals(), Intervals(), 0
            if next_seq:
                marks.attempted.add(0, next_seq - 1)
        return marks

    def claim(self, next_seq: int) -> int:
        """The number to go on with, in a spool the frames of which end before `next_seq`."""
        known = max(self.used, self.acked.last + 1)
        if next_seq < known:  # frames are gone, and some of them may have been sent
            next_seq = max(known, self.attempted.last + 1)
        self.used = next_seq
        return next_seq

    def sent(self, first: int, last: int) -> bool:
        """Whether one of frames first..last may have been sent."""
        return first <= last and self.attempted.count(first, last) > 0

    def attempt(self, first: int, last: int) -> None:
        """Frames first..last are about to be sent; some of the next ones are marked with them.

        A disk too full for it must not stop the sending that would empty it: then the file goes,
        which says that every frame may have been sent.
        """
        if self.attempted.count(first, last) == last - first + 1:
            return
        self.attempted.add(first, last + AHEAD)
        if not self.save(durable=True):
            self.path.unlink(missing_ok=True)
            disk.sync_directory(self.path.parent)

    def save(self, durable: bool = False) -> bool:
        """Write the file beside the old one and put it in its place; False when that failed."""
        raw = {
            "stream": f"{self.stream:016x}",
            "acked": list(self.acked),
            "attempted": list(self.attempted),
            "used": self.used,
        }
        temporary = self.path.with_suffix(".tmp")
        try:
            with temporary.open("w") as file:
                json.dump(raw, file)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            temporary.replace(self.path)
            if durable:
                disk.sync_directory(self.path.parent)
        except OSError:
            self.failures += 1
            return False
        return True
