"""A disk that is really full: sums are kept and merged, and go on when there is room."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.netns.full_disk import WHILE_FULL

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("how", ["grow", "acknowledge"])
def test_no_count_is_lost_while_the_disk_is_full(machine: None, tmp_path: Path, how: str) -> None:
    command = [sys.executable, "-m", "tests.netns.full_disk", str(tmp_path), how]
    done = subprocess.run(
        ["unshare", "--mount", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    got = json.loads(done.stdout.splitlines()[-1])
    assert got["before_full"] > 120, "merging has made room for more than fits as it is"
    assert got["merged"] > 0
    assert got["failures"] >= 1
    assert got["written_while_full"] < WHILE_FULL
    assert got["segments_while_full"] == 2, "the end of the first boot is not safe yet"
    assert got["segments_after"] == 1
    assert got["spooled"] == got["counted"]
    assert got["numbers"] == list(range(got["next"]))
    assert (got["damaged"], got["leftovers"]) == (0, [])
