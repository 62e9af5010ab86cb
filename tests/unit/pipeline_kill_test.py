"""kill -9 of the pipeline's process at random moments under load: every frame is stored once."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline import rollup
from pipeline.ledger.audit import verify
from pipeline.ledger.model import Range
from pipeline.ledger.source import StoreSource
from pipeline.store.embedded import EmbeddedOptions, EmbeddedStore
from tests.unit.pipeline_tools import EVENING_MS, Node, body, expected

POPSCOPE = Path(sys.executable).with_name("popscope")
ROUNDS, NODES, BODIES, FRAMES = 6, 4, 40, 4


class Load:
    """Posts every body of every node until it is acknowledged, several at a time."""

    def __init__(self, nodes: list[Node]) -> None:
        self.todo = [body(node.frames(FRAMES)) for _ in range(BODIES) for node in nodes]
        self.lock = threading.Lock()
        self.unexpected: list[str] = []

    def run(self, url: str) -> list[threading.Thread]:
        threads = [threading.Thread(target=self._post, args=(url,)) for _ in range(6)]
        for thread in threads:
            thread.start()
        return threads

    def _post(self, url: str) -> None:
        while True:
            with self.lock:
                if not self.todo:
                    return
                data = self.todo.pop(0)
            try:
                urllib.request.urlopen(urllib.request.Request(url, data, method="POST"), timeout=60)
                continue
            except urllib.error.HTTPError as error:
                with error:
                    if error.code not in (429, 503):
                        self.unexpected.append(f"{error.code}: {error.read()!r}")
            except OSError:
                pass
            with self.lock:  # not acknowledged: again, in the next round
                self.todo.append(data)
            return


@contextmanager
def _pipeline(store: Path, log: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [POPSCOPE, "pipeline", "run", "--store", store, "--http", "0", "--sql", "0"]
    with log.open("a") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        assert process.stdout is not None
        ready = process.stdout.readline()
        assert ready, log.read_text()
        yield process, f"http://127.0.0.1:{json.loads(ready)['http']}/v1/frames"
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_every_frame_is_stored_once_through_kill_9(tmp_path: Path) -> None:
    nodes = [Node(node=f"lb{n}", stream=n + 1, seed=n, keyframe_every=16) for n in range(NODES)]
    load, moments = Load(nodes), random.Random(7)
    store, log = tmp_path / "store", tmp_path / "log"
    for _ in range(ROUNDS):
        with _pipeline(store, log) as (process, url):
            threads = load.run(url)
            threads[0].join(moments.uniform(0.05, 0.7))
            process.kill()
            for thread in threads:
                thread.join()
    assert load.todo, "all was stored before the last kill: the test tested too little"
    with _pipeline(store, log) as (process, url):
        while load.todo:
            for thread in load.run(url):
                thread.join()
        process.terminate()
        assert process.wait(60) == 0, log.read_text()
    assert load.unexpected == []
    _assert_once(store, nodes)


def _assert_once(folder: Path, nodes: list[Node]) -> None:
    store = EmbeddedStore(EmbeddedOptions(folder))
    try:
        for node in nodes:
            for scope in ("lcore", "vip", "port", "backend"):
                sql = f"SELECT sum(tx_packets) FROM {scope}_1s WHERE stream = {node.stream}"
                assert int(store.query(sql, "CSV")) == expected(node, scope, "tx_packets")
        rollup.once(store, now=EVENING_MS / 1000 + 7200)
        asked = Range(EVENING_MS - 3_600_000, EVENING_MS + 7_200_000)
        report = verify(StoreSource(store), asked)
        assert report.proven, [check.findings for check in report.checks]
        assert report.frames == NODES * BODIES * FRAMES
    finally:
        store.close()
