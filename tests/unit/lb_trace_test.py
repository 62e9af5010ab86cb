"""Traces: expressions, and what a real core says of packets that come again and again."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from lb.cli import lb
from lb.core_client import Control
from lb.errors import ConfigError, MatchError
from lb.match import Term, parse
from tests.lab.packets import ACK, ARP, FIN, SYN, Ipv4, ethernet, ipv4, tcp
from tests.unit.lb_pcap_core import TARGET, PcapCore

BACKEND_MAC = bytes.fromhex("0200000000b1")


@pytest.mark.parametrize(
    ("expression", "terms"),
    [
        ("", []),
        (
            "tcp dst 198.51.100.1 port 80 and src 192.0.2.0/24",
            [
                {"protocol": 6},
                {"network": "198.51.100.1/32", "side": "destination"},
                {"port": 80, "side": "destination"},
                {"network": "192.0.2.0/24", "side": "source"},
            ],
        ),
        ("dst 198.51.100.1 and port 80", [
            {"network": "198.51.100.1/32", "side": "destination"}, {"port": 80}]),
        ("host 2001:db8::1", [{"network": "2001:db8::1/128"}]),
        ("src net 10.0.0.0/8 dst port 53", [
            {"network": "10.0.0.0/8", "side": "source"}, {"port": 53, "side": "destination"}]),
        ("ip6 and proto 50", [{"ethertype": 0x86DD}, {"protocol": 50}]),
        ("arp", [{"ethertype": 0x0806}]),
        ("udp src 10.0.0.1 tcp port 5", [
            {"protocol": 17}, {"network": "10.0.0.1/32", "side": "source"}, {"protocol": 6},
            {"port": 5, "side": "source"}]),
    ],
)  # fmt: skip
def test_expressions(expression: str, terms: list[Term]) -> None:
    assert parse(expression) == terms


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("tcp or udp", "'or' is neither a network"),
        ("192.0.2.1/24", "has host bits set"),
        ("dst", "must follow 'dst'"),
        ("port", "a port .* must follow 'port'"),
        ("port http", "'http' is not a port"),
        ("port 65536", "'65536' is not a port"),
        ("proto 256", "not a protocol"),
        ("and tcp", "between two parts"),
        ("tcp and", "between two parts"),
        ("tcp and and udp", "between two parts"),
    ],
)
def test_wrong_expressions(expression: str, message: str) -> None:
    with pytest.raises(MatchError, match=message):
        parse(expression)


def _packet(flags: int, port: int, sender_port: int) -> bytes:
    segment = bytearray(tcp(TARGET, port=port, flags=flags))
    segment[:2] = struct.pack("!H", sender_port)
    return ipv4(TARGET, Ipv4(TARGET.vip), bytes(segment))


def _arp_reply() -> bytes:
    backend = bytes([10, 77, 1, 21])
    own = bytes([10, 77, 1, 11])
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2) + BACKEND_MAC + backend + TARGET.mac + own
    return ethernet(TARGET, ARP, body)


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PcapCore]:
    """To listener web-80 of pool web; only b1 has answered. Flow 3 ends and begins, again."""
    packets = [
        _arp_reply(),
        *(_packet(ACK, 80, 1000 + n) for n in range(8)),
        _packet(SYN, 80, 3),
        _packet(FIN | ACK, 80, 3),
        _packet(ACK, 81, 4),
        _packet(SYN | FIN, 80, 5),
    ]
    with PcapCore(tmp_path_factory.mktemp("trace"), packets, again=True) as core:
        yield core


def invoke(core: PcapCore, *args: str) -> Result:
    return CliRunner().invoke(lb, ["trace", "--run-dir", str(core.run_dir), *args])


def decisions(core: PcapCore, match: str, count: int) -> list[dict[str, list[str]]]:
    """Values by decision, of each packet."""
    result = invoke(core, "--match", match, "--count", str(count), "--json", "--seconds", "30")
    assert result.exit_code == 0, result.output
    packets = json.loads(result.stdout)["packets"]
    assert len(packets) == count
    found = []
    for packet in packets:
        by_name: dict[str, list[str]] = {}
        for d in packet["decisions"]:
            by_name.setdefault(d["decision"], []).append(d["value"])
        found.append(by_name)
    return found


def test_a_known_connection(core: PcapCore) -> None:
    for packet in decisions(core, "tcp src 10.77.0.77 and dst port 80 and src port 1001", 3)[1:]:
        assert packet["parsed"] == ["10.77.0.77:1001 > 198.51.100.1:80 tcp A"]
        assert packet["listener"] == ["web-80"]
        assert packet["connection"] == ["found (established)"]
        (backend,) = packet["backend"]
        if backend == "web/b1 by the connection table":
            assert packet["neighbour"] == ["resolved"]
            assert packet["sent"] == ["on port 0"]
        else:  # b2 does not answer: its packets wait, or too many do
            assert backend == "web/b2 by the connection table"
            assert packet.get("neighbour") or packet["dropped"] == ["neighbour_queue_full"]


def test_a_connection_that_ends_and_begins(core: PcapCore) -> None:
    packets = decisions(core, "tcp port 3", 4)
    begun = [p for p in packets if p["parsed"][0].endswith(" S")]
    ended = [p for p in packets if p["parsed"][0].endswith(" FA")]
    assert len(begun) == len(ended) == 2
    assert begun[1]["connection"] == ["closed", "created (syn)"]
    assert ended[0]["connection"] == ["found (syn, now fin)"]
    assert begun[1]["backend"][0].endswith("by Maglev")


def test_drops(core: PcapCore) -> None:
    (packet,) = decisions(core, "dst port 81", 1)
    assert packet["dropped"] == ["no_listener"]
    assert "listener" not in packet
    (packet,) = decisions(core, "src port 5", 1)  # malformed
    assert packet["dropped"] == ["tcp_bad_flags"]
    (packet,) = decisions(core, "arp", 1)
    assert packet["consumed"] == ["arp_reply"]


def test_text(core: PcapCore) -> None:
    result = invoke(core, "--match", "dst port 81", "--count", "2")
    assert result.exit_code == 0
    assert result.stdout.count("parsed 10.77.0.77:4 > 198.51.100.1:81 tcp A\n") == 2
    assert result.stdout.count("  classify  dropped no_listener\n") == 2
    assert result.stderr == "2 packets\n"


def test_no_packet_matches(core: PcapCore) -> None:
    result = invoke(core, "--match", "udp", "--seconds", "1")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "0 packets\n")


def test_one_trace_at_a_time(core: PcapCore) -> None:
    control = Control(core.run_dir / "control.sock")
    first = control.trace([], 1, 30)
    with pytest.raises(ConfigError, match="another trace is armed, for"):
        control.trace([], 1, 30)
    assert invoke(core).exit_code == 1
    assert control.trace([], 0, 1) == 0
    assert control.trace([], 1, 1) == first + 1
    assert control.trace([], 0, 1) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--match", "port http"), 2, "'http' is not a port"),
        (("--count", "257"), 2, "257 is not in the range"),
        (("--run-dir", "/nonexistent"), 1, "no core answers there"),
    ],
)
def test_mistakes(core: PcapCore, arguments: tuple[str, ...], code: int, message: str) -> None:
    result = invoke(core, *arguments)
    assert (result.exit_code, message in result.output) == (code, True), result.output
