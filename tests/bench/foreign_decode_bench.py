"""Ways to decode remote write, on the same bodies: what the choice of `pipeline/foreign` stands on.

python -m tests.bench.foreign_decode_bench     prints the cases as JSON

CPU seconds of this process, per million samples, from the packed body to what each way gives:
`c`: columns with the series looked up; `upb`: Protobuf's own library, messages and then a loop of
Python over them, series looked up in a dict; `engine`: rows in a table by ClickHouse's Protobuf
format, labels and all, many requests an insert; `snappy`: unpacking alone.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from pipeline.foreign.native import Format, Table, Window
from pipeline.foreign.remote_write import unpack
from pipeline.store.embedded import EmbeddedOptions, EmbeddedStore
from tests.bench import foreign_load
from tests.bench.foreign_load import Load

PROTO = """syntax = "proto3";
message Label { string name = 1; string value = 2; }
message Sample { double value = 1; int64 timestamp = 2; }
message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; }
message WriteRequest { repeated TimeSeries timeseries = 1; }
"""
TABLES = (
    "CREATE TABLE sink (ts DateTime64(3), name String, labels Map(String, String), value Float64) "
    "ENGINE = MergeTree ORDER BY (name, ts)",
    "CREATE TABLE body (timeseries Array(Tuple(labels Array(Tuple(name String, value String)), "
    "samples Array(Tuple(value Float64, timestamp Int64))))) ENGINE = Null",
    "CREATE MATERIALIZED VIEW view TO sink AS SELECT "
    "fromUnixTimestamp64Milli(tupleElement(s, 'timestamp')) AS ts, labels['__name__'] AS name, "
    "CAST(arrayMap(x -> (tupleElement(x, 'name'), tupleElement(x, 'value')), "
    "tupleElement(t, 'labels')), 'Map(String, String)') AS labels, "
    "tupleElement(s, 'value') AS value FROM (SELECT t, arrayJoin(tupleElement(t, 'samples')) AS s "
    "FROM (SELECT arrayJoin(timeseries) AS t FROM body))",
)
LIMIT = 1 << 26


def _message() -> Any:
    """The class of WriteRequest, without generated code."""
    file = descriptor_pb2.FileDescriptorProto(name="rw.proto", package="rw", syntax="proto3")
    field = descriptor_pb2.FieldDescriptorProto
    kinds = {"string": field.TYPE_STRING, "double": field.TYPE_DOUBLE, "int64": field.TYPE_INT64}
    message = file.message_type.add()
    for line in PROTO.replace("{", "{\n").replace(";", ";\n").splitlines()[1:]:
        words = line.split()
        if words[:1] == ["message"]:
            message = file.message_type.add(name=words[1])
        elif len(words) >= 4:
            repeated = words[0] == "repeated"
            kind, name, _, number = words[repeated:]
            made = message.field.add(name=name, number=int(number.rstrip(";")))
            made.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
            made.type = kinds.get(kind, field.TYPE_MESSAGE)
            if kind not in kinds:
                made.type_name = f".rw.{kind}"
    del file.message_type[0]
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("rw.WriteRequest"))


def _snappy(bodies: Sequence[bytes]) -> None:
    for body in bodies:
        unpack(body, LIMIT)


def _in_c(table: Table, window: Window) -> Callable[[Sequence[bytes]], None]:
    tenant = table.add_tenant("bench", 1_000_000)

    def run(bodies: Sequence[bytes]) -> None:
        for body in bodies:
            table.take(tenant, Format.RW1, unpack(body, LIMIT), window)

    return run


def _by_upb() -> Callable[[Sequence[bytes]], None]:
    message, known = _message(), dict[tuple[tuple[str, str], ...], int]()

    def run(bodies: Sequence[bytes]) -> None:
        for body in bodies:
            ids, times, values = list[int](), list[int](), list[float]()
            for series in message.FromString(unpack(body, LIMIT).to_pybytes()).timeseries:
                labels = tuple((x.name, x.value) for x in series.labels)
                number = known.setdefault(labels, len(known))
                for sample in series.samples:
                    ids.append(number)
                    times.append(sample.timestamp)
                    values.append(sample.value)
            pa.table({"series": ids, "ts": times, "value": values})

    return run


def _by_engine(store: EmbeddedStore, schema: Path) -> Callable[[Sequence[bytes]], None]:
    schema.write_text(PROTO)
    for statement in TABLES:
        store.query(statement, "Null")
    sql = f"INSERT INTO body SETTINGS format_schema = '{schema}:WriteRequest'"

    def run(bodies: Sequence[bytes]) -> None:
        plain = b"".join(unpack(body, LIMIT).to_pybytes() for body in bodies)
        with store._session().send_insert(sql, "ProtobufSingle") as insert:
            insert.append(plain)
            insert.finish()

    return run


def _measure(name: str, run: Callable[[Sequence[bytes]], None], load: Load) -> dict[str, Any]:
    start = int(time.time() - load.seconds) * 1000
    posts = [body for shard in foreign_load.remote_write(load, start).bodies for body in shard]
    run(posts[: len(posts) // 4])  # the series become known
    before = time.process_time()
    run(posts)
    seconds = time.process_time() - before
    return {
        "name": name,
        "cpu_s_per_million": seconds / load.samples * 1e6,
        "samples_a_post": load.samples_a_post,
        "samples": load.samples,
    }


def cases() -> list[dict[str, Any]]:
    """Every way, with bodies of 2,000 and 10,000 samples."""
    found = []
    now = int(time.time())
    window = Window(now, (now - 86400) * 1000, (now + 3600) * 1000)
    with tempfile.TemporaryDirectory(prefix="popscope-bench-") as folder:
        store = EmbeddedStore(EmbeddedOptions(Path(folder) / "store"))
        try:
            ways = {
                "snappy": _snappy,
                "c": _in_c(Table(1_000_000, 1 << 29), window),
                "upb": _by_upb(),
                "engine": _by_engine(store, Path(folder) / "rw.proto"),
            }
            for count in (2_000, 10_000):
                load = Load(1200, 20, count, 1)
                found += [_measure(name, run, load) for name, run in ways.items()]
        finally:
            store.close()
    return found


if __name__ == "__main__":
    print(json.dumps({"cases": cases()}, indent=1))
