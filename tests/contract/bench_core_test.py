"""build/bench/core.json: every case that is promised, each with every field; any capture runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from lb.capture import Pcap, PcapNg
from tests.bench import cli, core_bench
from tests.bench.core_bench import Plan
from tests.lab.packets import ACK, UDP, Ipv4, Target, ipv4, tcp, udp

IN_PROCESS = (
    *("tcp4-ack-1", "tcp4-ack-1k", "tcp4-ack-64k", "tcp4-ack-1m", "tcp4-syn-64k", "tcp4-syn-1m"),
    *("udp4-1k", "udp4-64k", "tcp6-ack-1k", "ipip4-ack-1k"),
)
DEVICES = ("pcap-udp4-1k", "pcap-udp4-64k", "pcap-tcp4-1k")
TWO_WORKERS = ("pcap-udp4-1k-2workers", "pcap-tcp4-1k-2workers")
FIELDS = {"name", "ns_per_packet", "ns_floor", "ns_net", "mpps", "packets", "runs"}
# The same program stands for the one without counters: its build is the benchmark's affair.
QUICK = Plan(rounds=1, quick=True, bare=core_bench.PROGRAM)


def test_the_file_has_every_case_with_every_field(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(cli.BENCHMARKS, "core", lambda: core_bench.cases(QUICK))
    run = CliRunner().invoke(cli.bench, ["core", "--out", str(tmp_path)], catch_exceptions=False)
    assert run.exit_code == 0, run.output
    result = json.loads((tmp_path / "core.json").read_text())
    assert result["machine"]["cpus"] > 0
    assert "floor" in result["method"]
    cases = {case["name"]: case for case in result["cases"]}
    names = (*IN_PROCESS, *DEVICES, *TWO_WORKERS)
    assert set(cases) == {*names, *(f"{name}-nocounters" for name in names)}
    for name, case in cases.items():
        assert case.keys() >= FIELDS, name
        assert case["runs"] == 1
        assert case["workers"] == (2 if "2workers" in name else 1)
        assert case["packets"] > 0
        assert 0 < case["ns_floor"] < case["ns_per_packet"], name
        rates = [1000 / sample["ns_per_packet"] for sample in case["samples"][0]]
        assert case["mpps"] == pytest.approx(sum(rates), abs=0.001), name


@pytest.mark.parametrize("form", [Pcap, PcapNg])
def test_any_capture_runs(tmp_path: Path, form: type[Pcap] | type[PcapNg]) -> None:
    path = tmp_path / "traffic.pcap"
    to = Target(b"\x02\0\0\0\0\x99", "", "203.0.113.5", 443)  # somebody else's MAC address
    bad = ipv4(to, Ipv4(to.vip, version=5), tcp(to))
    frames = [ipv4(to, Ipv4(to.vip), tcp(to, flags=ACK)), bad]
    frames.append(ipv4(to, Ipv4(to.vip, UDP), udp(to, port=53)))
    with path.open("wb") as file:
        capture = form(file)
        for frame in frames * 4:
            capture.write(0, frame, len(frame), "eth0", "")
    run = CliRunner().invoke(
        cli.bench, ["core", "--pcap", str(path), "--out", str(tmp_path)], catch_exceptions=False
    )
    assert run.exit_code == 0, run.output
    (case,) = json.loads((tmp_path / "core-pcap.json").read_text())["cases"]
    assert case["name"] == "pcap-traffic"
    assert case["workers"] == 1
    assert case["received"] == case["sent"] + case["dropped"]["drop_ipv4_bad_version"]
    assert case["sent"] == pytest.approx(2 / 3 * case["received"], rel=0.01)


def test_what_is_no_capture_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("nothing of the kind")
    run = CliRunner().invoke(cli.bench, ["core", "--pcap", str(path), "--out", str(tmp_path)])
    assert run.exit_code == 1
    assert "cannot read the capture" in run.output
