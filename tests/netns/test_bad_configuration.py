"""A bad configuration is refused with every error named, and nothing changes."""

from __future__ import annotations

import time
from typing import Any

import pytest

from lb.errors import ConfigError
from tests.lab.configuration import configuration
from tests.lab.lab import Lab
from tests.lab.traffic import Rates


def bad(lab: Lab) -> dict[str, Any]:
    config = configuration(lab.plan, "d1", lab.generation + 1, {})
    pool = config["pools"][0]
    pool["backends"][0]["weight"] = 1001
    pool["backends"][1]["address"] = "10.99.0.1"
    pool["backends"][2]["name"] = pool["backends"][0]["name"]
    config["listeners"][0]["pool"] = "nowhere"
    config["listeners"].append({**config["listeners"][0], "name": "no good name"})
    config["maglev"] = {"size": 65536}
    config["unheard"] = True
    return config


def test_every_error_is_named_and_nothing_changes_while_traffic_flows(lab: Lab) -> None:
    control = lab.directors["d1"].control
    before = control.show()
    load = lab.load(Rates(requests=100, downloads=2, size=2_000_000))
    time.sleep(1)
    for _ in range(20):
        with pytest.raises(ConfigError) as refused:
            control.apply(bad(lab))
        time.sleep(0.05)
    places = {problem.path for problem in refused.value.problems}
    assert places >= {
        "/pools/0/backends/0/weight",
        "/pools/0/backends/1/address",
        "/pools/0/backends/2/name",
        "/listeners/0/pool",
        "/listeners/1/name",
        "/maglev/size",
        "/unheard",
    }
    after = control.show()
    assert after["config"] == before["config"]
    assert after["generation"] == before["generation"] == lab.generation
    report = load.stop()
    assert report["failures"] == 0, report["reasons"]
    assert report["requests"] > 50


def test_an_old_generation_is_refused(lab: Lab) -> None:
    config = configuration(lab.plan, "d1", lab.generation, {})
    with pytest.raises(ConfigError) as refused:
        lab.directors["d1"].control.apply(config)
    assert [p.path for p in refused.value.problems] == ["/generation"]
