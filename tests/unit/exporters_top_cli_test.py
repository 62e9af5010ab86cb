"""`popscope top` as a command: --once as JSON and as text, exit status, errors; and typed at."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator
from fcntl import ioctl
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from exporters.top.once import KEYS
from exporters.top.state import COLUMNS
from popscope import main
from tests.unit.exporters_fakes import NO_PROCESS, FakeSegment

PATIENCE_S = 60.0


def once(root: Path, *options: str) -> Result:
    arguments = ["top", "--run-root", str(root), "--once", "--interval", "0.1", *options]
    return CliRunner().invoke(main, arguments)


def test_json_has_every_column_with_its_unit(tmp_path: Path) -> None:
    FakeSegment(tmp_path / "a").add("lcore", 0, rx_packets=5, tx_packets=3, drop_tx_full=2)
    done = once(tmp_path, "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["interval_seconds"] >= 0.1
    for name, key in KEYS.items():
        assert found[key], key
        for row in found[key]:
            assert list(row) == [c.key for c in COLUMNS[name]]
        for column, value in found[key][0].items():
            stated = column in found["units"][key]
            assert stated != isinstance(value, str), (key, column)
    drop = next(d for d in found["drops"] if d["reason"] == "tx_full")
    assert (drop["dropped_packets"], drop["most_on_lcore"]) == (2, "lcore 0")
    assert drop["dropped_packets_per_second"] == 0
    assert {row["residual_packets"] for row in found["lcores"]} == {0}
    assert found["instances"][0]["state"] == "live"


def test_json_keeps_64_bits(tmp_path: Path) -> None:
    fake = FakeSegment(tmp_path / "a")
    fake.add("port", 0, rx_missed_packets=2**64 - 3)
    assert json.loads(once(tmp_path, "--json").stdout)["ports"][0]["rx_missed_packets"] == 2**64 - 3


def test_text_is_for_people_and_has_no_colour_in_a_pipe(tmp_path: Path) -> None:
    FakeSegment(tmp_path / "a").add("lcore", 0, rx_packets=2, drop_tx_full=2)
    done = once(tmp_path, "--rows", "2")
    assert done.exit_code == 0
    assert "\x1b" not in done.stdout
    assert re.search(r"^tx_full +0 +2 lcore 0 The transmit queue", done.stdout, re.MULTILINE)
    assert "VIPs (2 of 4)" in done.stdout
    assert "multi_segment" not in done.stdout
    assert "VIPs" not in once(tmp_path, "--view", "drops").stdout


def test_filter_instance_and_view_choose(tmp_path: Path) -> None:
    FakeSegment(tmp_path / "a")
    FakeSegment(tmp_path / "b", instance="b")
    found = json.loads(once(tmp_path, "--json", "--instance", "b", "--filter", "web-2").stdout)
    assert [(v["instance"], v["vip"]) for v in found["vips"]] == [("b", "web-2")]


def test_exit_status_tells_a_broken_ledger_and_a_dead_core(tmp_path: Path) -> None:
    FakeSegment(tmp_path / "a", pid=NO_PROCESS).die()
    dead = once(tmp_path)
    assert dead.exit_code == 4
    assert "! DEAD: no heartbeat for 1 min" in dead.stdout
    FakeSegment(tmp_path / "b", instance="b").add("lcore", 0, rx_packets=1)
    broken = once(tmp_path, "--json")
    assert broken.exit_code == 3
    assert {p["level"] for p in json.loads(broken.stdout)["problems"]} >= {"critical"}


@pytest.mark.parametrize(
    ("options", "status", "says"),
    [
        (["--run-root", "nowhere", "--once"], 1, "nowhere does not exist"),
        (["--run-root", ".", "--once"], 1, "start one (`popscope lb run`)"),
        (["--run-root", ".", "--json"], 2, "--json needs --once"),
        (["--interval", "0"], 2, "--interval"),
    ],
)
def test_errors_say_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], status: int, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["top", *options])
    assert done.exit_code == status
    assert says in done.stderr


def test_a_pipe_is_no_terminal(tmp_path: Path) -> None:
    FakeSegment(tmp_path / "a")
    done = CliRunner().invoke(main, ["top", "--run-root", str(tmp_path)])
    assert done.exit_code == 1
    assert "use --once" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody without permission")
def test_no_permission_says_so(tmp_path: Path) -> None:
    root = tmp_path / "run"
    FakeSegment(root / "a")
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and folder.is_relative_to("/tmp"):
            assert folder == Path("/tmp") or folder.chmod(0o755) is None
    (root / "a").chmod(0o700)
    done = as_nobody(lambda: once(root))
    assert done == (1, f"error: {root / 'a'}: no permission to look into it: {AS_ROOT}")
    (root / "a").chmod(0o755)
    next((root / "a").iterdir()).chmod(0o600)
    status, text = as_nobody(lambda: once(root))
    assert status == 1
    assert "Permission denied" in text


AS_ROOT = "run this as root or as the core's user"


def as_nobody(run: Callable[[], Result]) -> tuple[int, str]:
    """Exit status and standard error of a command that an unprivileged user runs."""
    os.setegid(65534)
    os.seteuid(65534)
    try:
        done = run()
    finally:
        os.seteuid(0)
        os.setegid(0)
    return done.exit_code, done.stderr.strip()


class Screen:
    """`popscope top` in a terminal of its own, and what a person would see there."""

    def __init__(self, root: Path, fake: FakeSegment, size: tuple[int, int] = (80, 24)) -> None:
        self._fake, self.lines, self.raw = fake, list[str](), b""
        argv = [sys.executable, "-c", "from popscope import main; main()", "top"]
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm-256color", COLUMNS="", LINES="")
            os.execv(sys.executable, [*argv, "--run-root", str(root), "--interval", "0.1"])
        self.resize(*size)

    def resize(self, width: int, height: int) -> None:
        self.lines = [""] * height
        ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def type(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def until(self, pattern: str) -> str:
        """Let the core count until the screen shows something; the whole screen."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            for row in range(2):
                self._fake.add("lcore", row, rx_packets=10, tx_packets=10, loop_iterations=1)
            self._fake.beat()
            self.read(0.02)
            text = "\n".join(self.lines)
            if re.search(pattern, text, re.MULTILINE):
                return text
        raise AssertionError(f"{pattern!r} never came; the screen is\n" + "\n".join(self.lines))

    def hang_up(self) -> None:
        os.close(self._fd)
        self._fd = os.open(os.devnull, os.O_RDONLY)

    def wait(self) -> int:
        """Exit status, after the end."""
        while self.read(1.0):
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def read(self, timeout: float) -> bool:
        if not select.select([self._fd], [], [], timeout)[0]:
            return True
        try:
            data = os.read(self._fd, 1 << 16)
        except OSError:  # the other side is closed
            return False
        self.raw += data
        self._show()
        return True

    def _show(self) -> None:
        """Whole lines are written, each at its place."""
        cleared = self.raw.decode(errors="replace").rpartition("\x1b[2J")[2]
        for row, text in re.findall(r"\x1b\[(\d+);1H((?:[^\x1b]|\x1b\[[\d;]*m)*)", cleared):
            if int(row) <= len(self.lines):
                self.lines[int(row) - 1] = re.sub(r"\x1b\[[\d;]*m", "", text).rstrip()


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    fake = FakeSegment(tmp_path / "a")
    fake.add("node", 0, config_generation=1)
    running = Screen(tmp_path, fake)
    yield running
    try:
        os.kill(running.pid, signal.SIGKILL)
        os.waitpid(running.pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass  # it has ended
    os.close(running._fd)


def is_left_as_found(raw: bytes) -> bool:
    return raw.count(b"\x1b[?1049h") == raw.count(b"\x1b[?1049l") and raw.endswith(b"\x1b[?1049l")


def test_keys_are_typed_and_the_screen_follows(screen: Screen) -> None:
    assert "ledger: balanced" in screen.until(r"^\[1 Overview\](.*\n)+.* rx pkt/s")
    screen.until(r"^rx [1-9]\S* pkt/s")
    screen.type("4")
    screen.until(r"VIPs: 1-4 of 4, by rx pkt/s falling")
    screen.type("/web-2")
    screen.until(r"^filter: web-2_")
    screen.type("\r")
    assert "web-1" not in screen.until(r'^only rows with "web-2"(.*\n?)*')
    screen.type("\x1b")
    screen.until("web-1")
    screen.type("u")
    screen.until(r"by rx bit/s falling")
    screen.type("\x1b[Z")
    screen.until(r"\[3 Drops\]")
    screen.type("p")
    screen.until("PAUSED$")
    screen.type("p?")
    screen.until("^KEYS")
    screen.type("xq")
    assert screen.wait() == 0
    assert is_left_as_found(screen.raw)


def test_it_follows_the_size_of_the_terminal(screen: Screen) -> None:
    screen.until("q quit")
    screen.resize(200, 50)
    screen.until(r"^lcore .* vip .* rx pkt/s(.*\n)+q quit")
    assert len(screen.lines) == 50


def test_a_restart_is_seen_while_it_runs(screen: Screen, tmp_path: Path) -> None:
    screen.until("a live")
    screen._fake = FakeSegment(tmp_path / "a", boot=0xABC)
    screen.type("7")
    screen.until(r"boot 0000000000000abc")
    screen.until(r"restarted: boot 0000000000000001 \(\w+\) is followed by")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_leaves_the_terminal_as_it_was(screen: Screen, number: int) -> None:
    screen.until("q quit")
    os.kill(screen.pid, number)
    assert screen.wait() == 0
    assert is_left_as_found(screen.raw)


def test_a_terminal_that_goes_away_ends_it(screen: Screen) -> None:
    screen.until("q quit")
    screen.hang_up()
    status = os.waitstatus_to_exitcode(os.waitpid(screen.pid, 0)[1])
    assert status == 0


def test_ctrl_z_gives_the_terminal_back_while_it_is_stopped(screen: Screen) -> None:
    screen.until("q quit")
    screen.type("\x1a")
    os.waitid(os.P_PID, screen.pid, os.WSTOPPED)
    while screen.read(0.1) and not is_left_as_found(screen.raw):
        pass
    os.kill(screen.pid, signal.SIGCONT)
    screen.until("q quit")
    screen.type("4")
    screen.until("VIPs: 1-4")
    screen.type("q")
    assert screen.wait() == 0
    assert is_left_as_found(screen.raw)


def test_only_lines_that_changed_are_written(screen: Screen) -> None:
    screen.until("q quit")
    screen.type("p")
    screen.until("PAUSED$")
    before = len(screen.raw)
    for _ in range(20):
        screen.read(0.02)
    assert screen.raw[before:].count(b"\x1b[2J") == 0
    assert len(screen.raw) - before < 80 * 24
