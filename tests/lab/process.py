"""Processes of the laboratory: each in a group of its own, and gone when their starter is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.errors import ProcessError
from tests.lab.shell import REPOSITORY, inside

POLL_S = 0.02


def wait_until(true: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Wait for a condition. Raises ProcessError, saying what did not come."""
    end = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > end:
            raise ProcessError(f"waited {timeout_s:g} s for {what} in vain")
        time.sleep(POLL_S)


@dataclass(slots=True)
class Process:
    """A program with its output in a log file. `start` must be called by the main thread.

    The kernel kills the program when the thread that started it ends (PR_SET_PDEATHSIG), however
    that thread ends.
    """

    name: str
    argv: Sequence[str]
    log: Path
    namespace: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    popen: subprocess.Popen[bytes] | None = None
    log_offset: int = 0

    def start(self) -> None:
        """Start the program; its output is appended to the log."""
        command = ["setpriv", "--pdeathsig", "KILL", *inside(self.namespace, self.argv)]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.log_offset = log.tell()
            self.popen = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=REPOSITORY,
                env={**os.environ, **self.environment},
                process_group=0,
            )

    @property
    def pid(self) -> int:
        if self.popen is None:
            raise ProcessError(f"{self.name} was not started")
        return self.popen.pid

    @property
    def running(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    def output(self) -> str:
        """What the program wrote since its last start."""
        with self.log.open("rb") as log:
            log.seek(self.log_offset)
            return log.read().decode(errors="replace")

    def wait_ready(self, ready: str | Callable[[], bool], timeout_s: float = 30) -> None:
        """Wait for a text in the output, or for a condition. Raises ProcessError with the log."""
        what = f"{ready!r}" if isinstance(ready, str) else "an answer"
        end = time.monotonic() + timeout_s
        while not (ready in self.output() if isinstance(ready, str) else ready()):
            if not self.running:
                code = self.popen.returncode if self.popen else None
                raise ProcessError(f"{self.name} ended early, exit code {code}: {self._tail()}")
            if time.monotonic() > end:
                raise ProcessError(f"{self.name} gave no {what} in {timeout_s:g} s: {self._tail()}")
            time.sleep(POLL_S)

    def stop(self, timeout_s: float = 15) -> int:
        """End the program in order (SIGTERM) and return its exit code, negative for a signal.

        Raises ProcessError when it had to be killed after the timeout.
        """
        self.signal(signal.SIGTERM)
        return self.wait(timeout_s)

    def wait(self, timeout_s: float) -> int:
        """Wait for the program's end. Raises ProcessError when it had to be killed for that."""
        if self.popen is None:
            return 0
        try:
            code = self.popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ProcessError(
                f"{self.name} did not end in {timeout_s:g} s and was killed"
            ) from None
        self._kill_group()
        return code

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        self.signal(signal.SIGKILL)
        if self.popen is not None:
            self.popen.wait()
            self._kill_group()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program itself, if it still runs."""
        if self.popen is not None and self.popen.poll() is None:
            self.popen.send_signal(number)

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def _tail(self) -> str:
        lines = self.output().strip().splitlines()[-12:]
        return "\n  ".join([f"(log: {self.log})", *lines])
