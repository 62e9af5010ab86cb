"""A core that counts: a thread that writes into a segment, a little at a time, the law kept."""

from __future__ import annotations

import threading
import time

from tests.unit.exporters_fakes import FakeSegment


class Counting(threading.Thread):
    """Counts into a segment until told to stop; `fake.words` then holds what it counted."""

    def __init__(self, fake: FakeSegment, pause: float = 0.0005) -> None:
        super().__init__(daemon=True)
        self.fake, self.enough, self._pause = fake, threading.Event(), pause

    def run(self) -> None:
        count = 0
        while not self.enough.is_set():
            count += 1
            self.fake.add("lcore", count % 2, rx_packets=count, tx_packets=count)
            self.fake.add("vip", count % 4, count % 2, rx_packets=1, tx_packets=1)
            self.fake.beat()
            time.sleep(self._pause)

    def end(self) -> None:
        self.enough.set()
        self.join()
        self.fake.stop()
