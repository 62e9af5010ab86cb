"""The processes of the chaos test: exporters over cores that count, and the ingest."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.counting import Counting
from tests.unit.exporters_fakes import FakeSegment

ROOT = Path(__file__).resolve().parents[2]
SPOOL_BYTES = "24m"
PATIENCE = 300.0
SPEAKING = {"PYTHONFAULTHANDLER": "1"}


@dataclass
class Node:
    """An exporter's process, its core, its spool."""

    number: int
    folder: Path
    counting: Counting = field(init=False)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.spool.mkdir(parents=True)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SPOOL_BYTES}", "tmpfs", str(self.spool)]
        subprocess.run(mount, check=True)
        run = self.folder / "run" / "a"
        self.counting = Counting(FakeSegment(run, boot=self.number + 1), pause=0.002)

    @property
    def spool(self) -> Path:
        return self.folder / "spool"

    def start(self, url: str) -> None:
        settings = {
            "POP": "fra1",
            "NODE": f"lb{self.number}",
            "RUN_ROOT": str(self.folder / "run"),
            "SPOOL_DIRECTORY": str(self.spool),
            "LISTEN": "127.0.0.1:0",
            "INTERVAL_MS": "250",
            "PIPELINE_URL": url,
            "PIPELINE_TIMEOUT_MS": "15000",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "exporters.cli", "run"],
            env=os.environ | SPEAKING | {f"POPSCOPE_EXPORT_{k}": v for k, v in settings.items()},
            cwd=ROOT,
            stderr=(self.folder / "log").open("ab"),
        )

    def start_and_wait(self, url: str) -> None:
        """Return when it listens: before that, SIGTERM ends it without a last try to send."""
        log = self.folder / "log"
        before = log.read_text().count("listening")
        self.start(url)
        deadline = time.monotonic() + PATIENCE
        while log.read_text().count("listening") == before and time.monotonic() < deadline:
            time.sleep(0.1)

    def end(self, number: int) -> None:
        """Send a signal, and wait for the end."""
        assert self.process is not None
        self.process.send_signal(number)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired as error:
            self.process.send_signal(signal.SIGABRT)  # it says where it is
            self.process.wait()
            log = (self.folder / "log").read_text()[-6000:]
            raise RuntimeError(f"node {self.number} does not end: {log}") from error

    def truncate(self, chance: random.Random) -> None:
        """Cut the end of the newest spool file off, as a power failure would."""
        files = sorted(self.spool.glob("*.spool"), key=lambda path: path.stat().st_mtime_ns)
        if files and (size := files[-1].stat().st_size):
            os.truncate(files[-1], max(0, size - chance.randint(1, 3_000)))


@dataclass
class Ingest:
    """The pipeline's process."""

    folder: Path
    process: subprocess.Popen[str] | None = None
    url: str = ""

    def start(self) -> None:
        argv = [
            "pipeline",
            "run",
            "--store",
            str(self.folder / "store"),
            "--http",
            "0",
            "--sql",
            "0",
        ]
        code = f"from popscope import main; main({argv!r})"
        log = (self.folder / "ingest.log").open("a")
        command = [sys.executable, "-c", code]
        # A killed process leaves what it wrote to the kernel: there is no need to wait for a disk.
        settings = os.environ | SPEAKING | {"POPSCOPE_PIPELINE_STORE_DURABLE": "false"}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT, env=settings
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError((self.folder / "ingest.log").read_text()[-2000:])
        self.url = f"http://127.0.0.1:{json.loads(line)['http']}"

    def end(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()
