"""A director is killed while a long download runs through it: the download finishes."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from tests.lab import audit, content
from tests.lab.lab import Lab
from tests.lab.process import wait_until
from tests.lab.shell import inside
from tests.lab.traffic import url

SEED, SIZE, RATE = 7, 6_000_000, 1_000_000
DOWNLOADS = 6


def forwarded(lab: Lab, name: str) -> int:
    snapshots = audit.last_snapshots(lab.directors[name].segments())
    return audit.segment_totals(snapshots)["lcore.tx_packets"]


def test_curl_survives_the_kill_of_each_director(lab: Lab, tmp_path: Path) -> None:
    """Downloads enough that both directors carry some of them, then one dies, and comes back."""
    namespace = lab.registry.namespace("client")
    query = f"seed={SEED}&bytes={SIZE}&rate={RATE}"
    where = f"{url(lab.network)}/download?{query}"
    files = [tmp_path / f"{i}" for i in range(DOWNLOADS)]
    curls = [
        subprocess.Popen(
            inside(namespace, ["curl", "-sSf", "-o", str(file), where]),
            stderr=subprocess.PIPE,
            text=True,
        )
        for file in files
    ]
    try:
        before = {name: forwarded(lab, name) for name in lab.directors}
        wait_until(
            lambda: all(forwarded(lab, n) > before[n] + 20 for n in lab.directors),
            10,
            "both directors to carry downloads",
        )
        lab.directors["d2"].kill()
        time.sleep(0.3)  # until the router's failure detection
        lab.route(["d1"])
        lab.restart("d2")
        lab.route(["d1", "d2"])
        time.sleep(1)
        assert all(curl.poll() is None for curl in curls), "the downloads were over too early"
        lab.directors["d1"].kill()
        time.sleep(0.3)
        lab.route(["d2"])
        for curl in curls:
            _, errors = curl.communicate(timeout=30)
            assert curl.returncode == 0, errors
    finally:
        for curl in curls:
            curl.kill()
            curl.communicate()
    expected = b"".join(content.blocks(SEED, SIZE))
    assert all(file.read_bytes() == expected for file in files)
    picked = audit.last_snapshots(lab.directors["d2"].segments())
    assert audit.segment_totals(picked)["lcore.picked_up_connections"] > 0
