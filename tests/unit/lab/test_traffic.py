"""What the load's client and the backends agree on, and how its reports are read."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.lab import content
from tests.lab.process import Process
from tests.lab.traffic import Load


@given(st.integers(0, 2**32 - 1), st.integers(0, 3 * content.BLOCK + 1))
def test_a_body_has_its_size_and_checksum(seed: int, size: int) -> None:
    body = b"".join(content.blocks(seed, size))
    assert len(body) == size
    assert zlib.crc32(body) == content.checksum(seed, size)


def test_swapped_blocks_are_seen() -> None:
    first, second = content.blocks(1, 2 * content.BLOCK)
    assert zlib.crc32(second + first) != content.checksum(1, 2 * content.BLOCK)


def test_reports_are_read_by_whole_lines(tmp_path: Path) -> None:
    log = tmp_path / "load.log"
    report = {"requests": 3, "failures": 0}
    ended = {"backend": "b1", "bytes": 5, "whole": True, "started": 1.0, "ended": 2.5, "seed": 9}
    log.write_text(f"a warning\n{json.dumps({'download': ended})}\n{json.dumps(report)[:9]}")
    load = Load(Process("load", [], log))
    assert load.poll() == {}
    assert load.downloads[0].ended == 2.5
    log.write_text(f"a warning\n{json.dumps({'download': ended})}\n{json.dumps(report)}\n")
    assert load.poll() == report
    assert len(load.downloads) == 1
