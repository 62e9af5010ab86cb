"""Whatever happens to its owner, a laboratory leaves nothing."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.lab import Lab
from tests.lab.process import start_time, wait_until
from tests.lab.registry import ROOT, sweep
from tests.lab.shell import REPOSITORY, run

OWNER = """
import sys, time
from pathlib import Path
from tests.lab.lab import Lab
with Lab(Path(sys.argv[1])) as lab:
    print(lab.registry.id, flush=True)
    lab.start_backends()
    print("up", flush=True)
    time.sleep(60)
"""


def names() -> set[str]:
    return {line.split()[0] for line in run(["ip", "netns", "list"]).splitlines() if line}


def started_by(folder: Path) -> list[tuple[int, str]]:
    file = folder / "processes"
    lines = file.read_text().splitlines() if file.exists() else []
    return [(int(line.split()[0]), line.split()[1]) for line in lines if len(line.split()) > 2]


@pytest.mark.parametrize("seed", range(6))
def test_kill_at_any_moment_leaves_nothing(machine: None, tmp_path: Path, seed: int) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    )
    assert owner.stdout is not None
    with owner.stdout:
        lab = owner.stdout.readline().strip()
        assert f"ps-{lab}-router" in names()
        folder = ROOT / lab
        # The first seeds kill in the middle of the start, the last ones a complete laboratory.
        waited = random.Random(seed).randint(0, 3) if seed < 4 else 3
        wait_until(lambda: len(started_by(folder)) >= waited, 20, "some processes")
        if seed >= 4:
            assert owner.stdout.readline() == "up\n"
        owner.kill()
        owner.wait()
    children = started_by(folder)
    # The kernel ends the children of a killed owner; sweep() removes the rest.
    wait_until(lambda: all(start_time(p) != t or zombie(p) for p, t in children), 10, "their end")
    sweep()
    assert not [name for name in names() if name.startswith(f"ps-{lab}-")]
    assert not folder.exists()
    assert not folder.with_suffix(".lock").exists()


def zombie(pid: int) -> bool:
    """Whether the process has ended and nobody has asked for its exit code yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_live_laboratory_is_not_swept(network_lab: Lab) -> None:
    code = "from tests.lab.registry import sweep; print(*sweep())"
    swept = run([sys.executable, "-c", code]).split()
    assert network_lab.registry.id not in swept
    assert network_lab.registry.namespace("router") in names()


def test_a_stranger_is_not_touched(network_lab: Lab) -> None:
    """A recorded pid that another process has got meanwhile is not killed."""
    network_lab.registry.add_process(os.getpid(), "ourselves")
    line = network_lab.registry.folder / "processes"
    recorded = line.read_text()
    assert start_time(os.getpid()) in recorded
    line.write_text(recorded.replace(start_time(os.getpid()), "1"))
    network_lab.close()  # kills what is recorded with its own start time
    assert start_time(os.getpid())
