"""A control socket that answers what a test says, and keeps what it was asked."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

Answer = Callable[[dict[str, Any]], bytes]

CONFIG: dict[str, Any] = {
    "generation": 7,
    "addresses": [{"port": 0, "address": "10.77.1.11/24"}],
    "pools": [
        {
            "name": "web",
            "backends": [
                {"name": "b1", "address": "10.77.1.21", "weight": 100},
                {"name": "b2", "address": "10.77.1.22"},
            ],
        }
    ],
    "listeners": [
        {
            "name": "web-80",
            "address": "198.51.100.1",
            "port": 80,
            "protocol": "tcp",
            "pool": "web",
        }
    ],
}
STATE: dict[str, Any] = {
    "ok": True,
    "config": CONFIG,
    "generation": 7,
    "instance": "lb",
    "boot_id": "00000000000000ab",
    "neighbours": [
        {"address": "10.77.1.21", "mac": "02:00:00:00:00:01", "state": "resolved", "port": 0}
    ],
    "maglev": [{"pool": "web", "size": 251, "digest": "feed", "slots": {"b1": 126, "b2": 125}}],
}


def answer(request: dict[str, Any]) -> bytes:
    """What a core with STATE says; an apply gets the generation that it asks for."""
    if request["op"] == "show":
        return json.dumps(STATE).encode() + b"\n"
    generation = request.get("config", {}).get("generation", 0)
    return json.dumps({"ok": True, "generation": generation}).encode() + b"\n"


def refuse(*problems: tuple[str, str]) -> Answer:
    """An answer that lists these problems."""
    errors = [{"path": path, "message": message} for path, message in problems]
    line = json.dumps({"ok": False, "errors": errors}).encode() + b"\n"
    return lambda request: line if request["op"] == "apply" else answer(request)


class FakeCore:
    """Serves in a thread; `requests` are those that it got."""

    def __init__(self, path: Path, answer: Answer = answer) -> None:
        self.requests: list[dict[str, Any]] = []
        self._answer = answer
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> FakeCore:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as lines:
                self.requests.append(json.loads(lines.readline()))
                connection.sendall(self._answer(self.requests[-1]))
