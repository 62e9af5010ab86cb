"""Whether a link carries what it must."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct
from collections.abc import Iterable

from lb.control.errors import TargetError
from lb.control.findings import Finding, judged
from lb.core_client import Neighbour

_ARP = 0x0806
_BROADCAST = b"\xff" * 6
_ETHER = struct.Struct("!6s6sH")
_REQUEST = struct.Struct("!HHBBH6s4s6s4s")
_ADDRESSED = struct.Struct("!HHBBH6s4s")
_REPLY = 2
_WAIT_S = 0.3
_PINGS_MAX = 16
_HEADERS = {4: 28, 6: 48}  # of IP and ICMP


def probe(sender: bytes, address: str) -> bytes:
    """An ARP probe (RFC 5227): who has this address, without a claim to any."""
    asked = socket.inet_aton(address)
    body = _REQUEST.pack(1, 0x0800, 6, 4, 1, sender, bytes(4), bytes(6), asked)
    return _ETHER.pack(_BROADCAST, sender, _ARP) + body


def owner(frame: bytes, address: str) -> str:
    """The MAC address of an ARP reply for an address; "" for other frames."""
    if len(frame) < _ETHER.size + _REQUEST.size:
        return ""
    *_, operation, mac, claimed = _ADDRESSED.unpack_from(frame, _ETHER.size)
    if operation != _REPLY or claimed != socket.inet_aton(address):
        return ""
    return ":".join(f"{byte:02x}" for byte in mac)


async def owners(device: str, address: str) -> set[str]:
    """Everybody on a link who says that an IPv4 address is theirs. Raises TargetError."""
    loop = asyncio.get_running_loop()
    found: set[str] = set()
    try:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK) as raw:
            raw.bind((device, _ARP))
            await loop.sock_sendall(raw, probe(raw.getsockname()[4], address))
            async with asyncio.timeout(_WAIT_S):
                while True:
                    found.add(owner(await loop.sock_recv(raw, 2048), address))
    except TimeoutError:
        return found - {""}
    except OSError as error:
        raise TargetError(f"{device}: {error.strerror}") from error


def address(own: str, macs: set[str], subject: str) -> Finding:
    """Whether the core's own address answers, once."""
    seen = ", ".join(sorted(macs)) or "nobody"
    remedy = (
        "another machine has this address: take it away there"
        if macs
        else "does the core's port see the link? Look at `popscope top`, VLAN and cable"
    )
    return judged(
        "own_address", len(macs) == 1, f"{own}: {seen}", remedy, level="vlan", subject=subject
    )


def neighbours(wanted: Iterable[str], known: Iterable[Neighbour]) -> Finding:
    """Whether the core has the MAC addresses of those that it sends to."""
    resolved = {n["address"] for n in known if n["mac"]}
    lost = sorted(set(wanted) - resolved)
    return judged(
        "neighbours",
        not lost,
        f"not resolved: {', '.join(lost[:8])}" if lost else f"{len(resolved)} resolved",
        "are these machines up, and on this link?",
        severity="warning",
        level="vlan",
    )


async def mtu(device: str, size: int, hosts: list[str]) -> list[Finding]:
    """Whether packets of the link's MTU arrive whole, there and back."""
    chosen = hosts[:_PINGS_MAX]
    passed = await asyncio.gather(*(_ping(device, size, host) for host in chosen))
    lost = [host for host, good in zip(chosen, passed, strict=True) if not good]
    if not chosen:
        return []
    return [
        judged(
            "mtu",
            not lost,
            f"{size} bytes to {len(chosen)} hosts"
            + (f"; no answer from {', '.join(lost)}" if lost else ""),
            "set the same MTU on the hosts, the switch's ports, and in the VLAN's spec",
            severity="warning",
            level="vlan",
        )
    ]


async def _ping(device: str, size: int, host: str) -> bool:
    payload = size - _HEADERS[ipaddress.ip_address(host).version]
    process = await asyncio.create_subprocess_exec(
        *("ping", "-q", "-c", "2", "-i", "0.2", "-w", "1", "-M", "do", "-s", str(payload)),
        *("-I", device, host),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    return await process.wait() == 0
