"""`popscope top` over a segment that the C writer made: the figures are those of the contract."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from lb.catalogue import SCOPES, load
from popscope import main
from tests.contract.conftest import Run

BROKEN = 3  # rows 1 and 2 break the law on purpose


def top(run_dir: Path) -> dict[str, Any]:
    arguments = ["top", "--run-dir", str(run_dir), "--once", "--json", "--interval", "0.1"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == BROKEN, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def cell(scope: str, row: int, counter: str, lanes: int = 1) -> int:
    """What the writer puts there, summed over lanes."""
    slot = next(c.slot for c in load().scope(scope) if c.id == counter)
    base = 1_000_000 * SCOPES.index(scope) + 1000 * row + slot
    return sum(base + 10_000 * lane for lane in range(lanes))


def test_counts_are_those_of_the_writer(written: Run) -> None:
    found = top(written("--state", "stopped").parent)
    assert [(i["instance"], i["state"]) for i in found["instances"]] == [("contract", "stopped")]
    lcores = {row["lcore"]: row for row in found["lcores"]}
    assert list(lcores) == ["1", "2", "5"]
    assert lcores["1"]["residual_packets"] == 0
    assert lcores["5"]["active_connections"] == (1 << 63) + 29
    assert {row["rx_packets_per_second"] for row in found["lcores"]} == {0}
    ports = {row["port"]: row["rx_missed_packets"] for row in found["ports"]}
    assert ports == {str(r): cell("port", r, "rx_missed_packets") for r in range(2)}


def test_rows_of_vips_and_backends_are_summed_over_lanes(written: Run) -> None:
    found = top(written("--state", "stopped").parent)
    vips = {row["vip"]: row for row in found["vips"]}
    assert vips["web-443"]["listener"] == "198.51.100.1:443/tcp"
    for row, name in enumerate(("web-80", "dns-53", "web-443")):  # dns-53: retired, not yet idle
        assert vips[name]["active_connections"] == cell("vip", row, "active_connections", 3)
    backends = {row["backend"]: row["active_connections"] for row in found["backends"]}
    assert backends["b9"] == cell("backend", 3, "active_connections", 3)


@pytest.mark.parametrize("reason", ["no_backend", "stopping"])
def test_drops_are_summed_over_lcores(written: Run, reason: str) -> None:
    found = top(written("--state", "stopped").parent)
    drop = next(d for d in found["drops"] if d["reason"] == reason)
    slot = next(c.slot for c in load().scope("lcore") if c.id == f"drop_{reason}")
    assert drop["dropped_packets"] == 1 + (1000 + slot) + ((1 << 63) + slot)


def rates(found: dict[str, Any]) -> list[float]:
    return [row["rx_packets_per_second"] for row in found["lcores"]]


def test_a_writer_at_work_has_rates(writer: Path, tmp_path: Path) -> None:
    command = [writer, tmp_path, "--seconds", "20"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            process.stdout.readline()
            found = top(tmp_path)
            while None in rates(found):  # a worker began between the looks: its counters fell
                found = top(tmp_path)
        finally:
            process.kill()
    assert found["instances"][0]["state"] == "live"
    assert all(rate > 0 for rate in rates(found))
    busy = next(row for row in found["vips"] if row["vip"] == "web-80")
    assert busy["rx_packets_per_second"] > 0
