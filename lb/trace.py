"""What a core decided about traced packets, by name, from its evidence file."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lb.evidence import NO_ROW, Evidence, Record
from lb.headers import describe

STAGES = ("ingress", "classify", "track", "forward", "transmit")
CONNECTIONS = ("none", "syn", "established", "fin", "udp")
_STEP = struct.Struct("<BBH")
_KINDS = {"drop_": "dropped", "consumed_": "consumed", "originated_": "originated"}
# Counters that another decision says, or that say nothing of this packet.
_SILENT = {"rx_packets", "tx_packets", "active_connections", "held_neighbour_queue"}


@dataclass(frozen=True, slots=True)
class Decision:
    """What a stage decided: `what` is its name, `value` the outcome."""

    stage: str
    what: str
    value: str

    def __str__(self) -> str:
        return f"{self.what} {self.value}".strip()


@dataclass(frozen=True, slots=True)
class Traced:
    """A packet that was traced. `counters` (stage, id): what it moved in the scope lcore."""

    time_ns: int
    lcore: int
    port: int
    length: int
    data: bytes
    decisions: tuple[Decision, ...]
    counters: tuple[tuple[str, str], ...]


class TraceReader:
    """Reads the packets of one trace, each once."""

    def __init__(self, path: Path, trace: int) -> None:
        self._evidence = Evidence(path)
        self._trace = trace
        self._seen: dict[tuple[int, int], int] = {}

    def read(self) -> list[Traced]:
        """Packets since the last call, by time."""
        fresh = list(self._evidence.fresh("trace", self._seen))
        for record in fresh:
            ring = (record.lane, record.ring)
            self._seen[ring] = max(self._seen.get(ring, 0), record.number + 1)
        fresh.sort(key=lambda r: (r.number_of("time_ns"), r.lane, r.number))
        return [self._traced(r) for r in fresh if r.number_of("trace") == self._trace]

    def _traced(self, record: Record) -> Traced:
        counters = tuple(self._counters(record))
        return Traced(
            time_ns=record.number_of("time_ns"),
            lcore=record.number_of("lcore"),
            port=record.number_of("port"),
            length=record.number_of("length"),
            data=record.data_of("bytes")[: record.number_of("captured")],
            decisions=tuple(self._decisions(record, counters)),
            counters=counters,
        )

    def _counters(self, record: Record) -> Iterator[tuple[str, str]]:
        steps = record.data_of("steps")
        for i in range(min(record.number_of("step_count"), len(steps) // _STEP.size)):
            stage, _, cell = _STEP.unpack_from(steps, i * _STEP.size)
            name = self._evidence.record("cell", cell)
            known = STAGES[stage] if stage < len(STAGES) else f"stage {stage}"
            yield known, name.text_of("name") if name else f"cell {cell}"

    def _decisions(
        self, record: Record, counters: tuple[tuple[str, str], ...]
    ) -> Iterator[Decision]:
        data = record.data_of("bytes")[: record.number_of("captured")]
        yield Decision("ingress", "parsed", describe(data))
        yield from _ends(counters, "ingress")
        if record.number_of("vip") != NO_ROW:
            listener = self._evidence.row_name(record, "vip")
            yield Decision("classify", "listener", listener)
        yield from _ends(counters, "classify")
        yield from self._tracked(record, {name for stage, name in counters if stage == "track"})
        yield from _ends(counters, "track")
        if ("forward", "held_neighbour_queue") in counters:
            yield Decision("forward", "neighbour", "not resolved: the packet waits")
        elif record.number_of("backend") != NO_ROW and record.number_of("out_port") != NO_ROW:
            yield Decision("forward", "neighbour", "resolved")
        yield from _ends(counters, "forward")
        if ("transmit", "tx_packets") in counters:
            yield Decision("transmit", "sent", f"on port {record.number_of('out_port')}")
        yield from _ends(counters, "transmit")

    def _tracked(self, record: Record, moved: set[str]) -> Iterator[Decision]:
        before = CONNECTIONS[record.number_of("connection_before") % len(CONNECTIONS)]
        after = CONNECTIONS[record.number_of("connection_after") % len(CONNECTIONS)]
        ended = [e for e in ("closed", "expired", "orphaned") if f"{e}_connections" in moved]
        made = [m for m in ("created", "picked_up") if f"{m}_connections" in moved]
        for end in ended:
            yield Decision("track", "connection", end)
        for way in made:
            yield Decision("track", "connection", f"{way.replace('_', ' ')} ({after})")
        if record.number_of("backend") == NO_ROW:
            return
        if before != "none" and not made and not ended:
            moves = before if before == after else f"{before}, now {after}"
            yield Decision("track", "connection", f"found ({moves})")
        found = before != "none" and not made and "untracked_packets" not in moved
        if not found and not made and not ended:
            yield Decision("track", "connection", "none made")
        table = "by the connection table" if found else "by Maglev"
        name = self._evidence.row_name(record, "backend")
        yield Decision("track", "backend", f"{name} {table}")


def _ends(counters: tuple[tuple[str, str], ...], stage: str) -> Iterator[Decision]:
    """Drops and the like, as the counters of a stage tell; what is not known goes by its id."""
    tracked = {
        f"{n}_connections" for n in ("created", "picked_up", "closed", "expired", "orphaned")
    }
    for where, name in counters:
        if where != stage or name in _SILENT or name in tracked:
            continue
        prefix = next((p for p in _KINDS if name.startswith(p)), "")
        yield Decision(stage, _KINDS.get(prefix, "counted"), name.removeprefix(prefix))
