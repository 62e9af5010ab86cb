"""Cores end in order, are killed, and start again: no connection breaks, what each boot counted is
stored.
"""

from __future__ import annotations

import time

from tests.lab import audit
from tests.lab.lab import Lab
from tests.lab.stack import Stack, findings
from tests.lab.traffic import Rates


def test_nothing_of_any_boot_is_lost(lab: Lab, stack: Stack) -> None:
    load = lab.load(Rates(requests=100, downloads=3, size=3_000_000))
    for name, killed in (("d1", True), ("d2", False), ("d1", False), ("d2", True)):
        time.sleep(1.5)
        other = [d for d in lab.plan.directors if d != name]
        lab.route(other)
        time.sleep(0.2)  # what is on its way to it still passes
        director = lab.directors[name]
        if killed:
            director.kill()
        else:
            assert director.stop() == 0
        lab.restart(name)
        lab.route(lab.plan.directors)
    time.sleep(1)
    report = load.stop()
    assert report["failures"] == 0, report["reasons"]
    assert report["downloads"] >= 3  # each takes longer than there is between two restarts
    for director in lab.directors.values():
        director.stop()
    stack.drain()
    paths = [p for d in lab.directors.values() for p in d.segments()]
    snapshots = audit.last_snapshots(paths)
    assert len({snapshot.boot for snapshot in snapshots}) == 6
    assert audit.ledger_residual(snapshots) == 0
    counted = audit.segment_totals(snapshots)
    assert audit.differences(counted, audit.stored_totals(stack.ports.sql)) == {}
    report = stack.ledger_verify()
    assert report["proven"], findings(report)
    # The exporter unlinks what it has read to its end.
    for director in lab.directors.values():
        assert len(list(director.run_dir.glob("segment-*"))) <= 1
