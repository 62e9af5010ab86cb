"""The embedded engine: ClickHouse in this process (chdb), a folder on disk.

One process owns the folder, and a process owns one folder at a time. The engine does not survive a
fork: a child of the owner gets StoreUnavailable instead of a hang.
"""

from __future__ import annotations

import fcntl
import importlib
import json
import os
import sys
import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from xml.sax.saxutils import escape

import pyarrow as pa

from pipeline.errors import QueryError, StoreBusy, StoreError, StoreUnavailable
from pipeline.store import DATABASE, Answer, QueryLimits, ReadOnly

_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"})
# One insert makes one part: blocks are not cut by size before the partition cuts them. What a merge
# will collapse is left to the merge: collapsing at the insert as well costs half of it.
_INSERT = (
    "async_insert = 0, min_insert_block_size_rows = 4000000, "
    "min_insert_block_size_bytes = 4000000000, input_format_null_as_default = 1, "
    "optimize_on_insert = 0"
)
_IN_USE = threading.Lock()


@dataclass(frozen=True, slots=True)
class EmbeddedOptions:
    """`durable`: every insert is on the disk (fsync) before it is acknowledged.

    `backups`: the only folder that backups are written to and read from, "" for one in `path`.
    """

    path: Path
    durable: bool = True
    memory_bytes: int = 4 << 30
    backups: str = ""

    @property
    def backup_folder(self) -> Path:
        return Path(self.backups).resolve() if self.backups else self.path.resolve() / "backups"

    def xml(self) -> str:
        """The engine's configuration file."""
        fsync = int(self.durable)
        # Merged parts are not synced: their sources stay until the kernel has written them.
        keep = 480 if self.durable else 1
        backups = escape(f"{self.backup_folder}/")
        return (
            "<clickhouse>\n"
            f"  <max_server_memory_usage>{self.memory_bytes}</max_server_memory_usage>\n"
            "  <merge_tree>\n"
            f"    <fsync_after_insert>{fsync}</fsync_after_insert>\n"
            f"    <fsync_part_directory>{fsync}</fsync_part_directory>\n"
            f"    <old_parts_lifetime>{keep}</old_parts_lifetime>\n"
            "  </merge_tree>\n"
            f"  <backups><allowed_path>{backups}</allowed_path></backups>\n"
            "</clickhouse>\n"
        )


class EmbeddedStore:
    """A Store in a folder.

    Raises StoreBusy when another process or store is in the way, StoreError when the folder is.
    """

    def __init__(self, options: EmbeddedOptions) -> None:
        self._pid = os.getpid()
        self.folder = options.path.resolve()
        self.backup_folder = options.backup_folder
        self._owner = _own(self.folder)
        self._local = threading.local()
        self._sessions: weakref.WeakSet[Any] = weakref.WeakSet()
        self._closed = False
        config = self.folder / "engine.xml"
        config.write_text(options.xml())
        try:
            self._root = self._open({"config-file": str(config)}, use=False)
            self._root.query(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
            self._root.query(f"USE {DATABASE}")
        except Exception:
            self._release()
            raise

    def query(
        self,
        sql: str,
        fmt: str = "ArrowStream",
        params: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> bytes:
        if not settings:
            return _answer(self._session(), sql, fmt, params).data
        session = self._open(settings)
        try:
            return _answer(session, sql, fmt, params).data
        finally:
            session.close()

    def query_arrow(self, sql: str, params: Mapping[str, str] | None = None) -> pa.Table:
        data = self.query(sql, "ArrowStream", params, {"output_format_arrow_string_as_string": "1"})
        if not data:
            return pa.table({})
        return pa.ipc.open_stream(data).read_all()

    def insert(self, table: str, data: pa.Table | Iterable[pa.RecordBatch], token: str = "") -> int:
        rows = data if isinstance(data, pa.Table) else pa.Table.from_batches(data)
        if rows.num_rows == 0:
            return 0
        names = ", ".join(f"`{name}`" for name in rows.column_names)
        belt = f", insert_deduplication_token = '{token}'" if token else ""
        sql = f"INSERT INTO {DATABASE}.{table} ({names}) SETTINGS {_INSERT}{belt}"
        # One stream: the engine reads only the first of several.
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, rows.schema) as writer:
            writer.write_table(rows)
        failed = self._failed_inserts_before()
        try:
            with self._session().send_insert(sql, "ArrowStream") as inserter:
                inserter.append(memoryview(sink.getvalue()))
                written = int(inserter.finish().rows_written)
        except RuntimeError as error:
            raise QueryError(f"insert into {table}: {error}") from error
        if written != rows.num_rows:
            raise QueryError(f"insert into {table}: {rows.num_rows} rows given, {written} written")
        if self._failed_inserts() != failed:
            raise QueryError(f"insert into {table}: the engine wrote nothing (is the disk full?)")
        return written

    def _failed_inserts_before(self) -> int:
        """What this thread saw last: another's failure since then costs a retry, no more."""
        seen: int | None = getattr(self._local, "failed", None)
        return self._failed_inserts() if seen is None else seen

    def _failed_inserts(self) -> int:
        """How many inserts have failed since the engine started, in any thread.

        The engine keeps to itself why a part could not be written (a full disk): it says only
        here that an insert failed.
        """
        asked = "SELECT sum(value) FROM system.events WHERE event = 'FailedInsertQuery'"
        failed = int(_answer(self._session(), asked, "TSV", None).data or 0)
        self._local.failed = failed
        return failed

    @contextmanager
    def read_only(self, limits: QueryLimits) -> Iterator[ReadOnly]:
        session = self._open({"readonly": "1", **limits.settings()})
        try:
            yield _Session(session)
        finally:
            session.close()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        for session in list(self._sessions):
            session.close()
        self._release()

    def _session(self) -> Any:
        """This thread's session."""
        session = getattr(self._local, "session", None)
        if session is None or self._closed or os.getpid() != self._pid:
            session = self._local.session = self._open({})
        return session

    def _open(self, settings: Mapping[str, str], use: bool = True) -> Any:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        if os.getpid() != self._pid:
            raise StoreUnavailable("the store was opened before a fork: open it in the child")
        query = "&".join(f"{key}={value}" for key, value in settings.items())
        path = f"{self.folder / 'data'}?{query}" if query else str(self.folder / "data")
        try:
            session: Any = _engine().Session(path)
            if use:
                session.query(f"USE {DATABASE}")
        except RuntimeError as error:
            raise QueryError(f"{self.folder}: the engine does not open: {error}") from error
        self._sessions.add(session)
        return session

    def _release(self) -> None:
        self._owner.close()
        if _IN_USE.locked():
            _IN_USE.release()


class _Session:
    """ReadOnly over one session of the engine."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def query(
        self, sql: str, fmt: str = "ArrowStream", params: Mapping[str, str] | None = None
    ) -> bytes:
        return self.answer(sql, fmt, params).data

    def answer(
        self, sql: str, fmt: str = "ArrowStream", params: Mapping[str, str] | None = None
    ) -> Answer:
        return _answer(self._session, sql, fmt, params)

    def stream(
        self, sql: str, fmt: str = "ArrowStream", params: Mapping[str, str] | None = None
    ) -> Iterator[bytes]:
        try:
            with self._session.send_query(sql, fmt, params=_escaped(params)) as chunks:
                for chunk in chunks:
                    yield bytes(chunk.bytes())
        except RuntimeError as error:
            raise QueryError(str(error)) from error


def _engine() -> Any:
    """The engine's module: half a gigabyte, so that it is loaded when a store is opened."""
    return importlib.import_module("chdb.session")


def _answer(session: Any, sql: str, fmt: str, params: Mapping[str, str] | None) -> Answer:
    try:
        result = session.query(sql, fmt, params=_escaped(params))
    except RuntimeError as error:
        raise QueryError(str(error)) from error
    if result is None or isinstance(result, str):
        return Answer(b"", 0, 0, 0.0)
    data = bytes(result.bytes() or b"")
    rows, size = int(result.storage_rows_read()), int(result.storage_bytes_read())
    return Answer(data, rows, size, float(result.elapsed()))


def _escaped(params: Mapping[str, str] | None) -> dict[str, str] | None:
    """Values of parameters as the engine reads them: escaped as in TSV."""
    return {k: v.translate(_ESCAPES) for k, v in params.items()} if params else None


def _own(folder: Path) -> IO[str]:
    """Make and lock the folder for this process. Raises StoreError; StoreBusy names the owner."""
    if not _IN_USE.acquire(blocking=False):
        raise StoreBusy(f"{folder}: this process has a store open already; close it first")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "owner.json").open("a+")
    except OSError as error:
        _IN_USE.release()
        raise StoreError(
            f"{folder}: {error.strerror}: the store needs a folder that this user may write; "
            "`--store` or `[store] path` names it"
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        _IN_USE.release()
        file.seek(0)
        owner = file.read().strip() or "an unknown process"
        file.close()
        raise StoreBusy(
            f"{folder}: in use by {owner}: ask that process over HTTP (port 8123), or stop it"
        ) from error
    file.truncate(0)
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    json.dump({"pid": os.getpid(), "command": " ".join(sys.argv), "since": started}, file)
    file.flush()
    return file
