"""Where Alertmanager delivers."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.lab.ports import HOST


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as it was delivered. `received`: unix seconds."""

    name: str
    status: str
    summary: str
    labels: dict[str, str]
    received: float


class Webhook:
    """An HTTP server in a thread; `alerts` grows as alerts are delivered."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                webhook.alerts.extend(parse(json.loads(body)))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Requests are not logged."""

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self.url = f"http://{HOST}:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def parse(body: dict[str, Any]) -> list[Alert]:
    """The alerts of one delivery (Alertmanager's webhook, version 4)."""
    return [
        Alert(
            name=alert["labels"].get("alertname", "?"),
            status=alert["status"],
            summary=alert.get("annotations", {}).get("summary", ""),
            labels=alert["labels"],
            received=time.time(),
        )
        for alert in body.get("alerts", [])
    ]
