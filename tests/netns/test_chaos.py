"""Exporters and ingest are killed, disks are full, spools cut, requests lost, repeated and late."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.cli import problems, wreck
from tests.chaos.run import ACTIONS


def test_every_count_is_stored_once_through_chaos(machine: None, tmp_path: Path) -> None:
    found = wreck(tmp_path, seed=1, steps=len(ACTIONS) + 1)
    assert problems(found) == []
    assert set(found["actions"]) == set(ACTIONS)
    assert found["balanced"]
    assert found["frames"] > 10
    assert sum(node["counted"][0] for node in found["nodes"]) > 10_000
    assert sum(n for fate, n in found["fates"].items() if fate != "pass") > 2
