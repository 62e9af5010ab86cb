"""HTTP through two directors over IPv6, as over IPv4: nothing is lost when one of them dies."""

from __future__ import annotations

import time

from tests.lab import audit
from tests.lab.lab import Lab
from tests.lab.network import IPV6, Plan
from tests.lab.stack import Stack, findings
from tests.lab.traffic import Rates

PLAN = Plan(family=IPV6)


def test_requests_pass_while_a_director_dies(lab: Lab, stack: Stack) -> None:
    load = lab.load(Rates(requests=100, downloads=4, size=3_000_000))
    time.sleep(3)
    lab.directors["d1"].kill()
    lab.route(["d2"])
    time.sleep(3)
    report = load.stop()
    assert report["failures"] == 0, report["reasons"]
    assert report["requests"] > 200
    assert report["downloads"] >= 4
    assert set(report["backends"]) == set(lab.plan.backends)
    assert lab.directors["d2"].stop() == 0
    stack.drain()
    snapshots = audit.last_snapshots(p for d in lab.directors.values() for p in d.segments())
    assert audit.ledger_residual(snapshots) == 0
    counted = audit.segment_totals(snapshots)
    assert counted["lcore.picked_up_connections"] > 0
    assert counted["lcore.drop_no_listener"] == 0
    assert counted["lcore.drop_unknown_destination"] == 0
    assert audit.differences(counted, audit.stored_totals(stack.ports.sql)) == {}
    assert audit.rows_stored(stack.ports.sql) == stack.rows_expected()
    report = stack.ledger_verify()
    assert report["proven"], findings(report)
