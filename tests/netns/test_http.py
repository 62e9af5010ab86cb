"""HTTP through two directors: nothing is lost, and all of it is in the books."""

from __future__ import annotations

import time

from tests.lab import audit
from tests.lab.lab import Lab
from tests.lab.stack import Stack, findings
from tests.lab.traffic import Rates


def test_requests_pass_and_every_packet_is_stored(lab: Lab, stack: Stack) -> None:
    load = lab.load(Rates(requests=150, downloads=3, size=3_000_000))
    time.sleep(6)
    report = load.stop()
    assert report["failures"] == 0, report["reasons"]
    assert report["requests"] > 300
    assert report["downloads"] >= 3
    assert set(report["backends"]) == set(lab.plan.backends)
    for director in lab.directors.values():
        assert director.stop() == 0
    stack.drain()

    snapshots = audit.last_snapshots(p for d in lab.directors.values() for p in d.segments())
    assert len(snapshots) == 2
    assert audit.ledger_residual(snapshots) == 0
    for snapshot in snapshots:
        totals = audit.segment_totals([snapshot])
        # The router spreads by ports: each director and each of its workers has its share.
        assert totals["lcore.tx_packets"] > 200
        rows = snapshot.scopes["lcore"].values
        assert len(rows) == lab.options.workers
        assert (rows[:, 0] > 0).all()
    counted = audit.segment_totals(snapshots)
    connections = counted["lcore.created_connections"]
    assert connections == report["requests"] + report["downloads"]
    assert counted["lcore.picked_up_connections"] == 0
    assert audit.differences(counted, audit.stored_totals(stack.ports.sql)) == {}
    assert audit.rows_stored(stack.ports.sql) == stack.rows_expected()
    report = stack.ledger_verify()
    assert report["proven"], findings(report)
