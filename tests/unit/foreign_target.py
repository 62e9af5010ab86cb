"""A scrape target that remembers what it said: each scrape is answered with the next number."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_TEXT = """# HELP foreign_ticks_total Scrapes of this target.
# TYPE foreign_ticks_total counter
foreign_ticks_total{{zone="a b"}} {0}
# HELP foreign_latency_seconds Nothing real.
# TYPE foreign_latency_seconds histogram
foreign_latency_seconds_bucket{{le="0.1"}} {0}
foreign_latency_seconds_bucket{{le="+Inf"}} {1}
foreign_latency_seconds_sum {2}
foreign_latency_seconds_count {1}
"""


class Target:
    """`served` are the numbers that were given away, in order."""

    def __init__(self) -> None:
        self.served = list[int]()
        outer, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with lock:
                    number = len(outer.served) + 1
                    outer.served.append(number)
                text = _TEXT.format(number, 2 * number, number / 10)
                # A series that ends: senders mark it stale.
                body = (text + ("foreign_briefly 1\n" if number < 4 else "")).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def target() -> Iterator[Target]:
    made = Target()
    try:
        yield made
    finally:
        made.close()
