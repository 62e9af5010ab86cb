"""A drained backend gets nothing new, keeps what it has, and may then be stopped."""

from __future__ import annotations

import time

from tests.lab.lab import Lab
from tests.lab.process import wait_until
from tests.lab.traffic import Rates


def test_drain_breaks_no_request(lab: Lab) -> None:
    load = lab.load(Rates(requests=100, downloads=6, size=3_000_000))
    wait_until(lambda: set(load.poll().get("backends", ())) >= {"b3"}, 10, "b3 to serve")
    wait_until(lambda: lab.network.established("b3") > 0, 10, "a connection to b3")
    lab.apply({"b3": 0})
    wait_until(lambda: lab.network.established("b3") == 0, 20, "the last connection to b3")
    lab.backends["b3"].stop()
    drained = load.poll()["backends"].get("b3", 0)
    time.sleep(2)
    report = load.stop()
    assert report["failures"] == 0, report["reasons"]
    # What the reports did not show yet when the last connection ended.
    assert report["backends"]["b3"] <= drained + 60
    assert report["backends"]["b1"] > 0
    assert report["backends"]["b2"] > 0


def test_all_backends_drained_is_counted(lab: Lab) -> None:
    slots = lab.directors["d1"].control.show()["maglev"][0]["slots"]
    assert slots.get("b3", 0) == 0
    assert min(slots["b1"], slots["b2"]) > 0
