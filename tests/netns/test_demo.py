"""`popscope demo` itself: the story, its result, and what it leaves."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.demo.cli import demo as command
from tests.lab.ports import any_free, free
from tests.lab.process import wait_until
from tests.lab.registry import sweep
from tests.lab.shell import run
from tests.lab.stack import POPSCOPE

SECONDS = 16  # the shortest run that plays every scene


def demo(work: Path, *argv: str) -> list[str]:
    return [POPSCOPE, "demo", "--work", str(work / "demo"), "--port-base", base(), *argv]


def base() -> str:
    """The first of six ports that are all free."""
    while True:
        first = min(any_free(), 65000)
        if all(free(port) for port in range(first, first + 6)):
            return str(first)


def namespaces() -> set[str]:
    names = {line.split()[0] for line in run(["ip", "netns", "list"]).splitlines() if line}
    return {name for name in names if name.startswith("ps-")}


@pytest.fixture(scope="module")
def before(machine: None) -> set[str]:
    """Namespaces of other laboratories that live now."""
    sweep()
    return namespaces()


@pytest.fixture(scope="module")
def played(before: set[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    work = tmp_path_factory.mktemp("played")
    argv = demo(work, "--seconds", str(SECONDS))
    done = subprocess.run(argv, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result: dict[str, Any] = json.loads((work / "demo.json").read_text())
    return result


def test_every_packet_row_and_request_is_accounted_for(played: dict[str, Any]) -> None:
    assert played["ok"]
    assert played["ledger_residual"] == 0
    assert played["counter_differences"] == {}
    assert played["ledger_verify"]["proven"]
    assert played["rows_stored"] == played["rows_expected"] > 0
    assert played["http_requests"] > 100
    assert played["http_failures"] == 0
    assert played["packets_rx"] > played["packets_tx"] > 1000
    assert played["freshness_ms_p95"] > 0


def test_the_whole_story_was_told(played: dict[str, Any]) -> None:
    told = [event["what"] for event in played["events"]]
    scenes = ["traffic", "drain", "drained", "inject", "in-sql", "kill", "picked-up", "rejoin"]
    assert [what for what in told if what in scenes] == scenes
    assert played["boots"] == 3
    assert played["downloads_survived_kill"] >= played["downloads_in_flight_at_kill"] > 0
    assert played["connections_picked_up"] > 0
    for reason, count in played["injected"].items():
        assert played["drops"][reason] == count


def test_nothing_is_left(before: set[str], played: dict[str, Any]) -> None:
    assert played["ok"]
    assert sweep() == []
    assert namespaces() <= before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_early_interrupt_leaves_nothing(
    before: set[str], tmp_path: Path, number: signal.Signals
) -> None:
    process = subprocess.Popen(demo(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        wait_until(
            lambda: bool(namespaces() - before) or process.poll() is not None, 60, "its namespaces"
        )
        process.send_signal(number)
        said, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130, said.decode()
    assert b"everything is removed" in said
    assert namespaces() <= before


def test_without_root_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 65534)
    done = CliRunner().invoke(command, ["--work", str(tmp_path / "demo")])
    assert done.exit_code == 3
    assert "root" in done.stderr


def test_taken_ports_are_named(machine: None, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "http.server", "0", "--bind", "127.0.0.1"]
    server = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        wait_until(lambda: bool(listening(server.pid)), 10, "a port to be taken")
        port = listening(server.pid)
        argv = [POPSCOPE, "demo", "--work", str(tmp_path / "demo"), "--port-base", port]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    finally:
        server.kill()
        server.communicate()
    assert done.returncode == 3
    assert f"{port} (by " in done.stderr
    assert f"pid {server.pid}" in done.stderr
    assert "--port-base" in done.stderr


def listening(pid: int) -> str:
    """The port that a process listens on, "" for none."""
    for line in run(["ss", "-Hltnp"]).splitlines():
        if f"pid={pid}," in line:
            return line.split()[3].rpartition(":")[2]
    return ""
