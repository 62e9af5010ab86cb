"""A real core without a network: what `popscope lb` says of it, and what is left when it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lb.check import check
from lb.core_client import Control
from lb.errors import ConfigError
from lb.maglev import build_pool
from tests.unit.lb_fake_core import CONFIG

Start = Callable[[], subprocess.Popen[str]]
SEGMENT_STATE = 56  # offset of `state` in struct ps_segment_header
STOPPED = 2


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return tmp_path / "core"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "lb.json"
    path.write_text(json.dumps(CONFIG))
    return path


@pytest.fixture
def start(run_dir: Path, config: Path) -> Iterator[Start]:
    instance = f"lbtest{os.getpid()}"
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        argv = [
            *(sys.executable, "-c", "from popscope import main; main()", "lb", "run"),
            *("--instance", instance, "--run-dir", str(run_dir), "--config", str(config)),
            *("--vdev", "net_null0", "--hugepages", "off", "--idle-polls", "1"),
            *("--max-connections", "1024", "--eal", "--no-telemetry"),
        ]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
    for root in ("/var/run", os.environ.get("XDG_RUNTIME_DIR", "/nonexistent")):
        shutil.rmtree(Path(root) / "dpdk" / f"popscope-{instance}", ignore_errors=True)


def wait_ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout
    line = process.stdout.readline()
    if "ready" not in line:
        pytest.fail(f"no core: {line} {process.communicate()[1]}")


def segments(run_dir: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(run_dir.glob("segment-*"))]


def test_a_core_is_configured_and_ends_in_order(start: Start, run_dir: Path, config: Path) -> None:
    process = start()
    wait_ready(process)
    control = Control(run_dir / "control.sock")
    state = control.show()
    pool = check(config).pools[0]
    assert (state["generation"], state["config"]) == (7, CONFIG)
    # The Python side builds the very table that the core has.
    expected = build_pool(65537, pool.backends)
    assert state["maglev"][0]["digest"] == expected.digest
    assert state["maglev"][0]["slots"] == {"b1": expected.counts[0], "b2": expected.counts[1]}
    with pytest.raises(ConfigError) as refused:
        control.apply({**CONFIG, "generation": 7, "pools": 1})
    assert {p.path for p in refused.value.problems} >= {"/generation", "/pools"}
    assert control.show()["config"] == CONFIG
    assert control.apply({**CONFIG, "generation": 9}) == 9
    second = start()
    assert second.wait(30) == 1
    assert second.stderr
    assert "another core runs" in second.stderr.read()
    control.stop()
    assert process.wait(30) == 0
    (segment,) = segments(run_dir)
    assert int.from_bytes(segment[SEGMENT_STATE : SEGMENT_STATE + 8], "little") == STOPPED
    assert not (run_dir / "control.sock").exists()


def test_a_killed_core_starts_again(start: Start, run_dir: Path) -> None:
    process = start()
    wait_ready(process)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    assert (run_dir / "control.sock").exists()
    again = start()
    wait_ready(again)
    assert Control(run_dir / "control.sock").show()["generation"] == 7
    assert len(segments(run_dir)) == 2
    again.send_signal(signal.SIGTERM)
    assert again.wait(30) == 0
