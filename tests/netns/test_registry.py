"""Whatever happens to its owner, a laboratory leaves nothing."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.lab.lab import Lab
from tests.lab.process import wait_until
from tests.lab.registry import ROOT, VARIABLE, sweep
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


def marked(lab: str) -> list[int]:
    """Processes that carry a laboratory's id."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"{VARIABLE}={lab}".encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
    return found


def names() -> set[str]:
    return {line.split()[0] for line in run(["ip", "netns", "list"]).splitlines() if line}


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
        # The first seeds kill in the middle of the start, the last ones a complete laboratory.
        if seed < 4:
            time.sleep(random.Random(seed).uniform(0, 0.3))
        else:
            assert owner.stdout.readline() == "up\n"
        owner.kill()
        owner.wait()
    sweep()
    assert not [name for name in names() if name.startswith(f"ps-{lab}-")]
    assert not marked(lab)
    assert not (ROOT / lab).exists()
    assert not (ROOT / f"{lab}.lock").exists()


def test_the_kernel_ends_the_children_of_a_killed_owner(machine: None, tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    )
    assert owner.stdout is not None
    with owner.stdout:
        lab = owner.stdout.readline().strip()
        assert owner.stdout.readline() == "up\n"
        assert len(marked(lab)) == 3
        owner.kill()
        owner.wait()
    wait_until(lambda: not marked(lab), 10, "the end of its children, before any sweep")
    sweep()


def test_a_live_laboratory_is_not_swept(network_lab: Lab) -> None:
    code = "from tests.lab.registry import sweep; print(*sweep())"
    swept = run([sys.executable, "-c", code]).split()
    assert network_lab.registry.id not in swept
    assert network_lab.registry.namespace("router") in names()
