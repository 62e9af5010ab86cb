"""The registry, in a folder of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.registry import Registry, sweep
from tests.lab.shell import REPOSITORY

pytestmark = pytest.mark.skipif(shutil.which("ip") is None, reason="needs iproute2")

OWNER = """
import os, signal, subprocess, sys
from pathlib import Path
from tests.lab.registry import Registry
registry = Registry(Path(sys.argv[1]))
folder = Path(sys.argv[2])
registry.add_folder(folder)
folder.mkdir()
quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
child = subprocess.Popen(["sleep", "60"], env=os.environ | registry.environment, **quiet)
print(child.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_dead_owner_left_is_removed(tmp_path: Path) -> None:
    root, folder = tmp_path / "root", tmp_path / "folder"
    argv = [sys.executable, "-c", OWNER, str(root), str(folder)]
    owner = subprocess.run(argv, capture_output=True, text=True, cwd=REPOSITORY, check=False)
    child = int(owner.stdout)
    assert folder.exists()
    assert len(sweep(root)) == 1
    assert not folder.exists()
    assert list(root.iterdir()) == []
    # Whoever adopts orphans here may not have asked for its exit code yet.
    stat = Path(f"/proc/{child}/stat")
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


def test_what_lives_stays(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    other = Registry(tmp_path)
    assert sweep(tmp_path) == []
    assert registry.folder.exists()
    other.close()
    assert not other.folder.exists()
    assert registry.folder.exists()
    registry.close()
    registry.close()
    assert list(tmp_path.iterdir()) == []
