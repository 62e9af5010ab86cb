"""Fill a small tmpfs under a spool, let a core restart meanwhile, make room; print what came of it.

Run in a mount namespace of its own: `unshare -m python -m tests.netns.full_disk FOLDER HOW`,
where HOW is what makes room: grow (the disk grows), or acknowledge (frames were sent).
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from exporters import retention, spoolfile
from exporters.errors import SpoolError
from exporters.frames import Frame, decode
from exporters.instances import Watcher
from exporters.sampler import Sampler
from exporters.spool import Limits, Spool
from tests.unit.exporters_fakes import FakeSegment
from tests.unit.exporters_spooled import read_frames, sums

START_NS = 1_700_000_040 * 10**9
SMALL, LARGE = "2m", "32m"
WHILE_FULL = 10


def mount(folder: Path, *options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", *options, "tmpfs", str(folder)], check=True)


def main(folder: Path, how: str) -> None:
    directory, run = folder / "spool", folder / "run" / "a"
    directory.mkdir()
    mount(directory, f"size={SMALL}")
    spool = Spool(directory, Limits(file_bytes=256 << 10, file_ms=20_000))
    sampler = Sampler("p", "n", 1000, Watcher(folder / "run"), spool)
    clock = itertools.count(START_NS, 10**9)
    sampler.clock = lambda: next(clock)
    fake, counted = FakeSegment(run, boot=1), {1: 0, 2: 0}
    boot, taken = 1, list[Frame]()

    def step() -> bool:
        counted[boot] += 7
        fake.add("lcore", 0, rx_packets=7)
        written = sampler.sample().header is not None
        with suppress(SpoolError):  # no room to merge in
            retention.enforce(spool)
        return written

    before_full = sum(1 for _ in itertools.takewhile(bool, (step() for _ in itertools.count())))
    fake.stop()
    boot, fake = 2, FakeSegment(run, boot=2)
    written_while_full = sum(step() for _ in range(WHILE_FULL))
    kept = len(list(run.glob("segment-*")))
    if how == "grow":
        mount(directory, f"remount,size={LARGE}")
    else:
        for file in spool.files[:-1]:
            data = file.path.read_bytes()
            entries = spoolfile.scan(file.path).entries
            taken += [decode(data[e.offset : e.offset + e.length]) for e in entries]
        spool.acknowledge([(0, spool.files[-1].first - 1)])
    step()
    stored = taken + read_frames(directory)
    spool.close()
    left = len(read_frames(directory))
    again = Spool(directory)
    rx = {key[1]: row[0] for key, row in sums(stored, "lcore").items()}
    report = {
        "before_full": before_full,
        "written_while_full": written_while_full,
        "failures": sampler.totals.spool_failures,
        "merged": spool.faults.merged_frames,
        "segments_while_full": kept,
        "segments_after": len(list(run.glob("segment-*"))),
        "counted": counted,
        "spooled": rx,
        "numbers": [n for f in stored for n in range(f.header.first, f.header.seq + 1)],
        "next": again.next_seq,
        "damaged": again.faults.damaged_frames + again.faults.torn_tails,
        "left": left,
        "leftovers": [p.name for p in directory.glob("*.tmp")],
    }
    again.close()
    print(json.dumps(report))


if __name__ == "__main__":
    os.umask(0o022)
    main(Path(sys.argv[1]), sys.argv[2])
