"""A flood of SYN packets against two listeners leaves established connections as they are.

Without the bound of half-open connections it would fill the director's table four times over.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exporters.segment import Segment
from exporters.snapshot import SnapshotReader
from lb.catalogue import load
from tests.lab import audit
from tests.lab.configuration import configuration
from tests.lab.director import CoreOptions
from tests.lab.lab import Lab
from tests.lab.network import PORT, Plan
from tests.lab.packets import SYN, Ipv4, ipv4, tcp
from tests.lab.process import wait_until
from tests.lab.traffic import Load, Rates

OTHER_PORT = 8081  # a second listener, which has no connections of its own
TABLE, BOUND, FLOOD = 2048, 64, 8000
HALF_OPEN_S = 2


@pytest.fixture(scope="module")
def lab(machine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    options = CoreOptions(max_connections=TABLE, workers=1)
    with Lab(tmp_path_factory.mktemp("lab"), Plan(("d1",), ("b1", "b2")), options) as lab:
        lab.start_backends()
        lab.start_directors()
        lab.generation += 1
        lab.directors["d1"].control.apply(bounded(lab))
        yield lab


def bounded(lab: Lab) -> dict[str, Any]:
    config = configuration(lab.plan, "d1", lab.generation, {})
    web = config["listeners"][0] | {"max_half_open": BOUND}
    config["listeners"] = [web, web | {"name": "other", "port": OTHER_PORT}]
    config["timeouts"] = {"tcp_syn": HALF_OPEN_S}
    return config


def cells(lab: Lab, scope: str) -> dict[str, int]:
    """Every cell of a scope by its id, summed over rows; of a histogram, the first one."""
    segment = lab.directors["d1"].live_segment
    assert segment is not None
    rows = SnapshotReader(Segment(segment)).read().scopes[scope].values
    return {c.id: int(rows[:, c.slot].sum()) for c in load().scope(scope)}


def flood(lab: Lab) -> None:
    """Every SYN from a client of its own, to both listeners in turn."""
    lines, target = [], lab.target("d1")
    for i in range(FLOOD):
        sender = str(ipaddress.IPv4Address("192.0.2.0") + i % 250 + 1)
        to = replace(target, sender=sender, sender_port=1024 + i // 250)
        port = OTHER_PORT if i % 2 else PORT
        lines.append(f"1 {ipv4(to, Ipv4(to.vip), tcp(to, port=port, flags=SYN)).hex()}\n")
    lab.send_frames("d1", "".join(lines))


@pytest.fixture(scope="module")
def downloads(lab: Lab) -> Load:
    """Of the flooded listener, established before the flood, running until after it."""
    load = lab.load(Rates(requests=0, downloads=2, size=8_000_000))
    wait_until(lambda: load.poll().get("downloading", 0) == 2, 10, "all downloads to run")
    return load


def test_established_connections_do_not_notice(lab: Lab, downloads: Load) -> None:
    before, ended = cells(lab, "lcore"), len(downloads.downloads)
    flood(lab)
    after, vip = cells(lab, "lcore"), cells(lab, "vip")
    downloads.poll()
    assert len(downloads.downloads) == ended, "the downloads were over too early"
    # Beyond the bound all are dropped, and what had come before has its entries still.
    refused = after["drop_half_open_limit"] - before["drop_half_open_limit"]
    made = after["created_connections"] - before["created_connections"]
    assert refused + made == FLOOD
    assert made >= 2 * BOUND  # more where the first ones had expired before the flood was over
    assert vip["half_open_connections"] <= 2 * BOUND
    assert after["active_connections"] <= 2 * BOUND + before["active_connections"]
    assert after["untracked_packets"] == before["untracked_packets"]
    assert after["picked_up_connections"] == before["picked_up_connections"]
    report = downloads.stop()
    assert report["failures"] == 0, report["reasons"]
    assert report["downloads"] == 2
    assert audit.ledger_residual(audit.last_snapshots([live(lab)])) == 0


def test_new_clients_come_in_again_when_the_flood_is_over(lab: Lab, downloads: Load) -> None:
    wait_until(
        lambda: cells(lab, "vip")["half_open_connections"] == 0, 20, "the flood's entries to expire"
    )
    load = lab.load(Rates(requests=50, downloads=0), "after")
    wait_until(lambda: load.poll().get("requests", 0) >= 20, 10, "requests to be served")
    report = load.stop()
    assert report["failures"] == 0, report["reasons"]


def live(lab: Lab) -> Path:
    segment = lab.directors["d1"].live_segment
    assert segment is not None
    return segment
