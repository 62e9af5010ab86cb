"""Looks at each link of a node's chain in turn, from its segments to the rollups."""

from __future__ import annotations

import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from exporters.config import Config
from exporters.credentials import Credentials
from exporters.errors import ExporterError
from exporters.instances import Tracked, Watcher
from exporters.sampler import state_of
from exporters.show import inspect_spool, violations
from pipeline.errors import LedgerError
from pipeline.ledger.source import HttpSource

OK, WARN, FAIL, SKIP = "ok", "warn", "fail", "skip"
LATE_SECONDS, ROLLUP_SECONDS, WAITING_SECONDS = 15.0, 180.0, 60.0
_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check saw. `remedy`: what to do, "" when all is well."""

    check: str
    state: str
    evidence: str
    remedy: str = ""


class Doctor:
    """The checks of the node that an exporter's configuration is of."""

    def __init__(self, config: Config, sql: HttpSource, now: Callable[[], float] = time.time):
        self._config, self._sql, self._now = config, sql, now

    def examine(self) -> Iterator[Finding]:
        """All checks, in the order in which counts travel."""
        for check in (
            self.segments,
            self.exporter,
            self.spool,
            self.ingest,
            self.store,
            self.watermark,
            self.rollups,
        ):
            try:
                yield from check()
            except (ExporterError, LedgerError, OSError, ValueError, LookupError) as error:
                name = check.__name__
                yield Finding(name, FAIL, str(error)[:400], _REMEDIES[name])

    def segments(self) -> Iterator[Finding]:
        """A core is there, alive, and its rows obey the law."""
        watcher = Watcher(self._config.run_root, self._config.run_dirs)
        tracked = watcher.scan()
        if not tracked:
            where = watcher.problem or f"no segment below {self._config.run_root}"
            yield Finding("segments", FAIL, where, _REMEDIES["segments"])
        for one in tracked:
            yield _segment(one)

    def exporter(self) -> Iterator[Finding]:
        host, port = self._config.address
        near = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host
        near = f"[{near}]" if ":" in near else near
        answer, status = _get(f"http://{near}:{port}/healthz")
        problem = answer.get("problem", "")
        if status == 200:
            yield Finding("exporter", OK, f"{answer.get('samples', 0):,} samples taken")
        else:
            yield Finding("exporter", FAIL, problem or f"answers {status}", _REMEDIES["exporter"])

    def spool(self) -> Iterator[Finding]:
        directory = self._config.spool.directory
        if not directory.is_dir():
            raise FileNotFoundError(f"{directory} is not there")
        found = inspect_spool(directory, each=True)
        share = found["bytes"] / self._config.spool.max_bytes
        text = (
            f"{found['waiting']:,} frames wait, {found['bytes']:,} bytes ({share:.0%} of the limit)"
        )
        waiting = [
            f["entries"][0]["ts_ms"] for f in found["files"] if f["waiting"] and f["entries"]
        ]
        age = self._now() - min(waiting) / 1000 if waiting else 0.0
        if found["damaged"]:
            yield Finding("spool", WARN, f"{text}; {found['damaged']} damaged", _REMEDIES["damage"])
        elif share > 0.8:
            yield Finding("spool", FAIL, text, _REMEDIES["spool"])
        elif found["waiting"] > 2 and age > WAITING_SECONDS:
            text += f", the oldest file of them is of {age:,.0f} s ago"
            yield Finding("spool", WARN, text, _REMEDIES["spool"])
        else:
            yield Finding("spool", OK, text)

    def ingest(self) -> Iterator[Finding]:
        """It is ready, and takes this node's token: a body without frames is posted."""
        pipeline = self._config.pipeline
        if not pipeline.url:
            yield Finding("ingest", SKIP, "no [pipeline] url is configured", _REMEDIES["url"])
            return
        credentials = Credentials(pipeline)
        headers = credentials.headers()
        url = f"{pipeline.url.rstrip('/')}/v1/frames"
        answer, status = _get(url, b"", headers, credentials.tls())
        if status == 200:
            yield Finding("ingest", OK, f"{pipeline.url} takes frames")
        else:
            remedy = _REMEDIES["token" if status in (401, 403) else "ingest"]
            yield Finding("ingest", FAIL, f"{status}: {answer.get('error', '')}", remedy)

    def store(self) -> Iterator[Finding]:
        version = self._sql.table("SELECT version() AS v, max(number) AS n FROM migrations", {})
        row = version.to_pylist()[0]
        yield Finding("store", OK, f"answers SQL; engine {row['v']}, migration {row['n']}")

    def watermark(self) -> Iterator[Finding]:
        """What is committed of this node is of now."""
        at = self._newest("frames")
        if at is None:
            place = f"{self._config.pop}/{self._config.node}"
            yield Finding(
                "watermark", FAIL, f"nothing of {place} is stored", _REMEDIES["watermark"]
            )
            return
        lag = self._now() - at
        state = OK if lag < LATE_SECONDS else FAIL
        text = f"the newest frame of this node is {lag:,.1f} s old"
        yield Finding("watermark", state, text, "" if state == OK else _REMEDIES["watermark"])

    def rollups(self) -> Iterator[Finding]:
        """Minutes come within a minute or two of their frames."""
        newest, minute = self._newest("frames"), self._newest("node_1m")
        if newest is None:
            yield Finding("rollups", SKIP, "nothing of this node is stored")
            return
        if minute is None:
            young = "no minute of this node is computed: it may be younger than one"
            yield Finding("rollups", WARN, young, _REMEDIES["rollups"])
            return
        lag = newest - (minute + 60)
        state = OK if lag < ROLLUP_SECONDS else FAIL
        text = f"minutes are {max(lag, 0):,.0f} s behind the frames"
        yield Finding("rollups", state, text, "" if state == OK else _REMEDIES["rollups"])

    def _newest(self, table: str) -> float | None:
        """Unix seconds of this node's newest row."""
        row = self._sql.table(
            f"SELECT toUnixTimestamp64Milli(toDateTime64(max(ts), 3)) / 1000 AS at, count() AS n "
            f"FROM {table} WHERE pop = {{pop:String}} AND node = {{node:String}} "
            "AND ts > now() - INTERVAL 7 DAY",
            {"pop": self._config.pop, "node": self._config.node},
        ).to_pylist()[0]
        return float(row["at"]) if row["n"] else None


def _segment(tracked: Tracked) -> Finding:
    name = f"segment {tracked.instance}"
    if tracked.reader is None:
        return Finding(name, FAIL, f"{tracked.path}: {tracked.message}", _REMEDIES["segments"])
    snapshot = tracked.reader.read()
    state, broken = state_of(snapshot), violations(snapshot)
    text = f"{state}, boot {snapshot.boot:016x}, last sign {snapshot.age_ms:,} ms ago"
    if broken:
        return Finding(name, FAIL, f"{text}; {broken} rows break the law", _REMEDIES["law"])
    if state != "live":
        return Finding(name, WARN, text, _REMEDIES["dead"])
    return Finding(name, OK, f"{text}; the law holds")


def _get(
    url: str,
    data: bytes | None = None,
    headers: dict[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> tuple[dict[str, Any], int]:
    """The JSON and the status of an answer. Raises OSError when there is none."""
    request = urllib.request.Request(url, data, headers or {})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT, context=tls) as answer:
            return _parsed(answer.read()), answer.status
    except urllib.error.HTTPError as error:
        with error:
            return _parsed(error.read()), error.code
    except urllib.error.URLError as error:
        raise OSError(f"{url} does not answer: {error.reason}") from error


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


_REMEDIES = {
    "segments": "start a core (`popscope lb run`), or let run_root name the folder of its runs",
    "law": "take `popscope export show RUN_DIR --json` and report it: a count is wrong",
    "dead": "see the log of the core; it is to be started again",
    "exporter": "start `popscope export run` with this configuration, or see its log",
    "spool": "see whether the ingest answers; a backlog is sent by itself once it does",
    "damage": "`popscope export spool DIR` says which file, `popscope ledger verify` what it cost",
    "ingest": "start `popscope pipeline run`, or let [pipeline] url name it; see its log",
    "url": "let [pipeline] url name the ingest, or frames only gather in the spool",
    "token": "`popscope pipeline token add` makes one; [pipeline] token_file names it",
    "store": "see the log of `popscope pipeline run`; are --sql-url, --user, --password right?",
    "watermark": "the first of the failed checks above says where frames stay",
    "rollups": "`popscope_pipeline_rollup_lag_seconds` and the log of the pipeline say why",
}
