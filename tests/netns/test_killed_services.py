"""kill -9 of the exporters, of the pipeline, of both, under load: the books stay exact."""

from __future__ import annotations

import random
import time

from tests.lab import audit
from tests.lab.lab import Lab
from tests.lab.stack import Stack, findings
from tests.lab.traffic import Rates

SEED = 20260  # the moments differ by machine anyway; the order of the kills is this one's


def test_kills_at_random_moments_lose_and_double_nothing(lab: Lab, stack: Stack) -> None:
    rng = random.Random(SEED)
    load = lab.load(Rates(requests=100, downloads=2, size=2_000_000))
    victims = [["pipeline"], list(stack.exporters), ["pipeline", *stack.exporters], ["pipeline"]]
    rng.shuffle(victims)
    for names in victims:
        time.sleep(rng.uniform(1.0, 3.0))
        for name in names:
            process = stack.exporters.get(name, stack.pipeline)
            process.kill()
        time.sleep(rng.uniform(0.0, 1.0))
        for name in names:
            if name == "pipeline":
                stack.start_pipeline()
            else:
                stack.start_exporter(name)
    for name in stack.exporters:
        stack.wait_exporter(name)
    time.sleep(1)
    report = load.stop()
    assert report["failures"] == 0, report["reasons"]
    for director in lab.directors.values():
        director.stop()
    stack.drain()
    snapshots = audit.last_snapshots(p for d in lab.directors.values() for p in d.segments())
    counted = audit.segment_totals(snapshots)
    assert counted["lcore.rx_packets"] > 1000
    assert audit.differences(counted, audit.stored_totals(stack.ports.sql)) == {}
    assert audit.rows_stored(stack.ports.sql) == stack.rows_expected()
    report = stack.ledger_verify()
    assert report["proven"], findings(report)
