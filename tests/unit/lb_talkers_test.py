"""Top talkers: the merge of workers against exact counts, and a real core's windows."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from exporters.talkers import TopTalkers
from lb import evidence, talkers
from lb.cli import lb
from lb.evidence import Record
from tests.lab.packets import ACK, Ipv4, ipv4, tcp
from tests.unit.lb_pcap_core import TARGET, PcapCore

COUNTERS = 4


def _record(source: int, count: int, error: int) -> Record:
    values: dict[str, int | str | bytes] = {
        "source": source.to_bytes(16, "big"),
        "destination": bytes(16),
        "port": 80,
        "protocol": 6,
        "count": count,
        "error": error,
        "bytes": 60 * (count - error),
    }
    return Record(0, 0, 0, values)


def _space_saving(stream: list[int]) -> list[Record]:
    """What a worker with COUNTERS counters would write of a stream of sources."""
    table: dict[int, tuple[int, int]] = {}
    for source in stream:
        if source not in table and len(table) == COUNTERS:
            least = min(table, key=lambda s: table[s][0])
            table[source] = (table.pop(least)[0],) * 2
        count, error = table.get(source, (0, 0))
        table[source] = (count + 1, error)
    return [_record(source, *numbers) for source, numbers in table.items()]


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 9), max_size=60), min_size=1, max_size=4))
def test_merged_bounds_hold(streams: list[list[int]]) -> None:
    merged = talkers._merge([_space_saving(stream) for stream in streams if stream])
    for (source, *_), total in merged.items():
        exact = sum(stream.count(int.from_bytes(source, "big")) for stream in streams)
        assert total.count - total.error <= exact <= total.count
        assert total.error <= sum(len(stream) / COUNTERS for stream in streams)


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PcapCore]:
    packets = [ipv4(TARGET, Ipv4(TARGET.vip), tcp(TARGET, port=80, flags=ACK))] * 3
    packets.append(ipv4(TARGET, Ipv4(TARGET.vip), tcp(TARGET, port=81, flags=ACK)))
    with PcapCore(tmp_path_factory.mktemp("talkers"), packets, again=True) as core:
        end = time.monotonic() + 60
        while time.monotonic() < end and not talkers.read(evidence.find(core.run_dir), 9).time_ns:
            time.sleep(0.1)
        core.kill()
        yield core


def test_a_core_names_its_talkers(core: PcapCore) -> None:
    arguments = ["top-talkers", "--run-dir", str(core.run_dir)]
    found = json.loads(CliRunner().invoke(lb, [*arguments, "--json"]).stdout)
    first, second = found["top"]
    assert (first["source"], first["destination"]) == ("10.77.0.77", "198.51.100.1")
    assert (first["port"], first["protocol"], first["listener"]) == (80, "tcp", "web-80")
    assert (second["port"], second["listener"]) == (81, "")
    assert first["packets"] == first["packets_min"]
    assert first["packets"] + second["packets"] == pytest.approx(found["packets"])
    if first["samples"] + second["samples"] > 1000:  # three of four, six standard deviations
        assert 0.66 < first["packets"] / found["packets"] < 0.84
    text = CliRunner().invoke(lb, arguments).stdout
    assert "10.77.0.77" in text
    assert "packets/s in all" in text


def test_no_window_yet(core: PcapCore, tmp_path: Path) -> None:
    path = evidence.find(core.run_dir)
    block = evidence.Evidence(path).block("talker")
    empty = bytearray(path.read_bytes())
    empty[block.offset : block.offset + block.size] = bytes(block.size)
    (tmp_path / path.name).write_bytes(empty)
    result = CliRunner().invoke(lb, ["top-talkers", "--run-dir", str(tmp_path)])
    assert result.stdout == "no window of 10 s with packets has ended yet\n"


def test_on_metrics(core: PcapCore) -> None:
    path = evidence.find(core.run_dir)
    segment = path.with_name(path.name.replace("evidence", "segment"))
    top = TopTalkers("p", "n")
    families = {f.name: f for f in top.families([("a", segment)])}
    samples = families["popscope_talker_packets_per_second"].samples
    assert [s.labels["port"] for s in samples] == ["80", "81"]
    assert samples[0].labels["listener"] == "web-80"
    assert samples[0].value >= samples[1].value > 0
    stale = time.time_ns() + 120 * 10**9
    assert not next(iter(top.families([("a", segment)], stale))).samples
    nowhere = [("a", Path("/nonexistent/segment-00"))]
    assert not next(iter(top.families(nowhere))).samples
    assert top.read_failures == 0


def test_a_damaged_file_is_counted(core: PcapCore, tmp_path: Path) -> None:
    (tmp_path / "evidence-00").write_bytes(b"damaged")
    top = TopTalkers("p", "n")
    assert not next(iter(top.families([("a", tmp_path / "segment-00")]))).samples
    assert top.read_failures == 1
