"""Samples of dropped packets: a real core drops known ones, and is killed; then they are read."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lb import evidence
from lb.cli import lb
from lb.drops import DropReader, Follower, Sample
from lb.errors import EvidenceError
from lb.evidence import BLOCK, HEADER, Evidence
from lb.headers import describe
from tests.lab.packets import KINDS
from tests.lab.packets6 import KINDS6
from tests.unit.lb_pcap_core import TARGET, PcapCore

EACH = 2
SENT = [kind for kind in KINDS for _ in range(EACH)]
EXPECTED = Counter(kind.reason for kind in SENT)
KEPT_AT_ONCE = 8  # samples of a reason in a quarter of a second


@pytest.fixture(scope="module")
def dead(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a core that was killed after it had dropped everything of SENT."""
    with PcapCore(tmp_path_factory.mktemp("drops"), [kind.build(TARGET) for kind in SENT]) as core:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            samples = DropReader(evidence.find(core.run_dir)).read()
            if {s.reason for s in samples} >= set(EXPECTED):
                break
            time.sleep(0.05)
        core.kill()
    return core.run_dir


def invoke(*args: str | Path) -> Result:
    return CliRunner().invoke(lb, ["drops", *(str(a) for a in args)])


@pytest.fixture
def samples(dead: Path) -> list[Sample]:
    return DropReader(evidence.find(dead)).read()


def test_every_reason_has_samples_with_the_packets_bytes(samples: list[Sample]) -> None:
    found = Counter(s.reason for s in samples)
    assert set(found) == set(EXPECTED)
    for reason, n in EXPECTED.items():
        assert min(n, KEPT_AT_ONCE) <= found[reason] <= n, reason
        built = {kind.build(TARGET) for kind in SENT if kind.reason == reason}
        mine = [s for s in samples if s.reason == reason]
        assert all(any(b[:128] == s.data and len(b) == s.length for b in built) for s in mine)
        assert [s.dropped for s in mine] == sorted({s.dropped for s in mine})
        assert all(s.dropped <= n and s.missed == 0 for s in mine)


def test_a_sample_says_where_and_when(samples: list[Sample]) -> None:
    assert {s.port for s in samples} == {0}
    assert {s.lcore for s in samples} == {1}
    assert all(abs(s.time_ns / 1e9 - time.time()) < 3600 for s in samples)
    assert {s.listener for s in samples if s.reason == "exceeds_mtu"} <= {"web-80"}


@dataclass
class Packet:
    interface: str
    time_ns: int
    length: int
    data: bytes
    comment: str


def blocks(raw: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(raw):
        kind, length = struct.unpack_from("<II", raw, at)
        assert length % 4 == 0
        assert struct.unpack_from("<I", raw, at + length - 4) == (length,)
        yield kind, raw[at + 8 : at + length - 4]
        at += length
    assert at == len(raw)


def options(raw: bytes) -> dict[int, bytes]:
    found, at = dict[int, bytes](), 0
    while True:
        code, length = struct.unpack_from("<HH", raw, at)
        if code == 0:
            assert (length, at + 4) == (0, len(raw))
            return found
        found[code] = raw[at + 4 : at + 4 + length]
        at += 4 + (length + 3) // 4 * 4


def pcapng(raw: bytes) -> Iterator[Packet]:
    """A strict reader of what a pcapng file may have here."""
    interfaces: list[str] = []
    for i, (kind, body) in enumerate(blocks(raw)):
        if i == 0:
            assert kind == 0x0A0D0D0A
            assert struct.unpack_from("<IHHq", body) == (0x1A2B3C4D, 1, 0, -1)
        elif kind == 1:
            assert struct.unpack_from("<H", body) == (1,)
            found = options(body[8:])
            assert found[9] == b"\x09"
            interfaces.append(found[2].decode())
        else:
            assert kind == 6
            number, high, low, captured, length = struct.unpack_from("<IIIII", body)
            rest = body[20 + (captured + 3) // 4 * 4 :]
            yield Packet(
                interfaces[number],
                high << 32 | low,
                length,
                body[20 : 20 + captured],
                options(rest)[1].decode(),
            )


def test_a_pcapng_file_has_the_reason_as_comment(
    dead: Path, samples: list[Sample], tmp_path: Path
) -> None:
    out = tmp_path / "out.pcapng"
    assert invoke("--run-dir", dead, "-w", out).exit_code == 0
    packets = list(pcapng(out.read_bytes()))
    assert [(p.time_ns, p.length, p.data) for p in packets] == [
        (s.time_ns, s.length, s.data) for s in samples
    ]
    assert [p.comment.split(",")[0] for p in packets] == [s.reason for s in samples]
    assert {p.interface for p in packets} == {"port 0"}


def test_a_pcap_file(dead: Path, tmp_path: Path, samples: list[Sample]) -> None:
    out = tmp_path / "out.pcap"
    assert invoke("--run-dir", dead, "-w", out, "--reason", "tcp_bad_flags").exit_code == 0
    raw = out.read_bytes()
    assert struct.unpack_from("<IHHiIII", raw) == (0xA1B23C4D, 2, 4, 0, 0, 65535, 1)
    at, packets = 24, []
    while at < len(raw):
        seconds, nanoseconds, captured, length = struct.unpack_from("<IIII", raw, at)
        packets.append((seconds * 10**9 + nanoseconds, length, raw[at + 16 : at + 16 + captured]))
        at += 16 + captured
    wanted = [s for s in samples if s.reason == "tcp_bad_flags"]
    assert packets == [(s.time_ns, s.length, s.data) for s in wanted]


@pytest.mark.parametrize("suffix", ["pcap", "pcapng"])
def test_tcpdump_reads_it(dead: Path, tmp_path: Path, samples: list[Sample], suffix: str) -> None:
    out = tmp_path / f"out.{suffix}"
    invoke("--run-dir", dead, "-w", out)
    read = subprocess.run(["tcpdump", "-n", "-t", "-r", out], capture_output=True, text=True)
    assert read.returncode == 0, read.stderr
    assert len([x for x in read.stdout.splitlines() if not x.startswith("\t")]) == len(samples)


def test_text_and_json(dead: Path, samples: list[Sample]) -> None:
    text = invoke("--run-dir", dead)
    assert text.exit_code == 0
    assert len(text.stdout.splitlines()) == len(samples)
    assert "10.77.0.77:7777 > 198.51.100.1:80 tcp FS, 54 bytes: tcp_bad_flags" in text.stdout
    answer = json.loads(invoke("--run-dir", dead, "--json", "--reason", "foreign_mac").stdout)
    assert answer["instance"] == "pcap"
    assert {s["reason"] for s in answer["samples"]} == {"foreign_mac"}
    assert bytes.fromhex(answer["samples"][0]["bytes"])


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--reason", "bad_luck"), 2, "no reason 'bad_luck': arp_malformed, "),
        (("-w", "out.txt"), 2, "must end with .pcap or .pcapng"),
        (("-w", "/nonexistent/out.pcap"), 1, "/nonexistent/out.pcap: No such file"),
        (("-w", "out.pcap", "--json"), 2, "either -w or --json"),
        (("--boot", "00000000000000ab"), 1, "evidence-00000000000000ab: No such file"),
    ],
)
def test_mistakes_are_named(
    dead: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    result = invoke("--run-dir", dead, *arguments)
    assert (result.exit_code, message in result.output) == (code, True), result.output


def test_no_core_was_here(tmp_path: Path) -> None:
    result = invoke("--run-dir", tmp_path)
    assert result.exit_code == 1
    assert "no evidence-* here" in result.stderr


# --- a file that changes under its reader, or is damaged ---


@pytest.fixture
def copy(dead: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(evidence.find(dead), tmp_path))


def place(path: Path, reason: str, number: int) -> int:
    """Where a sample of lane 0 lies."""
    reader = DropReader(path)
    block = reader.evidence.block("drop")
    ring = reader.reasons.index(reason)
    return block.offset + (ring * block.records + number) * block.stride


def poke(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def test_a_sample_that_is_being_written_is_left_out(copy: Path, samples: list[Sample]) -> None:
    poke(copy, place(copy, "foreign_mac", 1), struct.pack("<Q", 3))
    assert len(DropReader(copy).read()) == len(samples) - 1


def test_overwritten_samples_are_counted(copy: Path) -> None:
    reader = DropReader(copy)
    reader.read()
    assert reader.read() == []
    # 32 samples later the ring is at place 0 again; the reader had seen number 1.
    poke(copy, place(copy, "foreign_mac", 0), struct.pack("<Q", 2 * 32 + 2))
    (sample,) = reader.read()
    assert (sample.reason, sample.missed) == ("foreign_mac", 30)
    assert reader.read() == []


def test_a_follower_goes_on_with_the_next_boot(copy: Path, dead: Path) -> None:
    follower = Follower(copy.parent, DropReader(copy))
    first = list(follower.read())
    assert list(follower.read()) == []
    newer = copy.with_name("evidence-00000000000000ab")
    shutil.copy(copy, newer)
    poke(newer, 40, struct.pack("<Q", Evidence(copy).start_ns + 1))
    assert len(list(follower.read())) == len(first)


def test_a_row_with_another_name_is_not_mistaken(copy: Path) -> None:
    at = place(copy, "foreign_mac", 0)
    fields = {f.name: f for f in Evidence(copy).block("drop").fields}
    poke(copy, at + fields["vip"].offset, struct.pack("<H", 0))
    poke(copy, at + fields["vip_epoch"].offset, struct.pack("<H", 1))
    named = [s.listener for s in DropReader(copy).read() if s.reason == "foreign_mac"]
    assert named[0] == "web-80"
    poke(copy, at + fields["vip_epoch"].offset, struct.pack("<H", 9))
    named = [s.listener for s in DropReader(copy).read() if s.reason == "foreign_mac"]
    assert named[0] == "vip row 0, which has another name now"


@pytest.mark.parametrize(
    ("at", "data", "message"),
    [
        (0, b"NOTPOPSC", "magic"),
        (8, struct.pack("<I", 9), "layout 9"),
        (16, struct.pack("<Q", 77), "its header says 77"),
        (56, struct.pack("<Q", 1 << 40), "directory ends behind"),
        (68, struct.pack("<I", 8), "blocks of 8"),
        (HEADER.size + 16 + 16, struct.pack("<Q", 1 << 40), "ends behind the file's end"),
        (HEADER.size + 16 + 32, struct.pack("<I", 0), "0 x|records"),
    ],
)
def test_damage_is_named(copy: Path, at: int, data: bytes, message: str) -> None:
    assert (HEADER.size + 16) % 64 == 0, "the directory begins at a multiple of 64"
    assert BLOCK.size == 64
    poke(copy, at, data)
    with pytest.raises(EvidenceError, match=message) as caught:
        Evidence(copy)
    assert str(copy) in str(caught.value)


def test_every_cut_of_a_frame_can_be_described() -> None:
    for kind in KINDS + KINDS6:
        frame = kind.build(TARGET)
        for length in range(min(len(frame), 130)):
            assert describe(frame[:length])
