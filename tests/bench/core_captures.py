"""Captures for the core's benchmark on a packet device: made, or taken from a file and made fit."""

from __future__ import annotations

import ctypes
import ipaddress
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from lb.capture import ETHERNET, Pcap
from tests.lab.packets import ACK, TCP, UDP, Ipv4, Target, ipv4, tcp, udp

MAC = bytes.fromhex("027063617000")  # net_pcap gives its first port this address
LONGEST = 2048  # bytes of a frame: the device repeats packets of one buffer only
MOST_PACKETS = 200_000  # each keeps a buffer of 2 KB
MOST_LISTENERS = 16_000
BACKENDS = 100
_VIP, _PORT = "198.51.100.1", 80


@dataclass(frozen=True, slots=True)
class Capture:
    """A capture file for net_pcap, how many packets it has, and a configuration for them."""

    path: Path
    packets: int
    config: Path


Listener = tuple[str, int, str]  # address, port, protocol


def make(kind: str, flows: int, folder: Path) -> Capture:
    """A frame a flow, of `kind` "udp4" or "tcp4" (ACK), 60 bytes each."""
    path = folder / f"{kind}-{flows}.pcap"
    count = _write(path, (_frame(kind, flow) for flow in range(flows)))
    listener = (_VIP, _PORT, "tcp" if kind == "tcp4" else "udp")
    return Capture(path, count, _configure(folder, [listener]))


def _frame(kind: str, flow: int) -> bytes:
    sender = str(ipaddress.IPv4Address(0x0A000000 + (flow >> 4)))
    to = Target(MAC, "", _VIP, _PORT, sender, sender_port=20000 + flow % 16 * 7)
    if kind == "tcp4":
        frame = ipv4(to, Ipv4(_VIP, TCP), tcp(to, flags=ACK))
    else:
        frame = ipv4(to, Ipv4(_VIP, UDP), udp(to, port=_PORT, data=b""))
    return frame.ljust(60, b"\0")


def adapt(source: Path, config: Path | None, folder: Path) -> Capture:
    """The packets of any Ethernet capture, addressed to the device, and what they ask for.

    Without `config`, each TCP or UDP destination is a listener (of more than MOST_LISTENERS, those
    with the most packets). Raises ClickException when the file cannot be used.
    """
    frames = list(_readdressed(_frames(source)))
    if not frames:
        raise click.ClickException(f"{source} has no frames of at most {LONGEST} bytes")
    path = folder / "adapted.pcap"
    _write(path, frames)
    if config is None:
        found = Counter(found for frame in frames if (found := _destination(frame)))
        if not found:
            raise click.ClickException(
                f"{source} has no TCP or UDP packets to make listeners for: give --config"
            )
        config = _configure(folder, [name for name, _ in found.most_common(MOST_LISTENERS)])
    return Capture(path, len(frames), config)


def _write(path: Path, frames: Iterable[bytes]) -> int:
    count = 0
    with path.open("wb") as file:
        capture = Pcap(file)
        for frame in frames:
            count += 1
            capture.write(0, frame, len(frame), "", "")
    return count


def _readdressed(frames: Iterable[bytes]) -> Iterator[bytes]:
    """At most MOST_PACKETS, none above LONGEST; unicast frames get the device's MAC address."""
    kept = left_out = 0
    for frame in frames:
        if len(frame) > LONGEST:
            left_out += 1
        elif kept == MOST_PACKETS:
            click.echo(f"only the first {kept} packets are taken", err=True)
            break
        else:
            kept += 1
            group = len(frame) >= 1 and frame[0] & 1
            yield frame if group else MAC + frame[6:]
    if left_out:
        click.echo(f"{left_out} packets above {LONGEST} bytes are left out", err=True)


def _destination(frame: bytes) -> Listener | None:
    """Whom a packet that a listener could take is for."""
    kind = frame[12:14]
    if kind == b"\x08\0" and len(frame) >= 34:
        fragment = int.from_bytes(frame[20:22]) & 0x1FFF
        protocol, address, behind = frame[23], frame[30:34], 14 + (frame[14] & 15) * 4
        if fragment:
            return None
    elif kind == b"\x86\xdd" and len(frame) >= 54:
        protocol, address, behind = frame[20], frame[38:54], 54
    else:
        return None
    where = ipaddress.ip_address(address)
    port = int.from_bytes(frame[behind + 2 : behind + 4])
    usable = not (where.is_multicast or where.is_link_local or where.is_loopback)
    usable &= not (where.is_unspecified or where.is_reserved)
    if not usable or not port or protocol not in (TCP, UDP):
        return None
    return str(where), port, "tcp" if protocol == TCP else "udp"


def _configure(folder: Path, listeners: list[Listener]) -> Path:
    network = _unused_network({address for address, _, _ in listeners})
    document: dict[str, Any] = {
        "generation": 1,
        "addresses": [{"port": 0, "address": f"{network[1]}/{network.prefixlen}"}],
        "pools": [
            {
                "name": "all",
                "backends": [
                    {"name": f"b{i}", "address": str(network[20 + i])} for i in range(BACKENDS)
                ],
            }
        ],
        "listeners": [
            {
                "name": f"l{i}",
                "address": address,
                "port": port,
                "protocol": protocol,
                "pool": "all",
            }
            for i, (address, port, protocol) in enumerate(listeners)
        ],
    }
    path = folder / f"{len(listeners)}-{listeners[0][2]}.json"
    path.write_text(json.dumps(document))
    return path


def _unused_network(taken: set[str]) -> ipaddress.IPv4Network:
    """For the director and its backends: a /24 of the benchmarks' range (RFC 2544)."""
    four = {int(ipaddress.IPv4Address(a)) >> 8 for a in taken if ":" not in a}
    networks = ipaddress.IPv4Network("198.18.0.0/15").subnets(new_prefix=24)
    for network in networks:
        if int(network.network_address) >> 8 not in four:
            return network
    raise click.ClickException("the capture uses all of 198.18.0.0/15: give --config")


class _Header(ctypes.Structure):
    """struct pcap_pkthdr."""

    _fields_ = (
        ("seconds", ctypes.c_long),
        ("fraction", ctypes.c_long),
        ("captured", ctypes.c_uint32),
        ("length", ctypes.c_uint32),
    )


def _frames(path: Path) -> Iterator[bytes]:
    """The frames of a pcap or pcapng file, by the libpcap that the device itself stands on."""
    library = ctypes.CDLL("libpcap.so.0.8")
    library.pcap_open_offline.restype = ctypes.c_void_p
    library.pcap_geterr.restype = ctypes.c_char_p
    error = ctypes.create_string_buffer(256)
    handle = ctypes.c_void_p(library.pcap_open_offline(bytes(path), error))
    if not handle:
        raise click.ClickException(f"cannot read the capture: {error.value.decode()}")
    try:
        if library.pcap_datalink(handle) != ETHERNET:
            raise click.ClickException(f"{path} is not a capture of Ethernet frames")
        header, data = ctypes.POINTER(_Header)(), ctypes.c_void_p()
        while (ret := library.pcap_next_ex(handle, ctypes.byref(header), ctypes.byref(data))) == 1:
            yield ctypes.string_at(data.value or 0, header.contents.captured)
        if ret != -2:
            what = library.pcap_geterr(handle).decode()
            raise click.ClickException(f"cannot read the capture {path}: {what}")
    finally:
        library.pcap_close(handle)
