"""Who sends most to a core: the windows of its workers, merged."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lb.evidence import Evidence, Record

_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp6"}
Key = tuple[bytes, bytes, int, int]


@dataclass(frozen=True, slots=True)
class Talker:
    """A source and what it sends to. All numbers are estimates from samples, a second.

    With what the algorithm may be wrong by: at least `packets_min`, at most `packets` (a sample's
    own deviation, 1/sqrt of its samples, comes on top of both).
    """

    source: str
    destination: str
    port: int
    protocol: str
    listener: str
    packets: float
    packets_min: float
    bits: float
    samples: int


@dataclass(frozen=True, slots=True)
class Talkers:
    """The latest window. `packets` a second in all; the largest sources come first."""

    instance: str
    time_ns: int
    packets: float
    top: tuple[Talker, ...]


@dataclass(slots=True)
class _Sum:
    count: int = 0
    error: int = 0
    bytes: int = 0


def read(path: Path, most: int) -> Talkers:
    """The latest whole window of every worker of a core, merged. Raises EvidenceError."""
    evidence = Evidence(path)
    lanes: dict[int, dict[int, list[Record]]] = {}
    for record in evidence.fresh("talker", {}):
        windows = lanes.setdefault(record.lane, {})
        windows.setdefault(record.number_of("window"), []).append(record)
    latest = [w for lane in lanes.values() if (w := _latest(lane))]
    # A worker that saw nothing wrote no window: what it wrote earlier is not of this one.
    newest = max((w[0].number_of("time_ns") for w in latest), default=0)
    span = max((w[0].number_of("duration_ns") for w in latest), default=1)
    latest = [w for w in latest if newest - w[0].number_of("time_ns") < span]
    seconds = span / 1e9
    every = max((w[0].number_of("every") for w in latest), default=1)
    total = sum(w[0].number_of("samples") for w in latest)
    names = _listeners(evidence)
    sums = sorted(_merge(latest).items(), key=lambda kv: (kv[1].error - kv[1].count, kv[0]))
    top = tuple(_talker(key, s, every / seconds, names) for key, s in sums[:most])
    return Talkers(evidence.instance, newest, total * every / seconds, top)


def _latest(windows: dict[int, list[Record]]) -> list[Record]:
    """The records of the newest window that are all there."""
    for number in sorted(windows, reverse=True):
        records = windows[number]
        if len(records) == records[0].number_of("of"):
            return records
    return []


def _key(record: Record) -> Key:
    return (
        record.data_of("source"),
        record.data_of("destination"),
        record.number_of("port"),
        record.number_of("protocol"),
    )


def _merge(windows: Iterable[list[Record]]) -> dict[Key, _Sum]:
    """Sums over workers. Whoever is not in a full table may have sent as much as its smallest."""
    tables = [{_key(record): record for record in window} for window in windows]
    merged = {key: _Sum() for table in tables for key in table}
    for table in tables:
        counts = [record.number_of("count") for record in table.values()]
        errors = any(record.number_of("error") for record in table.values())
        least = min(counts) if errors else 0
        for key, total in merged.items():
            if (record := table.get(key)) is None:
                total.count += least
                total.error += least
                continue
            total.count += record.number_of("count")
            total.error += record.number_of("error")
            total.bytes += record.number_of("bytes")
    return merged


def _listeners(evidence: Evidence) -> dict[tuple[str, str, str], str]:
    """Names by address, port and protocol."""
    found = {}
    for record in sorted(evidence.fresh("vip", {}), key=lambda r: r.ring):
        name, address, port, protocol = (record.text_of("values").split("\t") + [""] * 4)[:4]
        found[address, port, protocol] = name
    return found


def _talker(key: Key, s: _Sum, rate: float, names: dict[tuple[str, str, str], str]) -> Talker:
    source, destination, port, number = _text(key[0]), _text(key[1]), key[2], key[3]
    protocol = _PROTOCOLS.get(number, str(number))
    return Talker(
        source=source,
        destination=destination,
        port=port,
        protocol=protocol,
        listener=names.get((destination, str(port), protocol), ""),
        packets=s.count * rate,
        packets_min=(s.count - s.error) * rate,
        bits=8 * s.bytes * rate,
        samples=s.count,
    )


def _text(raw: bytes) -> str:
    address = ipaddress.IPv6Address(raw)
    return str(address.ipv4_mapped or address)
